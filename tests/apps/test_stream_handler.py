"""Handlers of streams: what is one, how it is called, and what it finds as its server."""

from __future__ import annotations

import functools
import http.server
import socket
import socketserver
import sys
from typing import Any

import pytest

from forkserver.apps import KINDS, AppError
from forkserver.apps.stream.handler import Handler, HandlerOptions, call_of
from forkserver.apps.stream.server import HandlerServer


class FakeHost:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def error(self, text: str, *, traceback: str = "") -> None:
        self.told.append((text, traceback))

    def warning(self, text: str) -> None:
        raise AssertionError(text)

    def give_up(self, why: str) -> None:
        raise AssertionError(why)


class Seen(socketserver.BaseRequestHandler):
    seen: Any = None

    def handle(self) -> None:
        Seen.seen = self


def two(first: Any, second: Any) -> None:
    Seen.seen = (first, second)


def three(first: Any, second: Any, third: Any) -> None:
    Seen.seen = (first, second, third)


async def later(first: Any, second: Any) -> None:
    """Is asynchronous."""


def test_how_each_is_called() -> None:
    server: Any = object()
    call_of(Seen, "tcp", "x")("sock", "address", server)
    assert (Seen.seen.request, Seen.seen.client_address, Seen.seen.server) == ("sock", "address", server)
    call_of(functools.partial(Seen), "udp", "x")((b"data", "sock"), "address", server)
    assert (Seen.seen.request, Seen.seen.client_address, Seen.seen.server) == ((b"data", "sock"), "address", server)
    call_of(two, "tcp", "x")("sock", "address", server)
    assert Seen.seen == ("sock", "address")
    call_of(three, "udp", "x")((b"data", "sock"), "address", server)
    assert Seen.seen == (b"data", "address", "sock")


@pytest.mark.parametrize(
    ("found", "transport", "why"),
    [
        (sys, "tcp", "x is a module; name the handler in it"),
        (None, "tcp", "x is None, which cannot be called and so is no handler"),
        (later, "tcp", "x is asynchronous: say protocol = x"),
        (http.server.HTTPServer, "tcp", "x is a server of its own; name its handler"),
        (socketserver.DatagramRequestHandler, "tcp", "x takes datagrams: its section is [udp ADDRESS]"),
        (
            functools.partial(http.server.SimpleHTTPRequestHandler),
            "udp",
            "x takes connections: its section is [tcp ADDRESS]",
        ),
        (int, "tcp", "x does not take the arguments (request, client_address, server)"),
        (three, "tcp", "x does not take the arguments (socket, address)"),
        (two, "udp", "x does not take the arguments (data, address, socket)"),
    ],
)
def test_what_is_no_handler(found: Any, transport: str, why: str) -> None:
    if found is int:
        found = type("Narrow", (), {"__init__": lambda self, only: None})
    with pytest.raises(AppError) as caught:
        call_of(found, transport, "x")
    assert str(caught.value) == why


def test_what_does_not_tell_its_arguments_is_believed() -> None:
    assert call_of(dict.update, "tcp", "x")


def test_a_server_as_handlers_know_it() -> None:
    host = FakeHost()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = HandlerServer(listener, Seen, host, "module:Seen")
        assert server.server_address == listener.getsockname()
        assert (server.server_port, server.fileno()) == (listener.getsockname()[1], listener.fileno())
        assert server.server_name == socket.getfqdn("127.0.0.1")
        assert (server.address_family, server.socket_type) == (socket.AF_INET, socket.SOCK_STREAM)
        assert server.timeout is None
        assert server.verify_request(None, None)
        with socket.create_connection(listener.getsockname(), timeout=10) as client:
            sock = listener.accept()[0]
            server.shutdown_request(sock)
            assert client.recv(1) == b""
            assert sock.fileno() == -1
        server.shutdown_request((b"data", listener))  # of a datagram: nothing
        try:
            raise ValueError("asked to raise")
        except ValueError:
            server.handle_error(None, ("127.0.0.1", 1))
    ((text, traceback),) = host.told
    assert text == "module:Seen, client ('127.0.0.1', 1), failed"
    assert traceback.endswith("ValueError: asked to raise\n")


def test_a_client_without_an_address_has_one_for_those_that_take_it_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for name, wanted in (("Seen", ""), ("Addressed", ("unix", 0))):
            app = Handler(HandlerOptions(f"{__name__}:{name}"), "tcp", "tcp unix:/x")
            app.load()
            app.start([listener], FakeHost())
            app.serve(listener, "", listener)
            assert Seen.seen.client_address == wanted
            assert isinstance(Seen.seen.server, HandlerServer)


class Addressed(Seen):
    def address_string(self) -> str:
        return str(self.client_address[0])


def test_each_kind_of_stream_says_where_it_stands() -> None:
    streams = {name for name, kind in KINDS.items() if getattr(kind, "transports", ())}
    assert streams == {"handler", "protocol"}
