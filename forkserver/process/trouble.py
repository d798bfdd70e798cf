"""Workers that are in trouble and do not say so: what the master finds when it looks at the scoreboard once a second.

Knows how long a request may take; knows nothing of how a death is reported (`forensics.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forkserver.process import forensics, forking
from forkserver.process.children import Child
from forkserver.process.pool import Pool
from forkserver.process.scoreboard import Seat

if TYPE_CHECKING:
    from forkserver.log import ErrorLog


class Trouble:
    """The master's second look at each worker."""

    def __init__(self, pool: Pool, log: ErrorLog) -> None:
        self.pool, self.log = pool, log

    def look(self, now: float) -> None:
        """Once a second."""
        for child in self.pool.children.by_seat.values():
            if child.pid and not child.killed:
                self._look_at(child, self.pool.read(child.seat), now)

    def _look_at(self, child: Child, reading: Seat, now: float) -> None:
        late = next((request for request in reading.in_progress if 0 < request.deadline < now), None)
        if late is None:
            return
        child.killed = True
        others = [forensics.serving(request, now) for request in reading.in_progress if request is not late]
        words = f"worker {child.seat} (pid {child.pid}) did not answer in time: {late.line!r}: killed"
        self.log.warning("\n".join((words, *others)), lines=True)
        forking.kill(child.pid)
