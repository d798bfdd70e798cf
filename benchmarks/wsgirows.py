"""What is measured of a server of WSGI applications, but for slow clients (`slowrows.py`).

Requests go to `wsgiapp.py`, and to the Django project of `djangoapp.py` where memory and reloads are measured.
"""

from __future__ import annotations

import http.client
import importlib.util
import math
import time
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from . import client, paced, processes
from .client import PeerError
from .peer import Peer
from .rows import DEADLINE, MIB, Figures, Load, Row, take_log
from .wsgiapp import HELLO, LARGE, PIECE, PIECES
from .wsgipeer import DJANGO, SITE, WsgiPeer

FAST, SLOW = 32, 8  # clients of the row `wsgi-beside`
PAUSE = 0.010  # seconds from an answer to the next request of a fast client
LENGTH = DEADLINE + 1  # seconds at least of a round of it, so that a request can miss the deadline
SOME, MORE = 2, 8  # workers of the row `wsgi-memory`
RELOAD_LIMIT = 30.0


def wsgi(peer: Peer) -> WsgiPeer:
    assert isinstance(peer, WsgiPeer), peer.name
    return peer


@dataclass(frozen=True)
class Call(Load):
    """wrk at full speed, against an application."""

    size: int = len(HELLO)
    body: bytes = HELLO  # of the right answer
    sent: bytes | None = None  # the body of the request
    group = "wsgi"

    def check(self, peer: Peer) -> None:
        closes = wsgi(peer).closes or self.mode == "close" or self.body is STREAMED
        fields = self.fields(peer)
        client.expect(peer.port, self.target, 200, self.body, fields, sent=self.sent, may_close=closes)


@dataclass(frozen=True)
class Waiting(Call):
    """A handler that waits: how many of its calls run at the same time."""

    call: float = 0.010  # seconds
    columns: ClassVar[tuple[str, ...]] = ("% of the ideal", "requests/s", "ideal", "CPU µs/request", "p99 ms")

    def measure(self, peer: Peer, seconds: float) -> Figures:
        return super().measure(peer, max(seconds, 3.0))  # the calls that the end cuts off weigh less then

    def figures(self, peer: Peer, cpu: float, requests: int, seconds: float, received: int) -> Figures:
        ideal = wsgi(peer).workers * wsgi(peer).threads / self.call
        rate = requests / seconds
        return super().figures(peer, cpu, requests, seconds, received) | {
            "ideal": ideal,
            "% of the ideal": 100 * rate / ideal,
        }


@dataclass(frozen=True)
class Beside(Row):
    """How long fast requests wait while others sit in calls of a second.

    A server that gives each connection a thread gets so many fewer fast clients that it could serve all.
    """

    columns: ClassVar[tuple[str, ...]] = ("p99 ms", "p50 ms", "worst ms", "requests/s", "lost")
    group = "wsgi"
    most = 3

    def measure(self, peer: Peer, seconds: float) -> Figures:
        tail = b"\r\n\r\n" + HELLO
        fast = [paced.Client(peer.port, "/hello", tail, PAUSE) for _ in range(min(FAST, peer.connections - SLOW))]
        slow = [paced.Client(peer.port, "/slow1000", tail, 0.0) for _ in range(SLOW)]
        length = max(seconds, LENGTH)
        end = paced.run(slow + fast, length)
        client.wait_until_up(peer.port, peer.probe, peer.ended, 30)  # all calls of a second are over
        take_log(peer, 0)
        waits = sorted(math.inf if wait > DEADLINE else wait for one in fast for wait in one.settled(end))
        return {
            "p50 ms": 1000 * median(waits),
            "p99 ms": 1000 * waits[int(len(waits) * 0.99)],
            "worst ms": 1000 * waits[-1],
            "requests/s": sum(len(one.waits) for one in fast) / length,
            "lost": float(sum(one.lost for one in fast)),
        }


@dataclass(frozen=True)
class OfDjango(Row):
    """A row about the Django project, for which the peer is started anew."""

    group = "wsgi"
    most = 3

    def prepare(self, peer: Peer, seconds: float) -> None:
        if not importlib.util.find_spec("django"):
            raise PeerError("Django is not installed: pip install django")

    @staticmethod
    def page(peer: Peer) -> int:
        """Ask once; returns the process that answered."""
        reply = client.fetch(peer.port, "/")
        if reply.status != 200 or b"<li>19</li>" not in reply.body:
            raise PeerError(f"the page has status {reply.status} and {len(reply.body)} bytes")
        return int(reply.fields["X-Process"])


