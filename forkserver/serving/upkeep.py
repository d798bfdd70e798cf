"""What a worker does once a second, and how it leaves: limits of time are kept, orders obeyed.

Knows when something is due, and what is to be closed; knows nothing of how the loop learns of events.
"""

from __future__ import annotations

from collections.abc import Callable

from forkserver.config.options import Limits
from forkserver.serving.connection import Connection, State
from forkserver.serving.connections import Connections
from forkserver.serving.conversation import Conversations
from forkserver.serving.leaving import Leaving
from forkserver.serving.outside import Orders
from forkserver.serving.patience import overdue
from forkserver.serving.tenure import Tenure

SWEEP = 1.0  # seconds between looks at time limits
HURRY = 0.1  # seconds between them while leaving


class Upkeep:
    """One worker's; `done` once there is nothing left to do, for good."""

    def __init__(
        self,
        *,
        connections: Connections,
        talk: Conversations,
        tenure: Tenure,
        orders: Orders,
        limits: Limits,
        read: Callable[[Connection], None],
    ) -> None:
        """`read` does what a connection's state is for, as if its socket were ready."""
        self.connections, self.talk, self.tenure = connections, talk, tenure
        self.orders, self.limits, self.read = orders, limits, read
        self.clock, self.delivery, self.calls = talk.clock, talk.delivery, talk.calls
        self.due = 0.0  # when the next sweep is
        self.leaving: Leaving | None = None
        self.done = False

    def sweep(self) -> None:
        """End what has had its time."""
        now = self.clock.now
        self.due = now + (HURRY if self.leaving else SWEEP)
        for connection in self.connections.all():
            if overdue(connection, now, self.limits):
                self.read(connection)  # it may have come in time, and we were busy
                if why := overdue(connection, now, self.limits):
                    self._expire(connection, why)
        if self.calls:
            self.calls.sweep()
        if self.leaving:
            self._dismiss(self.leaving)
        elif not self.connections.doors.open:
            self.connections.open_doors()
        self.tenure.look()
        self.delivery.ledger.write()

    def _expire(self, connection: Connection, why: str) -> None:
        """Tell the peer if it began something and can still be told (RFC 9110 section 15.5.9)."""
        head_begun = connection.state is State.READING and connection.buffer.strip(b"\r\n")
        if head_begun or connection.state is State.BODY:
            self.talk.refuse(connection, 408, why, connection.head)
            self.connections.watch(connection)
        else:
            self.delivery.abort(connection, why)

    def obey(self) -> None:
        """Carry out what was ordered."""
        for order in self.orders.read():
            if order == "quit":
                self.done = True
                return
            if self.leaving is None:
                self._leave(stopping=order == "stop")
            else:
                self.leaving.stopping = self.leaving.stopping or order == "stop"

    def _leave(self, *, stopping: bool) -> None:
        """Accept no more, and make every reply from now on the last of its connection."""
        self.leaving = Leaving(self.clock.now, self.limits.graceful_timeout, stopping)
        self.delivery.leaving = True
        self.tenure.end()
        self.delivery.replies.forget()
        self.connections.leave()
        self.orders.leaving()
        self.due = self.clock.now

    def _dismiss(self, leaving: Leaving) -> None:
        """Close where nobody waits for an answer; a last read finds what has arrived already.  Go when all are gone."""
        now = self.clock.now
        for connection in self.connections.all():
            if leaving.may_close(connection, now):
                self.read(connection)
                if leaving.may_close(connection, now):
                    self.connections.close(connection)
            elif leaving.over(now):
                self.delivery.abort(connection, "did not finish in time")
        unfinished = self.calls is not None and self.calls.crew.unfinished and not leaving.over(now)
        self.done = self.done or not (self.connections.by_descriptor or unfinished)
