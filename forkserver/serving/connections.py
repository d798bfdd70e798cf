"""The connections of one worker: let in, watched, counted and closed.

Knows who is here and how many may be; knows nothing of what is said.
"""

from __future__ import annotations

import resource
import select
import socket
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from forkserver.config.options import Limits
from forkserver.http import proxyprotocol
from forkserver.http.request import BadRequest, Ends
from forkserver.http.trust import NOBODY, Trust
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
        trust: Trust = NOBODY,
        proxied: Collection[socket.socket] = (),
    ) -> None:
        """`proxied` are those of the listeners where connections begin with the PROXY protocol."""
        self.epoll, self.limits, self.clock, self.clients, self.log = epoll, limits, clock, clients, log
        self.trust = trust
        self.by_descriptor: dict[int, Connection] = {}
        self.doors = Doors(listeners, epoll, proxied)
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
        connection.believed = peer[0] in self.trust
        if door.proxied:
            if not connection.believed:
                self.log.info(f"{peer[0]}: may not speak for others here, as it is not among [server] trusted: closed")
                sock.close()
                return True
            connection.state = State.GREETING
        self.by_descriptor[connection.descriptor] = connection
        self.epoll.register(connection.descriptor, READABLE)
        if not door.proxied:
            self._count(connection)
        return True

    def introduce(self, connection: Connection) -> bool:
        """A proxy says whose connection this is.  False when it has not come to an end with that, or must go.

        One that is not whole is waited for; one that is none ends the connection without a word, as nobody can know
        whom the rest comes from.  Of a client that it cannot name nothing more is believed.
        """
        try:
            preamble = proxyprotocol.parse(connection.buffer)
        except BadRequest as error:
            self.log.info(f"{connection.peer}: {error.why}: closed")
            self.close(connection)
            return False
        if preamble is None:
            return False
        connection.buffer = connection.buffer[preamble.size :]
        if preamble.client and preamble.local:
            connection.introduce(Ends(preamble.client, preamble.local))
            connection.believed = connection.peer in self.trust
        elif preamble.relayed:
            connection.believed = False
        connection.enter(State.READING, self.clock.now)
        self._count(connection)
        return connection.state is State.READING

    def _count(self, connection: Connection) -> None:
        """Count it among its client's, and turn it away when those are too many; a trusted proxy is many clients."""
        if not self.limits.connections_per_client or connection.believed:
            return
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
        self._tell(connection, interest)

    def watch_end(self, connection: Connection) -> None:
        """Running: epoll tells only that the client leaves; once it has shut its side, only that it is gone."""
        self._tell(connection, 0 if connection.shut else INTEREST[State.RUNNING])

    def _tell(self, connection: Connection, interest: int) -> None:
        self.epoll.modify(connection.descriptor, interest)
        connection.interest = interest

    def close(self, connection: Connection) -> None:
        """Off the books, and gone."""
        if self.by_descriptor.pop(connection.descriptor, None) and connection.counted:
            self.clients.hold(connection.ends.peer[0], -1)
        connection.close()
        if not self.doors.open:
            self.open_doors()

    def let_go(self) -> None:
        """In a child of ours: close its copies, without a word to anybody."""
        for connection in self.by_descriptor.values():
            connection.socket.close()
        for door in self.doors.all():
            door.listener.close()

    def leave(self) -> None:
        """Take what the kernel had queued for us, then accept no more, for good."""
        for door in self.doors.all():
            while self._take(door):
                pass
        self.doors.close()
