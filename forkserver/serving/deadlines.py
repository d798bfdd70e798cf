"""Until when each call of a crew may run: given, extended, stopped while the client is waited for, and kept.

Knows the time that a call has left and how its thread is told that there is none; when to look is known to `watch.py`,
and what else becomes of a call to `crew.py`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from forkserver.serving.roster import Roster
from forkserver.serving.timeout import RequestTimeout, raise_in, take_back

if TYPE_CHECKING:
    from forkserver.config.options import Limits
    from forkserver.serving.call import Call
    from forkserver.serving.outside import Figures

NEVER = float("inf")


class Deadlines(Roster):
    """A roster whose calls have their time; times are of the monotonic clock."""

    def __init__(self, threads: int, limits: Limits, figures: Figures) -> None:
        super().__init__(threads, limits, figures)
        self.call: Call | None = None  # what the leader runs itself
        self.leader_thread = 0  # its identifier

    def expire(self, call: Call) -> None:
        """It has had its time: tell the application, once, and have the client told."""
        with self.lock:
            if call.over or call.expired or not (self.call is call or self.running.get(call.member) is call):
                return
            if time.monotonic() < call.deadline:  # it has been given more in this very moment
                return
            call.expired = True
            call.thread = call.thread or self.leader_thread
            raise_in(call.thread, RequestTimeout)
        self.insist(call)

    def extended(self, call: Call, seconds: float) -> float:
        """See Request.extend; what has had its time gets no more."""
        now = time.monotonic()
        latest = call.began + max(self.limits.request_timeout, self.limits.request_timeout_max)
        wanted = min(now + seconds, latest)
        if seconds > 0 and wanted > call.deadline and not call.expired:
            self._set_deadline(call, wanted)
        return max(0.0, call.deadline - now)

    def _renew(self, call: Call, deadline: float) -> None:
        """From now on it has its time anew, or until `deadline` where that is later; not what has had its time."""
        call.renewed = now = time.monotonic()
        self._set_deadline(call, deadline if call.expired else max(deadline, now + self.limits.request_timeout))

    def _set_deadline(self, call: Call, deadline: float) -> None:
        call.deadline = deadline
        self.desk_of(call).extend(deadline + self.limits.kill_timeout)

    def _stop_clock(self, call: Call, *, aside: bool = False) -> float:
        """What comes now is not the application's time but the client's, which has limits of its own.

        Gives the deadline.  RequestTimeout when that is on its way: it comes now, or not before the clock goes again.
        """
        with self.lock:
            if call.expired:
                take_back(call.thread)
            deadline, call.deadline = call.deadline, NEVER
            if aside:
                self.call = None
        self.desk_of(call).extend(0.0)
        return deadline
