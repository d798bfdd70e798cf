"""Stand-ins for what surrounds a conversation: an application, a request's head, a log, and a socket pair."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from forkserver.config.options import Limits
from forkserver.http.request import Ends, Head, Parser, Request
from forkserver.http.response import Response
from forkserver.log import LineWriter
from forkserver.log.format import compile_format
from forkserver.serving.clock import Clock
from forkserver.serving.connection import Connection, State
from forkserver.serving.conversation import Conversations
from forkserver.serving.delivery import Delivery
from forkserver.serving.ledger import Ledger
from forkserver.serving.routing import Mount, Site


def head_of(method: str = "GET", target: str = "/", *, version: str = "1.1", host: str = "test") -> Head:
    head = Parser().parse(f"{method} {target} HTTP/{version}\r\nHost: {host}\r\n\r\n".encode())
    assert head
    return head


class FakeApp:
    """Answers with what a function gives, whatever that is."""

    methods = None
    reads_body = True
    blocking = False

    def __init__(self, respond: Callable[[Request], Any]) -> None:
        self.respond: Any = respond

    def load(self) -> None:
        pass

    def close(self) -> None:
        pass


class BlockingApp(FakeApp):
    blocking = True

    def employ(self, **circumstances: Any) -> None:
        raise AssertionError("employed by whoever starts a worker")


class Time:
    """Two clocks that stand still until told."""

    def __init__(self) -> None:
        self.now, self.wall = 500.0, 1_000_000_000.25

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.wall

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds


class FakeLog:
    """Keeps what it is told: (level, text with traceback)."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda text, traceback="": self.told.append((level, text + traceback))

    def errors(self) -> str:
        return "\n".join(text for level, text in self.told if level == "error")


class FakeProgress:
    def __init__(self) -> None:
        self.line, self.client = b"", ""

    def begin(self, line: bytes, client: str, now: float, deadline: float) -> None:
        self.line, self.client = line, client

    def end(self) -> None:
        self.line, self.client = b"", ""

    def extend(self, deadline: float) -> None:
        raise AssertionError("nobody asked for more time")

    def lasts(self) -> None:
        raise AssertionError("nobody looked at the clock")

    def note(self, steps: int) -> None:
        raise AssertionError("nobody looked at the clock")


def fake_connection(now: float = 0.0) -> tuple[Connection, socket.socket]:
    """A connection and its client's end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(10)
    return Connection(ours, Ends(("192.0.2.1", 1234), ("192.0.2.2", 80)), now), theirs


class Stage:
    """One application, one connection, and the conversation between them, driven by hand."""

    def __init__(
        self, respond: Callable[[Request], Any], limits: Limits | None = None, log_format: str = "%s %B"
    ) -> None:
        self.log, self.progress = FakeLog(), FakeProgress()
        self.connection, self.client = fake_connection()
        self.ledger = Ledger(LineWriter(-1), compile_format(log_format))
        clock = Clock()
        log: Any = self.log  # as much of a log as is asked for
        self.delivery = Delivery(clock=clock, ledger=self.ledger, log=log, server="", close=Connection.close)
        self.talk = Conversations(
            site=Site([Mount("", "", FakeApp(respond))]),
            limits=limits or Limits(),
            clock=clock,
            delivery=self.delivery,
            progress=self.progress,
            log=log,
        )

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *raised: object) -> None:
        self.connection.close()
        self.client.close()

    def hear(self, data: bytes) -> None:
        """Bytes arrive."""
        self.connection.buffer += data
        self.talk.advance(self.connection)

    def ask(self, data: bytes = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n") -> bytes:
        """Bytes arrive; what the client gets for them until the socket is full."""
        self.hear(data)
        return self.sent()

    def sent(self) -> bytes:
        self.client.setblocking(False)
        pieces = []
        with suppress(BlockingIOError):
            while piece := self.client.recv(1 << 20):
                pieces.append(piece)
        return b"".join(pieces)

    @property
    def state(self) -> State:
        return self.connection.state

    @property
    def lines(self) -> list[str]:
        return [line.rstrip("\n") for line in self.ledger.lines]


def text(body: Any = b"fine", status: int = 200, **more: Any) -> Callable[[Request], Response]:
    return lambda request: Response(status, (), body, **more)
