"""A worker's term: its own figures are held against its limits, and once they are reached it says so.

It says so once and serves on: who takes its place, and when it leaves, is decided elsewhere.  Knows where the kernel
tells a process's memory; what the limits mean is known to `retirement.py`.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

from forkserver.config.options import Limits
from forkserver.serving.clock import Clock
from forkserver.serving.ledger import Ledger
from forkserver.serving.outside import Orders
from forkserver.serving.retirement import NEVER, Retirement

if TYPE_CHECKING:
    from forkserver.log import ErrorLog

STATUS = "/proc/self/status"
ALL = re.compile(rb"^(?:VmRSS|VmSwap):\s+([0-9]+) kB$", re.MULTILINE)  # proc(5)
ROLLUP = "/proc/self/smaps_rollup"
OWN = re.compile(rb"^(?:Private_Dirty|Swap):\s+([0-9]+) kB$", re.MULTILINE)
LONGEST_SLEEP = 3600.0  # seconds; epoll_wait(2) counts its milliseconds in an int


def own_memory() -> int:
    """Bytes that nobody shares with this process, in memory or swapped out.  OSError where the kernel does not tell.

    The kernel walks through all our pages for it: some 20 ms for half a gigabyte.
    """
    return _sum(ROLLUP, OWN)


def all_memory() -> int:
    """The same with what is shared, from the kernel's counters: a tenth of a millisecond.  OSError likewise."""
    return _sum(STATUS, ALL)


def _sum(path: str, lines: re.Pattern[bytes]) -> int:
    with open(path, "rb", buffering=0) as file:
        return 1024 * sum(int(kilobytes) for kilobytes in lines.findall(file.read(16384)))


class Tenure:
    """One worker's."""

    def __init__(self, limits: Limits, orders: Orders, ledger: Ledger, clock: Clock, log: ErrorLog) -> None:
        self.orders, self.ledger, self.clock, self.log = orders, ledger, clock, log
        self.over = False  # said, or of no interest any more
        # The system's chance: the interpreter's belongs to the applications, who may have set it.
        self.retirement = Retirement(limits, random.SystemRandom().random(), clock.now)

    def look(self) -> None:
        """Say so if it is over.  When requests reach `retirement.requests`, and with each sweep."""
        retirement, now = self.retirement, self.clock.now
        memory = self._memory() if now >= retirement.next_look else 0
        if why := retirement.due(now, self.ledger.requests, memory):
            self.retire(why)

    def retire(self, why: str) -> None:
        """Say so for a reason of another kind; the first reason counts."""
        if not self.over:
            self.end()
            self.orders.retire(why)

    def patience(self, sweep: float) -> float:
        """Seconds that a worker without a connection may sleep, whose next sweep is due at `sweep`; -1: for ever."""
        then = min(self.retirement.end, self.retirement.next_look)
        return -1 if then == NEVER else min(max(0.0, then - self.clock.now, sweep - self.clock.now), LONGEST_SLEEP)

    def end(self) -> None:
        """We are leaving, for whatever reason."""
        self.over = True
        self.retirement.over()

    def _memory(self) -> int:
        """Bytes of our own when they may be too many, else 0; that, and one complaint, where it cannot be known."""
        self.retirement.looked(self.clock.now)
        try:
            return own_memory() if all_memory() > self.retirement.memory else 0
        except OSError as error:
            self.log.warning(f"the limit of memory does not hold: {error.filename}: {error.strerror}")
            self.retirement.forget_memory()
            return 0
