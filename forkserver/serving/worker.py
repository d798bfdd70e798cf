"""One worker: an epoll loop and its connections.

`serve` is the hot path: one function from a readable socket to an answered request.  What was not answered lately goes
through `conversation.py`.  Knows sockets and time; knows of other processes only what it was handed: orders to hear,
and a place to write its figures to.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from forkserver.config.options import Limits
from forkserver.log.format import AccessFormat
from forkserver.serving.clock import Clock
from forkserver.serving.connection import INTEREST, Connection, State
from forkserver.serving.conversation import Conversations, Progress
from forkserver.serving.doors import Door, Doors
from forkserver.serving.ledger import Ledger
from forkserver.serving.replies import PEERS, Ready
from forkserver.serving.routing import Site

if TYPE_CHECKING:
    from forkserver.log import ErrorLog, LineWriter

RECV = 65536  # bytes for one call
EVENTS = 256  # for one turn of the loop
BATCH = 256  # log lines that are written even when there is no time to sleep
SWEEP = 1.0  # seconds between looks at time limits
READABLE = select.EPOLLIN

RESTED = 2.0  # seconds without a request after which a leaving worker closes a connection for a sibling to take over
SILENT = 1.0  # seconds that a stopping worker gives a new connection to say something
HURRY = 0.1  # seconds between looks at connections while leaving
MARGIN = 0.5  # seconds before the master's limit at which a leaving worker goes of its own accord


class Orders(Protocol):
    """The line to whoever is in charge."""

    def descriptors(self) -> tuple[int, ...]: ...

    def read(self) -> list[str]: ...

    def ready(self) -> None: ...

    def leaving(self) -> None: ...


class Figures(Progress, Protocol):
    """The place for our figures."""

    def count(self, connections: int, requests: int, sent: int) -> None: ...

    def hold(self, client: str, change: int) -> int: ...


class Worker:
    """Everything one worker process has."""

    def __init__(
        self,
        *,
        site: Site,
        limits: Limits,
        listeners: list[socket.socket],
        orders: Orders,
        figures: Figures,
        log: ErrorLog,
        access: LineWriter | None,
        access_format: AccessFormat,
        server: str,
    ) -> None:
        self.site, self.limits, self.orders, self.figures, self.log = site, limits, orders, figures, log
        self.clock = Clock()
        self.ledger = Ledger(access, access_format)
        self.talk = Conversations(
            site=site,
            limits=limits,
            clock=self.clock,
            ledger=self.ledger,
            progress=figures,
            log=log,
            server=server,
        )
        self.talk.close = self.close  # type: ignore[method-assign]  # the books of connections are kept here
        self.replies = self.talk.replies
        self.connections: dict[int, Connection] = {}
        self.epoll = select.epoll()
        self.doors = Doors(listeners, self.epoll)
        self.watched: dict[int, Callable[[], None]] = dict.fromkeys(orders.descriptors(), self._obey)
        for descriptor in self.watched:
            self.epoll.register(descriptor, READABLE)
        self.next_sweep = 0.0
        self.leaving = False
        self.stopping = False  # leaving, and nobody takes over
        self.leave_by = float("inf")
        self.rested_since = 0.0  # nobody is said to have rested before we began to leave
        self.done = False

    # The loop.

    def run(self) -> None:
        """Serve until told to leave and everything is finished."""
        self.doors.set_open(True)
        self.orders.ready()
        while not self.done:
            self._turn()
        self.ledger.write()

    def _turn(self) -> None:
        """Sleep until something can be done, do it.  Log lines are written before a sleep, or when they are many."""
        ledger, connections = self.ledger, self.connections
        events = self.epoll.poll(0 if ledger.lines else self._patience(), EVENTS)
        if not events and ledger.lines:
            ledger.write()
            events = self.epoll.poll(self._patience(), EVENTS)
        self.clock.tick()
        for descriptor, event in events:
            connection = connections.get(descriptor)
            if connection is None:
                self._elsewhere(descriptor)
            elif event == READABLE and connection.state == State.READING:
                self.serve(connection)
            else:
                _READY[connection.state](self, connection)
        if len(ledger.lines) >= BATCH:
            ledger.write()
        self.figures.count(len(connections), ledger.requests, ledger.sent)
        if self.clock.now >= self.next_sweep:
            self._sweep()

    def _patience(self) -> float:
        """Seconds to sleep at most; with nothing to look after, for ever."""
        if not self.connections and not self.leaving and self.doors.open:
            return -1
        return max(0.0, self.next_sweep - self.clock.now)

    def serve(self, connection: Connection) -> None:
        """The hot path.  Read; if the very same bytes were answered lately and the answer is still true, send it."""
        try:
            data = connection.recv(RECV)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        ready = self.replies.memo.young.get(data)
        clock = self.clock
        if ready is not None and not connection.buffer and (ready.second == clock.second or self._renew(data, ready)):
            wire = ready.wire
            try:
                sent = connection.send(wire)
            except OSError as error:  # full before it took one byte, or gone
                self._unsent(connection, error, data)
                return
            if sent != len(wire):
                self._half_sent(connection, ready, sent, len(data))
                return
            line = ready.lines.get(connection.peer)
            if line is None:
                self._note(connection, ready, len(data))
            else:
                ledger = self.ledger
                ledger.lines.append(line)
                ledger.requests += 1
                ledger.sent += sent
            connection.since = clock.now
            connection.answered += 1
            return
        if not data:
            self._ended(connection)
            return
        if not connection.buffer:
            connection.buffer = data
            connection.since = clock.now
        else:
            connection.buffer += data
        self.talk.advance(connection)
        self._watch(connection)

    # What is off the hot path.

    def _renew(self, data: bytes, ready: Ready) -> bool:
        """A new second: is the reply still true?"""
        return self.replies.refresh(data, ready, self.clock.second, self.clock.date)

    def _note(self, connection: Connection, ready: Ready, received: int) -> None:
        """Log a ready reply for a peer that had none in this second."""
        connection.began, connection.received = self.clock.wall, received
        connection.moved = len(ready.wire)
        line = self.talk.enter_log(connection, ready.reply(0))
        if self.ledger.format.repeatable and len(ready.lines) < PEERS and line:
            ready.lines[connection.peer] = line

    def _unsent(self, connection: Connection, error: OSError, data: bytes) -> None:
        if isinstance(error, BlockingIOError):
            self._half_sent(connection, self.replies.memo.young[data], 0, len(data))
        else:
            self.close(connection)

    def _half_sent(self, connection: Connection, ready: Ready, sent: int, received: int) -> None:
        """The socket did not take a ready reply whole: the rest goes the long way."""
        connection.began, connection.received = self.clock.wall, received
        connection.reply = ready.reply(sent)
        connection.enter(State.WRITING, self.clock.now)
        connection.moved = sent
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        """Have epoll watch for what the state wants."""
        if connection.state is State.CLOSED:
            return
        interest = INTEREST[connection.state]
        if interest != connection.interest:
            connection.interest = interest
            self.epoll.modify(connection.descriptor, interest)

    def _elsewhere(self, descriptor: int) -> None:
        """Readable, and no connection: a listener or an order, or a connection closed in this very turn."""
        door = self.doors.doors.get(descriptor)
        if door is not None:
            self._accept(door)
        elif descriptor in self.watched:
            self.watched[descriptor]()

    def _accept(self, door: Door) -> None:
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
        self.connections[connection.descriptor] = connection
        self.epoll.register(connection.descriptor, READABLE)
        if len(self.connections) >= self.limits.connections:
            self.doors.set_open(False)

    def _welcome(self, connection: Connection) -> bool:
        """Whether this client may have one connection more; over all workers, so that none lets it in."""
        if self.figures.hold(connection.peer, 1) > self.limits.connections_per_client:
            self.figures.hold(connection.peer, -1)
            self.talk.turn_away(connection)
            return False
        connection.counted = True
        return True

    def close(self, connection: Connection) -> None:
        """Off the books, and gone."""
        if self.connections.pop(connection.descriptor, None) and connection.counted:
            self.figures.hold(connection.peer, -1)
        connection.close()
        if not self.doors.open and not self.leaving:
            self.doors.set_open(len(self.connections) < self.limits.connections)

    # Readiness by state, but for the hot path's.

    def _ended(self, connection: Connection) -> None:
        """The peer will send no more.  What it sent of a request is of no use to anybody."""
        self.talk.abort(connection, "the client left")

    def _more(self, connection: Connection) -> None:
        """Bytes of a head or of a body, or an error that reading them will tell."""
        if connection.state is State.READING:
            self.serve(connection)
            return
        try:
            data = connection.recv(RECV)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended(connection)
            return
        connection.progress = self.clock.now
        connection.buffer += data
        self.talk.advance(connection)
        self._watch(connection)

    def _room(self, connection: Connection) -> None:
        """The socket takes more of a reply; afterwards a pipelined request may be waiting."""
        self.talk.flush(connection)
        self.talk.advance(connection)
        self._watch(connection)

    def _read_off(self, connection: Connection) -> None:
        """Lingering: whatever comes is thrown away until the peer has read our answer and closes."""
        try:
            if connection.recv(RECV):
                return
        except BlockingIOError:
            return
        except OSError:  # reset: it did not want to know
            pass
        self.close(connection)

    # Once a second.

    def _sweep(self) -> None:
        """End what has had its time."""
        now, limits = self.clock.now, self.limits
        self.next_sweep = now + (HURRY if self.leaving else SWEEP)
        for connection in list(self.connections.values()):
            if why := connection.overdue(now, limits):
                self._expire(connection, why)
        if self.leaving:
            self._dismiss(now)
        elif not self.doors.open:
            self.doors.set_open(len(self.connections) < limits.connections)
        self.ledger.write()

    def _expire(self, connection: Connection, why: str) -> None:
        """Tell the peer if it began something and can still be told (RFC 9110 section 15.5.9)."""
        began = connection.buffer if connection.state is State.READING else connection.state is State.BODY
        if began:
            self.talk.refuse(connection, 408, why, connection.head)
            self._watch(connection)
        else:
            self.talk.abort(connection, why)

    # Leaving.

    def _obey(self) -> None:
        for order in self.orders.read():
            if order == "quit":
                self.done = True
            else:
                self._leave(stopping=order == "stop")

    def _leave(self, *, stopping: bool) -> None:
        """Take what the kernel had queued for us, accept no more, finish what there is."""
        self.stopping = self.stopping or stopping
        if self.leaving:
            return
        self.leaving = self.talk.leaving = True
        self.replies.forget()
        self.leave_by = self.clock.now + max(0.0, self.limits.graceful_timeout - MARGIN)
        self.rested_since = self.clock.now
        for door in list(self.doors.doors.values()):
            self._empty(door)
        self.doors.close()
        self.orders.leaving()
        self.next_sweep = self.clock.now
        self.done = not self.connections

    def _empty(self, door: Door) -> None:
        before = -1
        while before != len(self.connections):
            before = len(self.connections)
            self._accept(door)

    def _dismiss(self, now: float) -> None:
        """While leaving, close what rests, as nobody waits for an answer there; go when nothing is left.

        A resting client may be about to send: with siblings to go to it is given a little time, since a request that
        crosses with our close would be lost.  A last read finds what has arrived already.
        """
        patience = 0.0 if self.stopping else RESTED
        for connection in list(self.connections.values()):
            if connection.idle and now - max(connection.since, self.rested_since) >= patience:
                self.serve(connection)
                if connection.idle:
                    self.close(connection)
            elif self.stopping and connection.silent and now - connection.since >= SILENT:
                self.close(connection)
        if now >= self.leave_by:
            for connection in list(self.connections.values()):
                self.talk.abort(connection, "did not finish in time")
        self.done = not self.connections


_READY: dict[State, Callable[[Worker, Connection], None]] = {
    State.READING: Worker._more,
    State.BODY: Worker._more,
    State.WRITING: Worker._room,
    State.LINGERING: Worker._read_off,
    State.CLOSED: lambda worker, connection: None,
}
