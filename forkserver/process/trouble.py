"""Workers that are in trouble and do not say so: what the master finds when it looks at the scoreboard.

Knows that a request past its limit ends its worker; slow requests are the matter of `slowness.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from forkserver.process import evidence, forensics, forking
from forkserver.process.children import Child
from forkserver.process.pool import Pool
from forkserver.process.scoreboard import InProgress
from forkserver.process.slowness import Requests, Slowness, Worker

if TYPE_CHECKING:
    from forkserver.log import ErrorLog

PACE = 1.0  # seconds between two looks where nothing is known to be due
SOON = 1.5  # seconds; somewhat longer than from one look to the next


class Trouble:
    """The master's second look at each worker."""

    def __init__(self, pool: Pool, log: ErrorLog) -> None:
        self.pool, self.log = pool, log
        self.slowness = Slowness(pool.evidence, lambda seat, request: pool.board.slots[seat].noted(request))
        self.asked: set[Worker] = set()  # for their stacks, as they may have to be killed at the next look
        self.due = 0.0  # when to look next

    def look(self, now: float) -> None:
        """Once a second, and when a request has become slow."""
        self.due = now + PACE
        living: dict[Worker, Requests] = {}
        for child in self.pool.children.by_seat.values():
            if child.pid and not child.killed:
                requests = self.pool.board.slots[child.seat].in_progress()
                if not self._ended(child, requests, now):
                    living[child.seat, child.pid] = requests
        if current := self.pool.current:
            slow = self.slowness.look(living, now, current.config.log.slow_after, current.logs.slow)
            self.due = min(self.due, slow)
        self._ask_in_time(living, now)

    def _ask_in_time(self, living: Mapping[Worker, Requests], now: float) -> None:
        """Have workers that may be killed at the next look write down what they are doing, for the record of it."""
        before, self.asked = self.asked, set()
        for worker, requests in living.items():
            seat, pid = worker
            soon = any(0 < request.deadline < now + SOON for request in requests)
            if worker not in self.slowness.asked and (notes := self.pool.evidence.notes.get(seat)):
                if worker in before:
                    notes.fresh()  # it went well, or is asked again
                if soon:
                    evidence.ask(pid)
            if soon:
                self.asked.add(worker)

    def _ended(self, child: Child, requests: tuple[InProgress, ...], now: float) -> bool:
        """Whether a request was past its limit, and its worker killed for it: not before it was asked for its stack."""
        late = next((request for request in requests if 0 < request.deadline < now), None)
        if late is None or (child.seat in self.pool.evidence.notes and (child.seat, child.pid) not in self.asked):
            return False
        child.killed = True
        others = [forensics.serving(request, now) for request in requests if request is not late]
        words = f"worker {child.seat} (pid {child.pid}) did not answer in time: {late.line!r}: killed"
        self.log.warning("\n".join((words, *others)), lines=True)
        forking.kill(child.pid)
        return True
