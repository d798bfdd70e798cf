"""wrk in the place of `visitors.py`: it asks without a pause, and counts in its own way what failed.

wrk does not look at what an answer says, nor does it tell on which connection one was lost: so the law is one of
counts.  Knows nothing of what happens to the server.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from .client import PeerError
from .ordeals import Server, Trial
from .peer import PATH
from .visitors import BODIES, PATIENCE

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trials.lua")
CONNECTIONS = 32
LONGEST = 600  # seconds after which wrk ends even if nobody tells it to
END = 10.0  # seconds it has for its report


@dataclass(frozen=True)
class Report:
    """What wrk counts.  Each request that failed is one error of one kind."""

    answered: int
    connect: int  # no connection came about
    read: int  # it was reset, or ended before the answer did
    write: int  # it was reset before the request was sent
    timeout: int
    status: int  # answers of 400 or more; none of fewer than that is anything but a 200 here

    @classmethod
    def parse(cls, text: str) -> Report:
        """From the RESULT line of trials.lua; PeerError without one."""
        _, told, result = text.rpartition("RESULT ")
        if not told:
            raise PeerError(f"wrk: {text.strip()[-200:]}")
        return cls(*map(int, result.split()))

    @property
    def lost(self) -> int:
        """Requests whose connection ended."""
        return self.read + self.write


@dataclass
class Pounding(Trial):
    """What wrk suffered."""

    report: Report = Report(0, 0, 0, 0, 0, 0)
    named: int = 0  # requests in progress, as the server's records of its killed workers have them

    def breaches(self) -> list[str]:
        report = self.report
        found = super().breaches()
        for count, what in (
            (report.connect, "connections were refused"),
            (report.timeout, "requests were not answered in time"),
            (report.status, "answers were no 200"),
        ):
            if count:
                found.append(f"{self.what}: {count} {what}")
        for count, what in ((report.lost, "connections ended"), (self.named, "requests are in the crash records")):
            if count > self.in_hand:
                found.append(f"{self.what}: {count} {what}, but {self.in_hand} connections were in hand")
        if not report.answered:
            found.append(f"{self.what}: nothing was answered")
        return found

    def figures(self) -> tuple[int, ...]:
        report = self.report
        errors = (report.connect, report.read, report.write, report.timeout, report.status)
        return self.events, report.answered, *errors, self.in_hand, self.named


HEADING = """| wrk | times | answered | connect | read | write | timeout | not 2xx | connections in hand | in records |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def pound(what: str, server: Server, ordeal: Callable[[Trial], int]) -> Pounding:
    """Carry an ordeal out while wrk asks."""
    trial = Pounding(what)
    command = [
        *(str(shutil.which("wrk", path=PATH)), "-t1", f"-c{CONNECTIONS}", f"-d{LONGEST}s"),
        *("--timeout", f"{PATIENCE:.0f}s", "-s", SCRIPT, f"http://127.0.0.1:{server.port}/", "--", *BODIES),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as wrk:
        try:
            trial.events = ordeal(trial)
            wrk.send_signal(signal.SIGINT)  # it ends, and reports
            trial.report = Report.parse(wrk.communicate(timeout=END)[0])
        finally:
            wrk.kill()
    return trial
