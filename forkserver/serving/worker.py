"""One worker: an epoll loop and what becomes of its connections.

`serve` is the hot path: one function from a readable socket to an answered request.  What was not answered lately goes
through `conversation.py`.  Knows sockets and time; knows of other processes only what it was handed: orders to hear,
and a place to write its figures to.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from forkserver.config.options import Limits
from forkserver.http.trust import NOBODY, Trust
from forkserver.log.format import AccessFormat
from forkserver.serving.calls import Calls
from forkserver.serving.clock import Clock
from forkserver.serving.connection import Connection, State
from forkserver.serving.connections import READABLE, Connections
from forkserver.serving.conversation import Conversations
from forkserver.serving.crew import Crew
from forkserver.serving.delivery import Delivery
from forkserver.serving.ledger import Ledger
from forkserver.serving.outside import Figures, Orders
from forkserver.serving.replies import Ready
from forkserver.serving.routing import Site
from forkserver.serving.tenure import Tenure
from forkserver.serving.upkeep import Upkeep
from forkserver.serving.watch import Watch

if TYPE_CHECKING:
    from forkserver.log import ErrorLog, LineWriter

RECV = 65536  # bytes for one call
EVENTS = 256  # for one turn of the loop
BATCH = 256  # log lines that are written even when there is no time to sleep


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
        threads: int = 1,
        slow: ErrorLog | None = None,
        slow_after: float = 0.0,
        trust: Trust = NOBODY,
        proxied: Collection[socket.socket] = (),
    ) -> None:
        """`server` is the value of the Server field, "" for none; without `access` no access log is written.

        `proxied` are those of the listeners where connections begin with the PROXY protocol.
        Calls that take longer than `slow_after` seconds (0: any time) are told to `slow`.
        """
        self.limits, self.orders, self.figures, self.log = limits, orders, figures, log
        self.epoll = select.epoll()
        self.clock = Clock()
        self.ledger = Ledger(access, access_format)
        self.connections = Connections(
            epoll=self.epoll,
            listeners=listeners,
            limits=limits,
            clock=self.clock,
            clients=figures,
            log=log,
            trust=trust,
            proxied=proxied,
        )
        self.delivery = Delivery(
            clock=self.clock, ledger=self.ledger, log=log, server=server, close=self.connections.close
        )
        self.replies = self.delivery.replies
        self.tenure = Tenure(limits, orders, self.ledger, self.clock, log)
        self.calls: Calls | None = None
        if any(app.blocking for app in site.apps()):
            crew = Crew(threads, limits, figures)
            self.calls = Calls(
                crew=crew,
                watch=Watch(crew, limits, slow_after, slow),
                clock=self.clock,
                delivery=self.delivery,
                log=log,
                resume=self._resume,
                give_up=self.tenure.retire,
            )
        self.talk = Conversations(
            site=site,
            limits=limits,
            clock=self.clock,
            delivery=self.delivery,
            progress=figures.desk(0),
            log=log,
            calls=self.calls,
            trust=trust,
        )
        self.connections.turn_away = self.talk.turn_away
        self.talk.introduce = self.connections.introduce
        self.upkeep = Upkeep(
            connections=self.connections,
            talk=self.talk,
            tenure=self.tenure,
            orders=orders,
            limits=limits,
            read=lambda connection: _READY[connection.state](self, connection),
        )

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do, for good."""
        return self.upkeep.done

    # The loop.

    def run(self) -> None:
        """Serve until told to leave and everything is finished."""
        for descriptor in self.orders.descriptors():
            self.epoll.register(descriptor, READABLE)
        self.connections.open_doors()
        os.register_at_fork(after_in_child=self._let_go)
        self.orders.ready()
        if self.calls:
            self.epoll.register(self.calls.crew.bell, READABLE)
            self.calls.lead(self)
        else:
            while not self.done:
                self.turn()
        self.ledger.write()

    def _let_go(self) -> None:
        """In a process that an application has forked: what is ours must not be held open there."""
        self.connections.let_go()
        self.epoll.close()
        if self.calls:
            self.calls.crew.strayed = True

    def turn(self) -> None:
        """Sleep until something can be done, do it.  Log lines are written before a sleep, or when they are many."""
        ledger, connections = self.ledger, self.connections.by_descriptor
        events = self.epoll.poll(0 if ledger.lines else self._patience(), EVENTS)
        if not events and ledger.lines:
            ledger.write()
            events = self.epoll.poll(self._patience(), EVENTS)
        if self.clock.tick():
            self.replies.forget_lines()
        for descriptor, event in events:
            connection = connections.get(descriptor)
            if connection is None:
                self._elsewhere(descriptor)
            elif event == READABLE and connection.state is State.READING:
                self.serve(connection)
            else:
                _READY[connection.state](self, connection)
        if len(ledger.lines) >= BATCH:
            ledger.write()
        if self.clock.now >= self.upkeep.due:
            self.upkeep.sweep()
        if ledger.requests >= self.tenure.retirement.requests:
            self.tenure.look()
        if self.calls and self.calls.crew.full is not self.connections.busy:
            self.connections.leave_to_siblings(self.calls.crew.full)
        self.figures.count(len(connections), ledger.requests, ledger.sent)

    def _patience(self) -> float:
        """Seconds to sleep at most; with nobody to look after, as long as we are in office."""
        if not self.connections.by_descriptor and not self.upkeep.leaving and self.connections.doors.open:
            return self.tenure.patience(self.upkeep.due)
        return max(0.0, self.upkeep.due - self.clock.now)

    def serve(self, connection: Connection) -> None:  # noqa: C901, PLR0912 - one function on purpose, without hops
        """The hot path.  Read; if the very same bytes were answered lately and the answer is still true, send it."""
        try:
            data = connection.recv(RECV)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        ready = self.replies.memo.get(data)
        clock = self.clock
        if ready is not None and not connection.buffer and (ready.second == clock.second or self._renew(data, ready)):
            wire = ready.wire
            try:
                sent = connection.send(wire)
            except BlockingIOError:  # full before it took one byte
                sent = 0
            except OSError:
                self.connections.close(connection)
                return
            if sent != len(wire):
                self._half_sent(connection, ready, len(data), sent)
                return
            line = ready.lines.get(connection.peer)
            if line is None:
                self._note(connection, ready, len(data))
            else:
                ledger = self.ledger
                ledger.lines.append(line)
                ledger.requests += 1
                ledger.sent += sent
            if ready.keep:
                connection.since = clock.now
                connection.answered += 1
            else:
                self.connections.close(connection)
            return
        if not data:
            self._ended(connection)
            return
        if connection.buffer:
            connection.buffer += data
        else:
            connection.since = clock.now
            calls = self.calls
            if calls is not None and (known := calls.known.get(data)) and connection.passed is None:
                connection.head, connection.mount = known.head, known.mount
                connection.began, connection.received = clock.wall, len(data)
                calls.begin(connection, known, b"")
                if connection.state is not State.READING:
                    self.connections.watch(connection)
                return
            connection.buffer = data
        self.talk.advance(connection)
        self.connections.watch(connection)

    # Off the hot path: a ready reply that needs more than sending.

    def _renew(self, data: bytes, ready: Ready) -> bool:
        """A new second: is the reply still true?"""
        return self.replies.refresh(data, ready, self.clock.second, self.clock.date)

    def _note(self, connection: Connection, ready: Ready, received: int) -> None:
        """Log a ready reply for a peer that had none in this second."""
        connection.began, connection.received = self.clock.wall, received
        line = self.delivery.note(connection, ready.head, ready, len(ready.body), len(ready.wire))
        if self.ledger.format.repeatable:
            self.replies.note(ready, connection.peer, line)

    def _half_sent(self, connection: Connection, ready: Ready, received: int, sent: int) -> None:
        """The socket did not take a ready reply whole: the rest goes the long way."""
        connection.began, connection.received = self.clock.wall, received
        connection.reply = ready.reply(sent)
        connection.enter(State.WRITING, self.clock.now)
        connection.moved = sent
        self.connections.watch(connection)

    # What else may be ready.

    def _elsewhere(self, descriptor: int) -> None:
        """No connection: a listener or an order, or a connection that was closed in this very turn."""
        door = self.connections.doors.at(descriptor)
        if door is not None:
            self.connections.accept(door)
        elif descriptor in self.orders.descriptors():
            self.upkeep.obey()
        elif self.calls and descriptor == self.calls.crew.bell:
            self.calls.ring()

    def _resume(self, connection: Connection) -> None:
        """A reply has moved, without our socket's doing."""
        self.talk.advance(connection)
        self.connections.watch(connection)

    def _leave_alone(self, connection: Connection) -> None:
        """Running: whatever epoll has to tell can wait."""
        self.connections.unwatch(connection)

    def _more(self, connection: Connection) -> None:
        """Bytes of a body or of a proxy's greeting, or an error that reading them will tell."""
        data = self._received(connection)
        if data is None:
            return
        if not data:
            self._ended(connection)
            return
        connection.progress = self.clock.now
        connection.buffer += data
        self._resume(connection)

    def _received(self, connection: Connection) -> bytes | None:
        """What came; b"" for the end or a broken connection, None when nothing did."""
        try:
            return connection.recv(RECV)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _ended(self, connection: Connection) -> None:
        """The peer will send no more.  What it sent of a request is of no use to anybody."""
        self.delivery.abort(connection, "the client left")

    def _room(self, connection: Connection) -> None:
        """The socket takes more of a reply; afterwards a pipelined request may be waiting."""
        self.delivery.flush(connection)
        self._resume(connection)

    def _read_off(self, connection: Connection) -> None:
        """Lingering: whatever comes is thrown away until the peer has read our answer and closes."""
        if self._received(connection) == b"":
            self.connections.close(connection)


_READY: dict[State, Callable[[Worker, Connection], None]] = {
    State.GREETING: Worker._more,
    State.READING: Worker.serve,
    State.BODY: Worker._more,
    State.RUNNING: Worker._leave_alone,
    State.WRITING: Worker._room,
    State.LINGERING: Worker._read_off,
    State.CLOSED: lambda worker, connection: None,
}
