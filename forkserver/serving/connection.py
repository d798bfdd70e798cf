"""One accepted socket: its state and its buffers.

The only owner of its descriptor.  Knows the states; how long they may last is known to `patience.py`, and what is said
on it, to `conversation.py`.
"""

from __future__ import annotations

import enum
import fcntl
import os
import select
import socket
import struct
import termios
from typing import TYPE_CHECKING

from forkserver.http.request import Ends
from forkserver.http.response import FileSlice
from forkserver.serving.reply import Reply

if TYPE_CHECKING:
    from forkserver.http.forwarded import Passed
    from forkserver.http.request import Head
    from forkserver.serving.call import Call
    from forkserver.serving.routing import Mount
    from forkserver.serving.spool import Spool

MORE = socket.MSG_MORE
PORTION = 1 << 20  # bytes of a file for one call
TOGETHER = 1.0  # seconds after a request in which the end of what its client sends belongs to it
TURN = 4 << 20  # bytes for one connection before others have their turn


class State(enum.IntEnum):
    """The life of a socket; the comment says what may follow."""

    GREETING = 0  # a proxy has to say whose connection this is → READING, WRITING, CLOSED
    READING = 1  # for a head, or resting between two requests → BODY, RUNNING, WRITING, CLOSED
    BODY = 2  # a body comes in → RUNNING, WRITING, CLOSED
    RUNNING = 3  # an application has the floor, and nothing is there to be sent → WRITING, CLOSED
    WRITING = 4  # a reply goes out → RUNNING, READING, LINGERING, CLOSED
    LINGERING = 5  # half-closed, reading off what still comes (RFC 9112 section 9.6) → CLOSED
    CLOSED = 6


class Flushed(enum.Enum):
    """How far sending got."""

    DONE = enum.auto()
    FULL = enum.auto()  # the socket takes no more for now
    STARVED = enum.auto()  # there is no more for now


INTEREST = {  # what epoll watches for
    State.GREETING: select.EPOLLIN,
    State.READING: select.EPOLLIN,
    State.BODY: select.EPOLLIN,
    State.RUNNING: select.EPOLLRDHUP,
    State.WRITING: select.EPOLLOUT,
    State.LINGERING: select.EPOLLIN,
}


