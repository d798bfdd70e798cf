"""Clients that ask, wait, and ask again, all in one loop: for what a load generator at full speed cannot tell.

Such a generator counts the answers; a request that is never answered is in none of its figures.  Here it counts
with the time that it had been waiting when the measurement ended.
"""

from __future__ import annotations

import select
import socket
import time

from .client import PeerError


class Client:
    """One client: a connection that is kept as long as the server does, and one request at a time on it."""

    def __init__(self, port: int, target: str, tail: bytes, pause: float) -> None:
        """`tail` is how a whole answer ends; `pause` the seconds from an answer to the next request."""
        self.port = port
        self.request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        self.tail = tail
        self.pause = pause
        self.socket: socket.socket | None = None
        self.received = b""
        self.begin: float | None = None  # when the request was sent that waits for its answer
        self.due = 0.0
        self.waits: list[float] = []  # seconds
        self.lost = 0  # requests whose connection ended before the answer did

    def ask(self, poller: select.epoll, held: dict[int, Client]) -> None:
        self.begin = time.perf_counter()
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            poller.register(self.socket, select.EPOLLIN)
            held[self.socket.fileno()] = self
        try:
            self.socket.sendall(self.request)
        except ConnectionError:  # it was closed in this very moment
            self.over(held)

    def read(self, held: dict[int, Client]) -> None:
        """What the poller has reported: bytes, or the end of the connection."""
        assert self.socket is not None
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        self.received += data
        if not data:
            self.over(held)
        elif self.begin is not None and self.received.endswith(self.tail):
            self.waits.append(time.perf_counter() - self.begin)
            head = self.received.partition(b"\r\n\r\n")[0].lower()
            if b" 200 " not in head.partition(b"\r\n")[0]:
                raise PeerError(f"an answer begins with {head[:30]!r}")
            self.rest()
            if b"\r\nconnection: close" in head:
                self.over(held)

    def over(self, held: dict[int, Client]) -> None:
        """The connection has ended, or is about to."""
        if self.begin is not None:
            self.lost += 1
            self.rest()
        if self.socket is not None:
            del held[self.socket.fileno()]
            self.close()

    def rest(self) -> None:
        self.begin, self.received = None, b""
        self.due = time.perf_counter() + self.pause

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def settled(self, now: float) -> list[float]:
        """The waits, with that of the request which is not answered yet."""
        return self.waits if self.begin is None else [*self.waits, now - self.begin]


def run(clients: list[Client], seconds: float) -> float:
    """Let all clients ask for so long; returns the time (perf_counter) at which it ended."""
    held: dict[int, Client] = {}
    start = time.perf_counter()
    for number, client in enumerate(clients):  # not all at the same instant
        client.due = start + client.pause * number / len(clients)
    with select.epoll() as poller:
        try:
            while (now := time.perf_counter()) < start + seconds:
                for client in clients:
                    if client.begin is None and client.due <= now:
                        client.ask(poller, held)
                due = min((client.due for client in clients if client.begin is None), default=start + seconds)
                for descriptor, _ in poller.poll(max(0.0, min(due, start + seconds) - time.perf_counter())):
                    held[descriptor].read(held)
            return now
        finally:
            for client in clients:
                client.close()
