"""The rows of the group `stream`: an echo, by a connection for each message and by connections that stay.

One thread speaks for all clients, each of which has one message under way.
"""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from . import processes
from .client import PeerError
from .peer import Peer
from .rows import Figures, Row, take_log
from .streampeers import MESSAGE

CLIENTS = 16


@dataclass(frozen=True)
class Echo(Row):
    """Messages there and back."""

    fresh: bool  # each on a connection of its own
    columns: ClassVar[tuple[str, ...]] = ("CPU µs/message", "messages/s", "p50 ms", "p99 ms")
    group = "stream"

    def prepare(self, peer: Peer, seconds: float) -> None:
        self.measure(peer, min(1.0, seconds))

    def measure(self, peer: Peer, seconds: float) -> Figures:
        before = processes.cpu_seconds(peer.pid)
        begin = time.perf_counter()
        waits = sorted(self.waits(peer.port, begin + seconds))
        passed = time.perf_counter() - begin
        logged = take_log(peer, len(waits) if self.fresh else CLIENTS)
        cpu = processes.cpu_seconds(peer.pid) - before
        if not waits:
            raise PeerError("no message came back")
        if peer.logs and logged < (len(waits) if self.fresh else CLIENTS):
            raise PeerError(f"{logged} lines in the access log for {len(waits)} messages")
        figures = (
            cpu * 1e6 / len(waits),
            len(waits) / passed,
            1000 * median(waits),
            1000 * waits[len(waits) * 99 // 100],
        )
        return dict(zip(self.columns, figures, strict=True))

    def waits(self, port: int, end: float) -> list[float]:
        """Seconds from each message, or from the connecting for it, until it was back."""
        waits: list[float] = []
        poller, held = select.epoll(), dict[int, tuple[socket.socket, float]]()

        def say(sock: socket.socket | None) -> None:
            now = time.perf_counter()
            if sock is None:
                sock = socket.create_connection(("127.0.0.1", port), timeout=5)
                poller.register(sock, select.EPOLLIN)
            held[sock.fileno()] = sock, now
            sock.sendall(MESSAGE)

        for _ in range(CLIENTS):
            say(None)
        while held:
            for descriptor, _ in poller.poll(5) or never():
                sock, since = held.pop(descriptor)
                if sock.recv(4096) != MESSAGE:  # so short a one comes whole
                    raise PeerError("what comes back is not what was said")
                now = time.perf_counter()
                waits.append(now - since)
                if self.fresh or now >= end:
                    poller.unregister(sock)
                    sock.close()
                if now < end:
                    say(None if self.fresh else sock)
        poller.close()
        return waits


def never() -> list[tuple[int, int]]:
    raise PeerError("a message does not come back")


ROWS: tuple[Row, ...] = (
    Echo("tcp-connect", "an echo of 32 bytes, a connection for each", fresh=True),
    Echo("tcp-echo", f"an echo of 32 bytes on {CLIENTS} connections that stay", fresh=False),
)
