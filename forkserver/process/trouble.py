"""Workers that are in trouble and do not say so: what the master finds when it looks at the scoreboard.

Knows that a request past its limit ends its worker; slow requests are the matter of `slowness.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forkserver.process import forensics, forking
from forkserver.process.children import Child
from forkserver.process.pool import Pool
from forkserver.process.scoreboard import InProgress
from forkserver.process.slowness import Slowness

if TYPE_CHECKING:
    from forkserver.log import ErrorLog


PACE = 1.0  # seconds between two looks where nothing is known to be due


class Trouble:
    """The master's second look at each worker."""

    def __init__(self, pool: Pool, log: ErrorLog) -> None:
        self.pool, self.log = pool, log
        self.slowness = Slowness(pool.evidence, lambda seat, request: pool.board.slots[seat].noted(request))
        self.due = 0.0  # when to look next

    def look(self, now: float) -> None:
        """Once a second, and when a request has become slow."""
        self.due = now + PACE
        living = {}
        for child in self.pool.children.by_seat.values():
            if child.pid and not child.killed:
                requests = self.pool.board.slots[child.seat].in_progress()
                if not self._ended(child, requests, now):
                    living[child.seat, child.pid] = requests
        if current := self.pool.current:
            slow = self.slowness.look(living, now, current.config.log.slow_after, current.logs.slow)
            self.due = min(self.due, slow)

    def _ended(self, child: Child, requests: tuple[InProgress, ...], now: float) -> bool:
        """Whether a request was past its limit, and its worker killed for it."""
        late = next((request for request in requests if 0 < request.deadline < now), None)
        if late is None:
            return False
        child.killed = True
        others = [forensics.serving(request, now) for request in requests if request is not late]
        words = f"worker {child.seat} (pid {child.pid}) did not answer in time: {late.line!r}: killed"
        self.log.warning("\n".join((words, *others)), lines=True)
        forking.kill(child.pid)
        return True
