"""Slow requests that nobody logs: the master has their stack written down, and logs it.

A slow request is its worker's own to log.  It cannot while a call into C holds the interpreter's lock, and a worker
without a thread to spare does not look.  Knows when a step is due and what was done about it, and so when to look
again; how a stack comes here is known to `evidence.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from forkserver.log import LogFile, slow_log, slow_record
from forkserver.process import evidence, forensics
from forkserver.process.evidence import Evidence
from forkserver.process.scoreboard import InProgress

STEPS = (1, 2, 4)  # times `slow_after`, at each of which a slow request is logged
PATIENCE = 0.5  # seconds that a worker has to log a step itself: twice as long as one takes without a thread to spare
ANSWER = 0.2  # seconds that it has to write down its stack, or to log the step after all
NEVER = float("inf")
SILENT = "It wrote down no stack: it waits for the system, or does not take signals."

Worker = tuple[int, int]  # seat and pid
Requests = tuple[InProgress, ...]  # the longest first
Key = tuple[Worker, int, float]  # of a request: its worker, desk and begin


@dataclass(frozen=True, slots=True)
class Asked:
    """A worker was asked for its stack because of these requests; the time is that of the asking."""

    steps: dict[InProgress, int]  # that are due of each, the longest first
    now: float


class Slowness:
    """The steps that the master has logged, and the answers that it waits for."""

    def __init__(self, notes: Evidence, noted: Callable[[int, InProgress], int]) -> None:
        """`noted` tells how often the worker at a seat has logged a request by now."""
        self.evidence, self.noted = notes, noted
        self.asked: dict[Worker, Asked] = {}
        self.logged: dict[Key, int] = {}  # steps

    def look(self, living: Mapping[Worker, Requests], now: float, slow_after: float, file: LogFile) -> float:
        """Log the answers that are there, then ask about what is due now; `slow_after` 0: never.

        Gives when something will be due, as far as it is known by now.
        """
        self._hear(living, now, file)
        if slow_after <= 0 or file.descriptor < 0:
            return NEVER
        there = {_key(worker, request) for worker, requests in living.items() for request in requests}
        self.logged = {key: steps for key, steps in self.logged.items() if key in there}
        return min((self._look_at(*one, now, slow_after) for one in living.items()), default=NEVER)

    def _look_at(self, worker: Worker, requests: Requests, now: float, slow_after: float) -> float:
        if worker not in self.asked:
            due = {request: steps_due(now - request.began, slow_after) for request in requests}
            unlogged = {request: steps for request, steps in due.items() if steps > self._done(worker, request)}
            self.logged.update({_key(worker, request): steps for request, steps in unlogged.items()})
            if unlogged:
                self._ask(worker, Asked(unlogged, now))
        if worker in self.asked:
            return self.asked[worker].now + ANSWER
        done = [(request.began, self._done(worker, request)) for request in requests]
        return min(
            (began + STEPS[steps] * slow_after + PATIENCE for began, steps in done if steps < len(STEPS)), default=NEVER
        )

    def _done(self, worker: Worker, request: InProgress) -> int:
        """How many of its steps were logged, by its worker or here."""
        return max(request.steps, self.logged.get(_key(worker, request), 0))

    def _ask(self, worker: Worker, asked: Asked) -> None:
        seat, pid = worker
        if notes := self.evidence.notes.get(seat):
            notes.fresh()  # what was written before is about something else
            evidence.ask(pid)
            self.asked[worker] = asked

    def _hear(self, living: Mapping[Worker, Requests], now: float, file: LogFile) -> None:
        """Log what those wrote down who have had the time; the death of one is reported, with what it wrote."""
        before, self.asked = self.asked, {}
        for worker, asked in before.items():
            if worker in living and now < asked.now + ANSWER:
                self.asked[worker] = asked
            elif worker in living:
                self._log(worker, asked, file)

    def _log(self, worker: Worker, asked: Asked, file: LogFile) -> None:
        seat, pid = worker
        unlogged = [request for request, steps in asked.steps.items() if self.noted(seat, request) < steps]
        if not unlogged:  # the worker was late, but it has spoken
            return
        longest, *others = unlogged
        notes = self.evidence.notes.get(seat)
        stack = (notes.fresh() if notes else "") or SILENT
        text = slow_record(
            longest.line,
            longest.client,
            step=STEPS[asked.steps[longest] - 1],
            running=asked.now - longest.began,
            worker=f"worker {seat} (pid {pid})",
            stack="\n".join((*(forensics.serving(one, asked.now) for one in others), stack)),
        )
        slow_log(file.destination, file.descriptor, role="master").warning(text, lines=True)


def _key(worker: Worker, request: InProgress) -> Key:
    return worker, request.desk, request.began


def steps_due(running: float, slow_after: float) -> int:
    """How many steps a worker should have logged by now for a request that has run for so many seconds."""
    return sum(running >= step * slow_after + PATIENCE for step in STEPS)
