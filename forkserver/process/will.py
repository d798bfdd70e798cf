"""What becomes of the workers when the master was killed: the last will, carried out by the mold.

The workers see their lifelines end, finish and leave.  One that hangs in a request does not look at its lifeline, and
with the master the only one is gone who would have ended it: it would keep the port for ever.  Knows pids and the
scoreboard; knows nothing of generations, since all workers are concerned.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

from forkserver.process.scoreboard import Scoreboard, Word


def carry_out(board: Scoreboard, patience: float) -> None:
    """Wait until every worker has ended; those that have not within `patience` seconds are killed."""
    ends = list(filter(None, (_handle(slot.words[Word.PID]) for slot in board.slots)))
    limit = time.monotonic() + patience
    poll = select.poll()
    for end in ends:
        poll.register(end, select.POLLIN)
    left = set(ends)
    while left and (now := time.monotonic()) < limit:
        for end, _ in poll.poll((limit - now) * 1000):
            poll.unregister(end)
            left.discard(end)
    for end in left:
        with contextlib.suppress(ProcessLookupError):  # it ended in this very moment
            signal.pidfd_send_signal(end, signal.SIGKILL)
    for end in ends:
        os.close(end)


def _handle(pid: int) -> int | None:
    """A descriptor that means this very process, whoever has its number later (pidfd_open(2)); None without one."""
    try:
        return os.pidfd_open(pid) if pid else None
    except ProcessLookupError:
        return None
