"""Workers that are in trouble and do not say so: what the master finds when it looks at the scoreboard once a second.

Knows that a request past its limit ends its worker; slow requests are the matter of `slowness.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forkserver.process import evidence, forensics, forking
from forkserver.process.children import Child
from forkserver.process.pool import Pool
from forkserver.process.scoreboard import InProgress
from forkserver.process.slowness import Requests, Slowness, Worker

if TYPE_CHECKING:
    from forkserver.log import ErrorLog


SOON = 1.5  # seconds before its limit that a request is expected to miss it: more than from one look to the next


class Trouble:
    """The master's second look at each worker."""

    def __init__(self, pool: Pool, log: ErrorLog) -> None:
        self.pool, self.log = pool, log
        self.slowness = Slowness(pool.evidence)
        self.expected: set[Worker] = set()  # to miss a limit by this look: they were asked for their stack

    def look(self, now: float) -> None:
        """Once a second."""
        living: dict[Worker, Requests] = {}
        for child in self.pool.children.by_seat.values():
            if child.pid and not child.killed:
                requests = self.pool.board.slots[child.seat].in_progress()
                if not self._ended(child, requests, now):
                    living[child.seat, child.pid] = requests
        self._forget(living)
        if current := self.pool.current:
            self.slowness.look(living, now, current.config.log.slow_after, current.logs.slow)
        self._expect(living, now)

    def _forget(self, living: dict[Worker, Requests]) -> None:
        """The stacks of those that have kept their limits after all say nothing about how they will end."""
        for worker in self.expected & living.keys() - self.slowness.asked.keys():
            if notes := self.pool.evidence.notes.get(worker[0]):
                notes.fresh()
        self.expected.clear()

    def _expect(self, living: dict[Worker, Requests], now: float) -> None:
        """Have whoever is about to be killed write down what it is doing: the record of its end will have that."""
        for worker, requests in living.items():
            if any(0 < request.deadline < now + SOON for request in requests):
                self.expected.add(worker)
                if worker not in self.slowness.asked:
                    evidence.ask(worker[1])

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
