"""Slow requests that nobody logs: the master has their stack written down, and logs it.

A slow request is its worker's own to log.  It cannot while a call into C holds the interpreter's lock, and a worker
without a thread to spare does not look.  Knows when a step is due and what was done about it; how a stack comes here is
known to `evidence.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forkserver.log import LogFile, slow_log, slow_record
from forkserver.process import evidence, forensics
from forkserver.process.evidence import Evidence
from forkserver.process.scoreboard import InProgress

STEPS = (1, 2, 4)  # times `slow_after`, at each of which a slow request is logged
PATIENCE = 2.0  # seconds that a worker has to log a step itself
SILENT = "It wrote down no stack: it waits for the system, or does not take signals."

Worker = tuple[int, int]  # seat and pid
Requests = tuple[InProgress, ...]  # the longest first


@dataclass(frozen=True, slots=True)
class Asked:
    """A worker was asked for its stack because of these requests; the time is that of the asking."""

    step: int
    requests: Requests
    now: float


class Slowness:
    """The steps that the master has logged, and the answers that it waits for."""

    def __init__(self, notes: Evidence) -> None:
        self.evidence = notes
        self.asked: dict[Worker, Asked] = {}
        self.logged: dict[tuple[Worker, int, float], int] = {}  # steps, by worker, desk and begin of a request

    def look(self, living: Mapping[Worker, Requests], now: float, slow_after: float, file: LogFile) -> None:
        """Once a second: log the answers to the last look, then ask about what is due now; `slow_after` 0: never."""
        asked, self.asked = self.asked, {}
        for worker in asked.keys() & living.keys():
            self._log(worker, asked[worker], file)
        wanted = slow_after > 0 and file.descriptor >= 0
        logged, self.logged = self.logged, {}
        for worker, requests in living.items() if wanted else ():
            unlogged = []
            for request in requests:
                key = (worker, request.desk, request.began)
                done = max(request.steps, logged.get(key, 0))
                due = steps_due(now - request.began, slow_after)
                self.logged[key] = max(done, due)
                if due > done:
                    unlogged.append(request)
            if unlogged:
                self._ask(worker, tuple(unlogged), now, slow_after)

    def _ask(self, worker: Worker, requests: Requests, now: float, slow_after: float) -> None:
        seat, pid = worker
        if notes := self.evidence.notes.get(seat):
            notes.fresh()  # what was written before is about something else
            evidence.ask(pid)
            step = STEPS[steps_due(now - requests[0].began, slow_after) - 1]
            self.asked[worker] = Asked(step, requests, now)

    def _log(self, worker: Worker, asked: Asked, file: LogFile) -> None:
        seat, pid = worker
        longest, *others = asked.requests
        notes = self.evidence.notes.get(seat)
        stack = (notes.fresh() if notes else "") or SILENT
        text = slow_record(
            longest.line,
            longest.client,
            step=asked.step,
            running=asked.now - longest.began,
            worker=f"worker {seat} (pid {pid})",
            stack="\n".join((*(forensics.serving(one, asked.now) for one in others), stack)),
        )
        slow_log(file.destination, file.descriptor, role="master").warning(text, lines=True)


def steps_due(running: float, slow_after: float) -> int:
    """How many steps a worker should have logged by now for a request that has run for so many seconds."""
    return sum(running > step * slow_after + PATIENCE for step in STEPS)
