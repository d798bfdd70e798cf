"""Sockets as they are handed to streams: ordinary ones, that keep count to their end and can be shut from outside.

What TCP carried is counted by the kernel anyway and read at the end (TCP_INFO, tcp(7)), so that nothing is in the way
of whoever uses the socket; a unix socket counts for itself.  Knows sockets; nothing of who uses them.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from forkserver.apps.stream.app import Handed

_SIZE = 216  # bytes of struct tcp_info that we read, as Linux has had them since 4.19 (linux/tcp.h)
_STATE, _SENT_AGO, _RECEIVED_AGO, _RECEIVED, _UNSENT, _SENT, _REPEATED = range(7)
_INFO = struct.Struct("=B43xI4xI72xQ8xI52xQQ")
_ENDED = {7, 8, 9, 11}  # TCP_CLOSE, CLOSE_WAIT, LAST_ACK, CLOSING: the peer's FIN is counted among what came


def _nothing() -> None:
    """For a socket whose end is of no interest."""


class Accepted(Handed):
    """A connection of TCP.

    `received` and `sent` are bytes, true once it is closed (after a reset by the peer one byte may be missing).
    `ended` is called when it is, by whichever thread.
    """

    def __init__(self, accepted: socket.socket) -> None:
        """Takes the descriptor over."""
        family, kind, number = accepted.family, accepted.type, accepted.proto
        super().__init__(family, kind, number, accepted.detach())
        self.received = self.sent = 0
        self.ended: Callable[[], None] = _nothing
        self._guard = threading.Lock()  # between closing and what is done from outside: numbers are used again

    def quiet(self, now: float) -> float:
        """Seconds since either side has sent something; 0 when it is closed."""
        info = self._info()
        return min(info[_SENT_AGO], info[_RECEIVED_AGO]) / 1000 if info else 0.0

    def shut(self) -> None:
        """End it from outside: its user reads the end and can write no more, as if the client had left."""
        with self._guard:
            if self.fileno() >= 0:
                with contextlib.suppress(OSError):  # the client was quicker
                    self.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        """Its user is through: the client reads what was sent, then the end.  What was made of it is closed, too."""
        if self.fileno() >= 0:
            self._note()  # before the state changes by our doing
            with contextlib.suppress(OSError):  # the client was quicker
                self.shutdown(socket.SHUT_WR)
            self.close()
            self._real_close()  # even if somebody has forgotten a file that was made of it

    def abandon(self) -> None:
        """In a process that its user has forked: close this copy and no more."""
        super()._real_close()  # type: ignore[misc]  # as the standard library's own ssl does

    def keep(self) -> None:
        """In such a process, where this one is the user's own: nobody else has it in hand."""
        self._guard = threading.Lock()

    def detach(self) -> int:
        """As ever, and the end as far as we can know: so uvloop lets go of a socket whose descriptor it has closed."""
        with self._guard:
            self._note()
            descriptor = super().detach()
        self.ended()
        return descriptor

    def _real_close(self, *rest: Any) -> None:
        """What `close` comes to when no file is made of the socket any more."""
        with self._guard:
            if self.fileno() < 0:
                return
            self._note()
            super()._real_close(*rest)  # type: ignore[misc]  # likewise
        self.ended()

    def _note(self) -> None:
        """Note what was carried so far, once."""
        if not (self.received or self.sent) and (info := self._info()):
            if info[_STATE] not in _ENDED:  # read before the bytes: a FIN may have come between the two
                again = self._info()
                info = again if again and again[_STATE] in _ENDED else info
            self.received = info[_RECEIVED] - (info[_STATE] in _ENDED)
            self.sent = info[_SENT] - info[_REPEATED] + info[_UNSENT]

    def _info(self) -> tuple[int, ...] | None:
        try:
            return _INFO.unpack(self.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE))
        except (OSError, struct.error):  # closed, or a kernel that knows less
            return None


class Counted(Accepted):
    """A connection of a unix socket, of which the kernel keeps no figures."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted)
        self.moved = time.monotonic()

    def quiet(self, now: float) -> float:
        return max(0.0, now - self.moved)

    def copied(self) -> None:
        """Nothing more is known of it, so it is never quiet."""
        self.moved = float("inf")

    def _note(self) -> None:
        """All is noted."""

    def _came(self, count: int) -> None:
        self.received += count
        self.moved = max(self.moved, time.monotonic())

    def _went(self, count: int) -> None:
        self.sent += count
        self.moved = max(self.moved, time.monotonic())

    def recv(self, *arguments: Any) -> bytes:
        data = super().recv(*arguments)
        self._came(len(data))
        return data

    def recv_into(self, *arguments: Any, **named: Any) -> int:
        count = super().recv_into(*arguments, **named)
        self._came(count)
        return count

    def recvmsg(self, *arguments: Any) -> Any:
        told = super().recvmsg(*arguments)
        self._came(len(told[0]))
        return told

    def send(self, data: Any, *flags: int) -> int:
        count = super().send(data, *flags)
        self._went(count)
        return count

    def sendall(self, data: Any, *flags: int) -> None:
        super().sendall(data, *flags)
        self._went(memoryview(data).nbytes)

    def sendmsg(self, buffers: Iterable[Any], *rest: Any) -> int:
        count = super().sendmsg(buffers, *rest)
        self._went(count)
        return count

    def sendfile(self, *arguments: Any, **named: Any) -> int:
        before = self.sent  # `send` may be what it does
        count = super().sendfile(*arguments, **named)
        self.sent = before + count
        return count


class Answering(socket.socket):
    """The socket that datagrams come by, as it is handed out: one for all threads, each of which has its own count.

    The kernel has one mode for all processes that share the listener, so that a full buffer is waited for here, and
    never by the call itself.
    """

    PATIENCE = 5.0  # seconds that sending one may take

    def __init__(self, listener: socket.socket) -> None:
        copy = listener.dup()
        super().__init__(copy.family, copy.type, copy.proto, copy.detach())
        self.settimeout(self.PATIENCE)
        self._tally = threading.local()

    def taken(self) -> int:
        """Bytes that this thread has sent since it was asked last."""
        count: int = getattr(self._tally, "sent", 0)
        self._tally.sent = 0
        return count

    def sendto(self, *arguments: Any) -> int:
        count = super().sendto(*arguments)
        self._tally.sent = getattr(self._tally, "sent", 0) + count
        return count


def accepted(sock: socket.socket) -> Accepted:
    """A socket that was accepted, as it is handed to a stream."""
    return Counted(sock) if sock.family == socket.AF_UNIX else Accepted(sock)
