"""Clients that note what becomes of each of their requests while the server has a hard time.

Each is a thread that asks `wsgiapp.py` again and again and checks the answer.  A request has one of four fates; one
that was not answered is kept with its connection, so that whoever killed a worker can tell whether that had it in
hand.  Knows nothing of what happens to the server.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .client import PeerError
from .wsgiapp import HELLO, LARGE

PATIENCE = 20.0  # seconds for a connection, or for a piece of an answer; beyond it the request has failed
BODIES = {"/hello": HELLO, "/64k": LARGE, "/slow10": HELLO}
KEEPING = CLOSING = 8  # clients that keep their connection; those that make one for each request

REFUSED = "refused"  # no connection came about
FAILED = "failed"  # its connection was new, or the answer had begun, or it was a wrong one
RETRIED = "retried"  # a kept connection ended before any byte of the answer: RFC 9112, 9.3.1, has the client ask again


@dataclass(frozen=True)
class Loss:
    """A request that was not answered.  `begun` and `ended` are of its connection, in seconds."""

    fate: str
    port: int  # the client's own; 0 when it was refused
    begun: float  # of the monotonic clock
    ended: float
    why: str


class Visitor(threading.Thread):
    """Asks until it is told to stop; a request under way is brought to its end."""

    def __init__(self, port: int, stop: threading.Event, *, keeps: bool) -> None:
        super().__init__(daemon=True)
        self.port, self.stop, self.keeps = port, stop, keeps
        self.targets = itertools.cycle(BODIES)
        self.answered = 0
        self.connections = 0
        self.losses: list[Loss] = []
        self.received = b""

    def run(self) -> None:
        while not self.stop.is_set():
            begun = time.monotonic()
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
            except OSError as error:
                self.losses.append(Loss(REFUSED, 0, begun, time.monotonic(), repr(error)))
                continue
            self.connections += 1
            with connection:
                self.converse(connection, begun)

    def converse(self, connection: socket.socket, begun: float) -> None:
        """One connection, to its end."""
        port = connection.getsockname()[1]
        before = self.answered
        kept = True
        while kept and not self.stop.is_set():
            try:
                kept = self.ask(connection, next(self.targets))
            except (OSError, PeerError) as error:
                fate = RETRIED if self.answered > before and not self.received else FAILED
                self.losses.append(Loss(fate, port, begun, time.monotonic(), repr(error)))
                return
            self.answered += 1

    def ask(self, connection: socket.socket, target: str) -> bool:
        """One request and its answer; whether the connection stays.  PeerError when the answer is short or wrong."""
        self.received = b""
        wish = "" if self.keeps else "Connection: close\r\n"
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{wish}\r\n".encode())
        tail = b"\r\n\r\n" + BODIES[target]
        while not self.received.endswith(tail):
            if not (data := connection.recv(1 << 17)):
                raise PeerError(f"{target}: the answer ends after {len(self.received)} bytes: {self.received[:60]!r}")
            self.received += data
        head = self.received[: -len(tail)].lower()
        if not head.startswith(b"http/1.1 200 ") or b"\r\n\r\n" in head:
            raise PeerError(f"{target}: a wrong answer: {self.received[:60]!r}")
        return b"\r\nconnection: close" not in head


@contextmanager
def visiting(port: int) -> Iterator[Sequence[Visitor]]:
    """All clients at work; in the end each has finished what it had asked for."""
    stop = threading.Event()
    visitors = [Visitor(port, stop, keeps=number < KEEPING) for number in range(KEEPING + CLOSING)]
    for visitor in visitors:
        visitor.start()
    try:
        yield visitors
    finally:
        stop.set()
        for visitor in visitors:
            visitor.join(3 * PATIENCE)
    if any(visitor.is_alive() for visitor in visitors):
        raise PeerError(f"a request has no end within {3 * PATIENCE:.0f} s")