class Connection:
    """One client's socket.  Times are seconds of the monotonic clock, but for `began`, which is since the epoch."""

    __slots__ = (
        "answered",
        "began",
        "believed",
        "buffer",
        "call",
        "counted",
        "descriptor",
        "ends",
        "head",
        "interest",
        "mount",
        "moved",
        "passed",
        "paused",
        "peer",
        "progress",
        "received",
        "recv",
        "reply",
        "send",
        "shut",
        "since",
        "socket",
        "spool",
        "state",
        "taken",
    )

    def __init__(self, accepted: socket.socket, ends: Ends, now: float) -> None:
        self.socket = accepted
        self.descriptor = accepted.fileno()
        self.recv = accepted.recv
        self.send = accepted.send
        self.ends = ends
        self.peer = ends.peer[0]  # while a request is in hand, the address of whom a trusted proxy names
        self.believed = False  # when it says for whom it speaks
        self.counted = False  # among its client's connections
        self.state = State.READING
        self.interest = select.EPOLLIN  # as epoll knows it
        self.since = now  # when this state began, the first byte of a head came, or the last reply was given
        self.progress = now  # when the last byte moved in this state
        self.moved = 0  # bytes in this state
        self.taken = 0  # those of them that the peer had acknowledged when we last looked
        self.paused = 0.0  # since when the reply waits for the application
        self.answered = 0  # requests
        self.shut = False  # the peer has said that it sends no more, and waits for what it asked for
        self.buffer = b""  # what came and was not understood yet
        # The request in hand.
        self.began = 0.0
        self.received = 0  # bytes
        self.passed: Passed | None = None  # what a trusted proxy says of it
        self.head: Head | None = None
        self.mount: Mount | None = None
        self.spool: Spool | None = None
        self.reply: Reply | None = None
        self.call: Call | None = None  # where an application has the request, or had, and the reply is not out

    def introduce(self, ends: Ends) -> None:
        """It is somebody else's connection, and a proxy only passes it on."""
        self.ends = ends
        self.peer = ends.peer[0]

    def hear(self, passed: Passed | None) -> None:
        """A trusted proxy says something of the request in hand; None once that is answered."""
        self.passed = passed
        self.peer = self.asker.peer[0]

    @property
    def asker(self) -> Ends:
        """The ends of the request in hand: those that a trusted proxy tells of, else the connection's."""
        return (self.passed.ends if self.passed else None) or self.ends

    def enter(self, state: State, now: float) -> None:
        """Begin a state, and its clock."""
        self.state = state
        self.since = self.progress = now
        self.moved = self.taken = 0

    def pause(self, now: float) -> None:
        """The reply waits for the application."""
        if self.state is not State.RUNNING:
            self.state = State.RUNNING
            self.paused = now

    def resume(self, now: float) -> None:
        """The reply goes on; the time that it waited for the application is not the client's."""
        if self.state is State.RUNNING:
            self.state = State.WRITING
            self.since += now - self.paused
            self.progress = now

    def leaves(self, now: float) -> bool:
        """The peer has ended its side while an application has its request: whether nobody waits for the answer.

        Who shuts its side together with a request says that it was the last one (as `nc -N` does).  Later than that,
        one who closed looks just the same, and is by far more frequent.
        """
        self.shut = self.shut or now - self.since < TOGETHER
        return not self.shut

    def part(self) -> None:
        """The application's call is not ours any more: the answer is out, or nobody waits for it."""
        call, self.call = self.call, None
        if call:
            call.gone = True
            if call.box:
                call.box.close()
            if not call.over:  # it may still be reading the body
                call.spool, self.spool = self.spool, None

    @property
    def idle(self) -> bool:
        """Between two requests: nothing of the next one is here."""
        return self.state is State.READING and not self.buffer and self.answered > 0

    @property
    def silent(self) -> bool:
        """New, and nothing was said on it yet."""
        return self.state in (State.GREETING, State.READING) and not self.buffer and self.answered == 0

    @property
    def line(self) -> str:
        """The request line; "" where none could be read."""
        return self.head.line.text if self.head else ""

    def unsent(self) -> int:
        """Bytes that the kernel keeps because the peer has not acknowledged them (SIOCOUTQ: tcp(7), unix(7))."""
        (size,) = struct.unpack("i", fcntl.ioctl(self.descriptor, termios.TIOCOUTQ, bytes(4)))
        return int(size)

    def send_whole(self) -> bool:
        """The short way for a reply of one piece: send it in one call; False when there is more to do.

        OSError when the peer is gone.
        """
        reply = self.reply
        assert reply is not None
        parts = reply.parts
        if len(parts) != 1 or reply.source is not None:
            return False
        wire = parts[0]
        if type(wire) is not bytes:
            return False
        try:
            sent = self.send(wire)
        except BlockingIOError:
            return False
        self.moved += sent
        if sent != len(wire):
            parts[0] = memoryview(wire)[sent:]
            return False
        parts.clear()
        return True

    def flush(self, now: float) -> Flushed:
        """Send what the socket takes of the reply, as far as it is there.

        OSError when the peer is gone, or when a file got shorter than what was promised of it, BrokenOff when the
        application fails: then the reply cannot be ended any more.
        """
        reply = self.reply
        assert reply is not None
        parts, moved = reply.parts, self.moved
        stop = moved + TURN
        try:
            while self.moved < stop:
                if parts:
                    self.moved += self._send_part(reply)
                elif piece := reply.more():
                    parts.append(piece)
                else:
                    return Flushed.DONE if piece is None else Flushed.STARVED
        except BlockingIOError:  # the socket is full: epoll will tell when it is not
            pass
        finally:
            if self.moved > moved:
                self.progress = now
        return Flushed.FULL

    def _send_part(self, reply: Reply) -> int:
        part = reply.parts[0]
        if not isinstance(part, FileSlice):
            sent = self.send(part, MORE if len(reply.parts) > 1 else 0)
            if sent == len(part):
                reply.parts.popleft()
            else:
                reply.parts[0] = memoryview(part)[sent:]
            return sent
        sent = os.sendfile(self.descriptor, part.file.fileno(), part.offset, min(part.length, PORTION))
        if sent == 0 and part.length:
            raise OSError("the file got shorter while it was being sent")
        part.offset += sent
        part.length -= sent
        if part.length == 0:
            part.file.close()
            reply.parts.popleft()
        return sent

    def close(self) -> None:
        """Give everything back; epoll forgets a descriptor by itself (epoll(7))."""
        self.state = State.CLOSED
        self.part()
        if self.reply:
            self.reply.close()
            self.reply = None
        if self.spool:
            self.spool.close()
            self.spool = None
        self.socket.close()
