"""The table of slow clients: what a normal request waits while 40 others hold the server up.

Each kind of slow client is a row.  The server is started anew for each measurement, with its own default limits.
"""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from .client import PeerError
from .peer import Peer
from .rows import DEADLINE, Figures, Row, restart, take_log
from .wsgiapp import HELLO

CLIENTS = 40
REQUESTS = 20  # normal ones, one after the other, on a connection each
SETTLE = 1.0  # seconds in which the server may take in what the slow ones have sent, and spool its replies
HEAD = b"Host: 127.0.0.1\r\n"


def get(target: bytes) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + HEAD + b"\r\n"


def ask(port: int) -> float:
    """Seconds from the connecting of a normal client to its whole answer; infinite when beyond DEADLINE."""
    begin = time.perf_counter()
    received = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
            connection.sendall(get(b"/hello"))
            while not received.endswith(b"\r\n\r\n" + HELLO):
                left = begin + DEADLINE - time.perf_counter()
                if left <= 0:
                    return math.inf
                connection.settimeout(left)
                if not (data := connection.recv(65536)):
                    raise PeerError(f"an answer ends after {len(received)} bytes")
                received += data
    except TimeoutError:
        return math.inf
    return time.perf_counter() - begin


@dataclass(frozen=True)
class Slow(Row):
    """Normal requests beside slow clients, all of which have sent the same and then do nothing more.

    The first normal request that is not answered in time is also the last.
    """

    sent: bytes
    columns: ClassVar[tuple[str, ...]] = ("worst ms", "median ms")
    group = "wsgi"
    most = 3

    def measure(self, peer: Peer, seconds: float) -> Figures:
        restart(peer)
        with self.slow_ones(peer.port):
            waits: list[float] = []
            while len(waits) < REQUESTS and math.inf not in waits:
                waits.append(1000 * ask(peer.port))
        take_log(peer, 0)
        return dict(zip(self.columns, (max(waits), median(waits)), strict=True))

    @contextlib.contextmanager
    def slow_ones(self, port: int) -> Iterator[None]:
        with contextlib.ExitStack() as held:
            for _ in range(CLIENTS):
                connection = held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=DEADLINE))
                connection.sendall(self.sent)
            time.sleep(SETTLE)
            yield


ROWS: tuple[Row, ...] = (
    Slow("wsgi-silent", f"a request beside {CLIENTS} connections that are silent", b""),
    Slow("wsgi-half-head", f"a request beside {CLIENTS} with half a head", get(b"/hello")[:-6]),
    Slow(
        "wsgi-half-body",
        f"a request beside {CLIENTS} with half a body",
        b"POST /length HTTP/1.1\r\n" + HEAD + b"Content-Length: 2048\r\n\r\n" + b"x" * 1024,
    ),
    Slow("wsgi-unread", f"a request beside {CLIENTS} that do not read their 8 MB", get(b"/8m")),
)
