"""Which workers have no room for a further request, as far as that can be seen from outside.

A worker is busy while half of the calls that it may run at once are under way, or once it has used a CPU nearly to the
full since the last look: then its calls are quick, or their replies need no call at all, and still whatever comes next
waits for the interpreter.  Where CPUs are so short that no worker gets one, further workers would not help.

Knows desks of the scoreboard and the system's account of CPU time; knows nothing of what follows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

FULL = 0.8  # of a CPU's time
TICKS = os.sysconf("SC_CLK_TCK")  # a second


@dataclass(frozen=True, slots=True)
class Load:
    """What one worker has in hand."""

    seat: int
    pid: int
    requests: int  # in progress
    lasting: int  # of these: with a reply that goes on and on, which has a thread beside those for calls
    desks: int  # that it uses: a worker with a single one runs all calls in its loop, one by one

    def is_half(self, threads: int) -> bool:
        """Whether it runs half of the calls that it may, of which there are `threads` if it uses threads at all."""
        if self.desks <= 1:
            return self.requests > 0
        return 2 * (self.requests - self.lasting) >= threads


def cpu_time(pid: int) -> float:
    """Seconds of all CPUs that a process has used (utime and stime in proc(5)); 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            after = file.read(4096).rpartition(b")")[2].split()  # its name may hold anything
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(after[11]) + int(after[12])) / TICKS


@dataclass
class Occupation:
    """Look by look."""

    cpu_time: Callable[[int], float] = cpu_time
    _looked: float = 0.0
    _used: dict[int, float] = field(default_factory=dict)  # CPU time until then, by pid

    def busy(self, loads: Collection[Load], threads: int, now: float) -> set[int]:
        """The seats of those that are busy; `threads` is what each may run at once, `now` in seconds."""
        passed, before = now - self._looked, self._used
        self._looked, self._used = now, {load.pid: self.cpu_time(load.pid) for load in loads}
        return {load.seat for load in loads if load.is_half(threads) or self._share(load.pid, before, passed) >= FULL}

    def _share(self, pid: int, before: dict[int, float], passed: float) -> float:
        """How much of a CPU it has used lately; 0 when it was not there at the last look."""
        return (self._used[pid] - before[pid]) / passed if pid in before and passed > 0 else 0.0
