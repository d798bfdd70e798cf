"""The connections of one worker: let in, watched, counted and closed.

Knows who is here and how many may be; knows nothing of what is said.
"""

from __future__ import annotations

import resource
import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from forkserver.config.options import Limits
from forkserver.http.request import Ends
from forkserver.serving.clock import Clock
from forkserver.serving.connection import INTEREST, Connection, State
from forkserver.serving.doors import Door, Doors
from forkserver.serving.outside import Clients

if TYPE_CHECKING:
    from forkserver.log import ErrorLog

READABLE = select.EPOLLIN
RESTED = 2.0  # seconds without a request, after which a client is hardly about to send the next


class Connections:
    """All of them, by descriptor, and the doors they come in by."""

    def __init__(
        self,
        *,
        epoll: select.epoll,
        listeners: list[socket.socket],
        limits: Limits,
        clock: Clock,
        clients: Clients,
        log: ErrorLog,
    ) -> None:
        self.epoll, self.limits, self.clock, self.clients, self.log = epoll, limits, clock, clients, log
        self.by_descriptor: dict[int, Connection] = {}
        self.doors = Doors(listeners, epoll)
        self.busy = False  # all threads are: the siblings' turn
        self.turn_away: Callable[[Connection], None] = self.close  # set by whoever can speak with clients
        # The applications need descriptors, too: for files, for databases.
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.room = max(1, min(limits.connections, files * 3 // 4))

    def all(self) -> list[Connection]:
        """As they are now, so that some may be closed on the way."""
        return list(self.by_descriptor.values())

    def open_doors(self) -> None:
        """Listen, unless we are full and everybody is busy."""
        self.doors.set_open(not self.busy and (len(self.by_descriptor) < self.room or self._resting() is not None))

    def leave_to_siblings(self, busy: bool) -> None:
        """While all our threads are busy new connections are for others."""
        self.busy = busy
        self.open_doors()

    def accept(self, door: Door) -> None:
        """One connection a wake-up: the siblings are awake for the next."""
        if len(self.by_descriptor) >= self.room:
            resting = self._resting()
            if resting is None:
                self.doors.set_open(False)
                return
            self.close(resting)
        self._take(door)

    def _resting(self) -> Connection | None:
        """Who has rested longest, and for a while: it goes first when others want in, so that nobody keeps them out."""
        before = self.clock.now - RESTED
        idle = (one for one in self.by_descriptor.values() if one.idle and one.since <= before)
        return min(idle, key=lambda one: one.since, default=None)

    def _take(self, door: Door) -> bool:
        """False when there is nobody to be let in."""
        try:
            accepted = door.accept()
        except OSError as error:
            self.log.warning(f"no more connections for now: {error.strerror}")
            self.doors.set_open(False)  # until one is closed or the next sweep: never spin
            return False
        if accepted is None:
            return False
        sock, peer = accepted
        connection = Connection(sock, Ends(peer, door.local), self.clock.now)
        self.by_descriptor[connection.descriptor] = connection
        self.epoll.register(connection.descriptor, READABLE)
        if self.limits.connections_per_client:
            self._count(connection)
        return True

    def _count(self, connection: Connection) -> None:
        """Count it among its client's, and turn it away when those are too many."""
        connection.counted = True
        if self.clients.hold(connection.peer, 1) > self.limits.connections_per_client:
            self.turn_away(connection)
            self.watch(connection)

    def watch(self, connection: Connection) -> None:
        """Have epoll watch for what the state wants."""
        if connection.state is State.CLOSED:
            return
        interest = INTEREST[connection.state]
        if interest == connection.interest or connection.state is State.RUNNING:  # most run for an instant only
            return
        if connection.interest:
            self.epoll.modify(connection.descriptor, interest)
        else:
            self.epoll.register(connection.descriptor, interest)
        connection.interest = interest

    def unwatch(self, connection: Connection) -> None:
        """Have epoll leave it alone until its state changes: it tells of what is of no interest now."""
        self.epoll.unregister(connection.descriptor)
        connection.interest = 0

    def close(self, connection: Connection) -> None:
        """Off the books, and gone."""
        if self.by_descriptor.pop(connection.descriptor, None) and connection.counted:
            self.clients.hold(connection.peer, -1)
        connection.close()
        if not self.doors.open:
            self.open_doors()

    def leave(self) -> None:
        """Take what the kernel had queued for us, then accept no more, for good."""
        for door in self.doors.all():
            while self._take(door):
                pass
        self.doors.close()