@dataclass(frozen=True)
class Memory(OfDjango):
    """Memory of the process tree after a second of requests, with few workers and with more."""

    columns: ClassVar[tuple[str, ...]] = (
        f"MiB with {SOME} workers",
        f"MiB with {MORE}",
        "MiB for each further",
        "MiB private to one",
    )

    def measure(self, peer: Peer, seconds: float) -> Figures:
        few, _ = self.weigh(peer, SOME)
        many, private = self.weigh(peer, MORE)
        figures = (few, many, (many - few) / (MORE - SOME), private)
        return {name: value / MIB for name, value in zip(self.columns, figures, strict=True)}

    def weigh(self, peer: Peer, workers: int) -> tuple[int, int]:
        """(PSS of the tree, private memory of a process in the middle), in bytes."""
        with wsgi(peer).serving(DJANGO, workers):
            client.wait_until_up(peer.port, "/", peer.ended)
            self.page(peer)
            Call("", "", "same", "/", size=200).measure(peer, 1.0)
            private = [processes.private_bytes(pid) for pid in processes.tree(peer.pid)[1:]]
            return processes.pss_bytes(peer.pid), int(median(private))


@dataclass(frozen=True)
class Reload(OfDjango):
    """From the order to reload until a process answers that was not there before."""

    columns: ClassVar[tuple[str, ...]] = ("s to new code",)

    def measure(self, peer: Peer, seconds: float) -> Figures:
        with wsgi(peer).serving(DJANGO, wsgi(peer).workers):
            client.wait_until_up(peer.port, "/", peer.ended)
            self.page(peer)
            before = self.rest(peer)
            begin = time.perf_counter()
            wsgi(peer).reload()
            while time.perf_counter() < begin + RELOAD_LIMIT:
                try:
                    if self.page(peer) not in before:
                        return {"s to new code": time.perf_counter() - begin}
                except (OSError, http.client.HTTPException):
                    pass  # some servers do not answer, or reset a connection, while they reload
                time.sleep(client.POLL)
        raise PeerError(f"no new process after {RELOAD_LIMIT:.0f} s")

    @staticmethod
    def rest(peer: Peer) -> set[int]:
        """The processes of the tree, once none has come or gone for a second: some servers start them one by one."""
        members, since = set(processes.tree(peer.pid)), time.monotonic()
        while time.monotonic() < since + 1:
            time.sleep(0.05)
            if (now := set(processes.tree(peer.pid))) != members:
                members, since = now, time.monotonic()
        return members


@dataclass(frozen=True)
class OfSite(Call):
    """The short text from a site of `forkserver.web`, which other servers call as an application."""

    def prepare(self, peer: Peer, seconds: float) -> None:
        """Is done with each round, for which the peer is started anew."""

    def measure(self, peer: Peer, seconds: float) -> Figures:
        with wsgi(peer).serving(SITE, wsgi(peer).workers):
            client.wait_until_up(peer.port, peer.probe, peer.ended)
            self.check(peer)
            super().measure(peer, min(1.0, seconds))
            return super().measure(peer, seconds)


STREAMED = PIECE * PIECES
POSTED = b"x" * 2048

ROWS: tuple[Row, ...] = (
    Call("wsgi-hello", "13 bytes, the same request of one field", "plain", "/hello"),
    OfSite("web-hello", "13 bytes of a site of forkserver.web, the same request of one field", "plain", "/hello"),
    Call("wsgi-browser", "13 bytes, the same request of a browser's eight fields", "same", "/hello"),
    Call("wsgi-unique", "13 bytes, every path, query, cookie and referer new", "path", "/hello"),
    Call("wsgi-post", "POST of 2 KiB", "post", "/length", body=b"2048 bytes\n", sent=POSTED, size=11),
    Call("wsgi-64k", "64 KiB in one piece", "same", "/64k", body=LARGE, size=len(LARGE)),
    Call("wsgi-stream", "64 KiB in 16 pieces, no length given", "same", "/stream", body=STREAMED, size=len(STREAMED)),
    Call("wsgi-close", "13 bytes, a connection for each request", "close", "/hello"),
    Waiting("wsgi-slow10", "a handler that waits 10 ms, 64 clients", "same", "/slow10", connections=64),
    Beside("wsgi-beside", f"fast requests of {FAST} clients, beside {SLOW} clients of a handler that takes 1 s"),
    Memory("wsgi-memory", "memory (PSS of the tree) with a Django project"),
    Reload("wsgi-reload", "reload of a Django project"),
)
