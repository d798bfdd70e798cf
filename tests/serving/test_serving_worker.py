"""A whole worker whose loop is turned by hand: what one turn of it means for those who wait meanwhile."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest

from forkserver.config.options import Limits
from forkserver.http.request import Request
from forkserver.http.response import Response
from forkserver.log import LineWriter
from forkserver.log.format import compile_format
from forkserver.serving import clock as clock_module
from forkserver.serving.call import Call
from forkserver.serving.routing import Mount, Site
from forkserver.serving.worker import Worker
from tests.serving.crews import PATIENCE, FakeFigures
from tests.serving.fakes import BlockingApp, FakeLog, Time

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


class FakeOrders:
    """None are given."""

    def descriptors(self) -> tuple[int, ...]:
        return ()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *words: None


class OneFigures(FakeFigures):
    def count(self, connections: int, requests: int, sent: int) -> None:
        """Nobody reads them."""


class Shop:
    """A worker with one application and one thread, which is the test's own."""

    def __init__(self, respond: Callable[[Request], Response], limits: Limits | None = None, threads: int = 1) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        orders: Any = FakeOrders()
        log: Any = FakeLog()
        self.worker = Worker(
            site=Site([Mount("", "", BlockingApp(respond))]),
            limits=limits or Limits(),
            listeners=[self.listener],
            orders=orders,
            figures=OneFigures(),
            log=log,
            access=LineWriter(-1),
            access_format=compile_format("%>s"),
            server="",
            threads=threads,
        )
        self.worker._patience = lambda: 0.01  # type: ignore[method-assign]  # whatever the clock says
        self.worker.connections.open_doors()
        self.clients: list[socket.socket] = []

    def enter(self) -> socket.socket:
        """A client, whose connection is accepted."""
        client = socket.create_connection(self.listener.getsockname(), timeout=PATIENCE)
        self.clients.append(client)
        self.until(lambda: len(self.worker.connections.by_descriptor) == len(self.clients))
        return client

    def until(self, done: Callable[[], bool]) -> None:
        """Turn the loop until something is so."""
        limit = monotonic() + PATIENCE
        while not done():
            assert monotonic() < limit, "it does not come so far"
            self.worker.turn()

    def answers(self, number: int) -> None:
        """Turn the loop until so many requests were answered since the beginning."""
        self.until(lambda: self.worker.ledger.requests >= number)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for connection in self.worker.connections.all():
            self.worker.connections.close(connection)
        self.listener.close()
        self.worker.epoll.close()


@pytest.fixture
def open_shop() -> Iterator[Callable[..., Shop]]:
    shops: list[Shop] = []

    def make(*words: Any, **more: Any) -> Shop:
        shops.append(Shop(*words, **more))
        return shops[-1]

    yield make
    for shop in shops:
        shop.close()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(clock_module, "time", time)
    return time


def here(client: socket.socket) -> bool:
    """Whether the connection stays, whatever was answered."""
    client.setblocking(False)
    with suppress(BlockingIOError):
        while client.recv(1000):
            pass
        return False
    return True


def test_with_one_thread_nobody_is_closed_for_the_time_that_a_call_took(
    open_shop: Callable[..., Shop], time: Time
) -> None:
    """Who was answered rests from then on, and what came meanwhile came in time."""
    late: list[socket.socket] = []

    def respond(request: Request) -> Response:
        if late:
            late.pop().sendall(GET[5:])
            time.pass_by(1000.0)  # longer than any limit
        return Response(200, (), b"fine")

    shop = open_shop(respond)
    slow, half = shop.enter(), shop.enter()
    half.sendall(GET[:5])
    slow.sendall(GET)
    shop.answers(1)
    late.append(half)
    slow.sendall(GET)
    shop.answers(3)
    assert shop.worker.clock.now == 1500.0
    assert [here(client) for client in (slow, half)] == [True, True]
    time.pass_by(2.0)
    slow.sendall(GET)
    shop.answers(4)
    assert [here(client) for client in (slow, half)] == [True, True]


class Slow:
    """An application whose calls last: a request, in another thread, is in the hands of the test."""

    def __init__(self, open_shop: Callable[..., Shop]) -> None:
        self.shop = open_shop(lambda request: Response(200), threads=2)
        self.worker = self.shop.worker
        assert self.worker.calls
        self.crew = self.worker.calls.crew
        self.crew.submit = self._take  # type: ignore[method-assign]
        self.worker.epoll.register(self.crew.bell, select.EPOLLIN)
        self.begun: list[Call] = []
        for mount in self.worker.talk.site.hosts[""]:
            mount.pace.slow = True

    def _take(self, call: Call, now: float) -> bool:
        self.begun.append(call)
        return True

    def ask(self) -> tuple[socket.socket, Call]:
        client = self.shop.enter()
        client.sendall(GET)
        self.shop.until(lambda: bool(self.begun))
        return client, self.begun.pop()

    def answer(self, call: Call) -> None:
        call.response, call.whole, call.over = Response(200, (), b"fine"), True, True
        self.crew.insist(call)

    def look(self) -> None:
        """Turn the loop as often as it may need to see what there is."""
        for _ in range(5):
            self.worker.turn()


def test_who_leaves_while_an_application_has_the_request_is_noted(open_shop: Callable[..., Shop], time: Time) -> None:
    slow = Slow(open_shop)
    client, call = slow.ask()
    time.pass_by(5.0)
    client.close()
    slow.shop.until(lambda: call.gone)
    assert not slow.worker.connections.by_descriptor
    assert slow.worker.ledger.lines == ["499\n"]
    slow.answer(call)
    slow.look()
    assert slow.worker.ledger.requests == 1


def test_who_is_torn_away_is_noted_at_any_time(open_shop: Callable[..., Shop], time: Time) -> None:
    slow = Slow(open_shop)
    client, call = slow.ask()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()  # by a reset
    slow.shop.until(lambda: call.gone)


def test_who_shuts_its_side_with_its_request_is_answered(open_shop: Callable[..., Shop], time: Time) -> None:
    slow = Slow(open_shop)
    client, call = slow.ask()
    client.sendall(GET)  # behind it
    slow.look()
    client.shutdown(socket.SHUT_WR)
    slow.look()
    time.pass_by(500.0)
    slow.look()
    assert not call.gone
    slow.answer(call)
    slow.shop.until(lambda: bool(slow.begun))
    time.pass_by(500.0)
    slow.look()
    slow.answer(slow.begun.pop())
    slow.shop.answers(2)
    slow.shop.until(lambda: not slow.worker.connections.by_descriptor)
    got = b"".join(iter(lambda: client.recv(1000), b""))
    assert got.count(b"HTTP/1.1 200 ") == 2


def test_who_only_sends_more_has_not_left(open_shop: Callable[..., Shop], time: Time) -> None:
    slow = Slow(open_shop)
    client, call = slow.ask()
    time.pass_by(5.0)
    client.sendall(GET)
    slow.look()
    assert not call.gone
    slow.answer(call)
    slow.shop.until(lambda: bool(slow.begun))
    client.close()
    slow.look()
