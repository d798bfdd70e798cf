"""One worker: an epoll loop and what becomes of its connections.

`serve` is the hot path: one function from a readable socket to an answered request.  What was not answered lately goes
through `conversation.py`.  Knows sockets and time; what it is made of is put together in `parts.py`.  Knows of other
processes only what it was handed: orders to hear, and a place to write its figures to.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from forkserver.serving.connection import Connection, State
from forkserver.serving.connections import READABLE
from forkserver.serving.parts import Parts
from forkserver.serving.replies import Ready

BROKEN = select.EPOLLHUP | select.EPOLLERR
RECV = 65536  # bytes for one call
EVENTS = 256  # for one turn of the loop
BATCH = 256  # log lines that are written even when there is no time to sleep


class Worker(Parts):
    """The parts of one worker at work."""

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
        self.hosting.open()
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
        self.hosting.let_go()
        self.epoll.close()
        if self.calls:
            self.calls.crew.strayed = True

    def turn(self) -> None:  # noqa: C901 - every turn, without hops
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
            elif connection.state is State.RUNNING:
                self._meanwhile(connection, event)
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
        self.figures.count(len(connections) + self.hosting.count, ledger.requests, ledger.sent)

    def _patience(self) -> float:
        """Seconds to sleep at most; with nobody to look after, as long as we are in office."""
        crowded = self.calls is not None and self.calls.crew.surplus > 0
        visited = self.connections.by_descriptor or not self.hosting.rests
        if crowded or visited or self.upkeep.leaving or not self.connections.doors.open:
            return max(0.0, self.upkeep.due - self.clock.now)
        return self.tenure.patience(self.upkeep.due)

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
        self.delivery.half_sent(connection, ready.reply(sent), sent)
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
        else:
            self.hosting.ready(descriptor)

    def _resume(self, connection: Connection) -> None:
        """A reply has moved, without our socket's doing."""
        self.talk.advance(connection)
        self.connections.watch(connection)

    def read(self, connection: Connection) -> None:
        """Whatever its state is for, as if its socket were ready."""
        _READY[connection.state](self, connection)

    def _meanwhile(self, connection: Connection, event: int) -> None:
        """Running: who has left waits for no answer; whatever else epoll has to tell can wait."""
        if event & BROKEN or (event & select.EPOLLRDHUP and connection.leaves(self.clock.now)):
            self.delivery.drop(connection)
        else:
            self.connections.watch_end(connection)

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
    State.RUNNING: lambda worker, connection: None,
    State.WRITING: Worker._room,
    State.LINGERING: Worker._read_off,
    State.CLOSED: lambda worker, connection: None,
}
