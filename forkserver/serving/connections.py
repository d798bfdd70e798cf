"""The connections of one worker: let in, watched, counted and closed.

Knows who is here and how many may be; knows nothing of what is said.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from forkserver.config.options import Limits
from forkserver.serving.clock import Clock
from forkserver.serving.connection import INTEREST, Connection, State
from forkserver.serving.doors import Door, Doors

if TYPE_CHECKING:
    from forkserver.log import ErrorLog

READABLE = select.EPOLLIN


class Clients(Protocol):
    """Where the connections of one client to all workers are counted."""

    def hold(self, client: str, change: int) -> int: ...


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
        self.turn_away: Callable[[Connection], None] = Connection.close  # set by whoever can speak with clients

    def all(self) -> list[Connection]:
        """As they are now, so that some may be closed on the way."""
        return list(self.by_descriptor.values())

    def open_doors(self) -> None:
        """Listen, unless we are full."""
        self.doors.set_open(len(self.by_descriptor) < self.limits.connections)

    def accept(self, door: Door) -> None:
        """One connection a wake-up: the siblings are awake for the next."""
        try:
            accepted = door.accept()
        except OSError as error:
            self.log.warning(f"no more connections for now: {error.strerror}")
            self.doors.set_open(False)  # until one is closed or the next sweep: never spin
            return
        if accepted is None:
            return
        sock, peer, port = accepted
        connection = Connection(sock, peer, port, door.local, self.clock.now)
        if self.limits.connections_per_client and not self._welcome(connection):
            return
        self.by_descriptor[connection.descriptor] = connection
        self.epoll.register(connection.descriptor, READABLE)
        if len(self.by_descriptor) >= self.limits.connections:
            self.doors.set_open(False)

    def _welcome(self, connection: Connection) -> bool:
        """Whether this client may have one connection more."""
        if self.clients.hold(connection.peer, 1) > self.limits.connections_per_client:
            self.clients.hold(connection.peer, -1)
            self.turn_away(connection)
            return False
        connection.counted = True
        return True

    def watch(self, connection: Connection) -> None:
        """Have epoll watch for what the state wants."""
        if connection.state is State.CLOSED:
            return
        interest = INTEREST[connection.state]
        if interest != connection.interest:
            connection.interest = interest
            self.epoll.modify(connection.descriptor, interest)

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
            before = -1
            while before != len(self.by_descriptor):
                before = len(self.by_descriptor)
                self.accept(door)
        self.doors.close()
