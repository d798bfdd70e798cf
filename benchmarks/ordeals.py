"""What is done to a running forkserver while clients ask, what that costs them, and what it may cost.

The law: a reload and a retirement cost nobody anything, and what fails when a worker is killed was in the hands of
that worker.  To know what these are, a worker is stopped before it is killed, and the connections counted that it
holds.  Knows a port and a control socket; not how the server was started.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from forkserver.process.control import ControlClient

from .client import PeerError
from .diag import held
from .processes import GONE
from .visitors import FAILED, REFUSED, RETRIED, Loss, visiting

LIMIT = 60.0  # seconds for an answer of the control socket: a reload may take its time under load
STOPPED = 5.0  # seconds for all threads of a process to stop


@dataclass(frozen=True)
class Server:
    """A running forkserver."""

    port: int
    control: str  # the path of its control socket

    def ask(self, command: str) -> dict[str, Any]:
        with ControlClient(self.control, LIMIT) as line:
            return line.ask({"command": command})

    def crashes(self) -> int:
        """Workers that ended as none should, by the master's own count."""
        crashes: int = self.ask("status")["crashes"]
        return crashes

    def workers(self) -> list[int]:
        """The pids of the workers that are ready."""
        with ControlClient(self.control, LIMIT) as line:
            workers = line.ask({"command": "status"})["workers"]
        return [worker["pid"] for worker in workers if worker["state"] == "ready"]


@dataclass(frozen=True)
class Kill:
    """A worker that was killed, and the clients' ports of the connections that it held."""

    pid: int
    moment: float  # of the monotonic clock: after the worker had stopped, before it was killed
    ports: frozenset[int]

    def explains(self, loss: Loss) -> bool:
        """Whether it held the connection; the port alone would not do, as ports are used again."""
        return loss.port in self.ports and loss.begun <= self.moment <= loss.ended


@dataclass
class Trial:
    """What an ordeal was, whoever the clients are."""

    what: str
    events: int = 0
    kills: list[Kill] = field(default_factory=list)

    @property
    def in_hand(self) -> int:
        """Connections of all workers that were killed."""
        return sum(len(kill.ports) for kill in self.kills)

    def breaches(self) -> list[str]:
        """How the law was broken: a sentence for each."""
        return [] if self.events else [f"{self.what}: nothing happened"]

    def figures(self) -> tuple[int, ...]:
        """Of a line of the table."""
        raise NotImplementedError

    def row(self) -> str:
        """A line of the table."""
        return f"| {self.what} | {' | '.join(f'{figure:,}' for figure in self.figures())} |"


@dataclass
class Outcome(Trial):
    """What became of the visitors' requests."""

    answered: int = 0
    losses: list[Loss] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        return Counter(loss.fate for loss in self.losses)

    def breaches(self) -> list[str]:
        found = [f"{self.what}: {loss.fate}: {loss.why}" for loss in self.losses if not self.lawful(loss)]
        found += super().breaches()
        if not self.answered:
            found.append(f"{self.what}: nothing was answered")
        return found

    def lawful(self, loss: Loss) -> bool:
        if self.kills and loss.fate != REFUSED:
            return any(kill.explains(loss) for kill in self.kills)
        return loss.fate == RETRIED

    def figures(self) -> tuple[int, ...]:
        counts = self.counts
        return self.events, self.answered, counts[REFUSED], counts[FAILED], counts[RETRIED], self.in_hand


HEADING = """| | times | answered | refused | failed | retried | connections in hand |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |"""


def suffer(what: str, server: Server, ordeal: Callable[[Trial], int]) -> Outcome:
    """Carry an ordeal out while all visitors ask; it returns how many times it did what it does."""
    outcome = Outcome(what)
    with visiting(server.port) as visitors:
        outcome.events = ordeal(outcome)
    for visitor in visitors:
        outcome.answered += visitor.answered
        outcome.losses += visitor.losses
    return outcome


def reload(server: Server, times: int) -> int:
    """Reloads, each as soon as the one before is done; PeerError when one is refused."""
    for _ in range(times):
        if not (answer := server.ask("reload"))["ok"]:
            raise PeerError(f"a reload was refused: {answer}")
    return times


def kill(server: Server, trial: Trial, seconds: float, pause: float) -> int:
    """Every `pause` seconds, SIGKILL to a worker by chance; to none while none is ready.

    The master may call one ready whose end it has not heard of yet.  PeerError unless it counts all of them in time.
    """
    clock = threading.Event()  # never set
    end = time.monotonic() + seconds
    due = time.monotonic()
    while due < end:
        clock.wait(max(0.0, due - time.monotonic()))
        dead = {kill.pid for kill in trial.kills}
        if living := [pid for pid in server.workers() if pid not in dead]:
            trial.kills.append(kill_one(random.choice(living), server.port))
        due = max(due + pause, time.monotonic())
    while (crashes := server.crashes()) != len(trial.kills):
        if time.monotonic() > end + LIMIT:
            raise PeerError(f"the server counts {crashes} crashes where {len(trial.kills)} workers were killed")
        clock.wait(pause)
    return len(trial.kills)


def kill_one(pid: int, port: int) -> Kill:
    """Stop a worker, note what it has in hand, kill it."""
    os.kill(pid, signal.SIGSTOP)
    try:
        end = time.monotonic() + STOPPED
        while not stopped(pid):
            if time.monotonic() > end:
                raise PeerError(f"process {pid} does not stop")
        return Kill(pid, time.monotonic(), held(pid, port))
    finally:
        os.kill(pid, signal.SIGKILL)


def stopped(pid: int) -> bool:
    """Whether all threads have stopped: the last may be in the middle of accepting a connection."""
    folder = f"/proc/{pid}/task"
    for thread in os.listdir(folder):
        try:
            with open(f"{folder}/{thread}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] != "T":
                    return False
        except GONE:
            continue
    return True
