"""The kind `handler`: classes written for `socketserver` and `http.server`, unmodified, and plain functions.

Knows how a handler is called; which connections it gets, and in which thread, is known to who calls.
"""

from __future__ import annotations

import functools
import inspect
import socket
import socketserver
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, cast

from forkserver.apps.app import AppError
from forkserver.apps.loading import a_thing, load_target
from forkserver.apps.stream import options
from forkserver.apps.stream.app import Host
from forkserver.apps.stream.named import Named
from forkserver.apps.stream.server import HandlerServer
from forkserver.apps.stream.signatures import refuse_wrong_signature
from forkserver.apps.targets import env_option, path_option, target
from forkserver.config.options import option

UNIX = ("unix", 0)  # stands for a client's address where code wants a host and a port
Call = Callable[[Any, Any, HandlerServer], object]  # (request, address of the client, server)

# What a class that is meant for something else is told.
NOT_FOR = {
    "tcp": (socketserver.DatagramRequestHandler, "takes datagrams: its section is [udp ADDRESS]"),
    "udp": (socketserver.StreamRequestHandler, "takes connections: its section is [tcp ADDRESS]"),
}


@dataclass(frozen=True)
class HandlerOptions:
    """The options of a section of this kind."""

    handler: str = option(
        None,
        target("Handler"),
        "A class as for socketserver or http.server, module:Class, or a function that is called with (socket, address) "
        "of each connection or with (data, address, socket) of each datagram; module alone stands for module:Handler.",
    )
    path: tuple[str, ...] = path_option()
    env: tuple[tuple[str, str], ...] = env_option()
    connections: int = options.threads_option()
    idle_timeout: float = options.idle_option()
    total_timeout: float = options.total_option()
    access_log: bool = options.log_option()


class Handler(Named):
    """One handler, in one section."""

    Options = HandlerOptions
    kind = "handler"
    attribute = "Handler"
    shared = True
    blocking = True

    def load(self) -> None:
        """Raises AppError when there is no handler to be had."""
        self.handler = load_target(self.target, self.options.path, self.options.env, self.place)
        self.call = call_of(self.handler, self.transport, self.name)
        # Handlers of http.server take the client's address apart, which unix sockets do not have.
        self._addressed = hasattr(class_of(self.handler), "address_string")

    def start(self, listeners: Sequence[socket.socket], host: Host) -> None:
        self.servers = {one: HandlerServer(one, self.handler, host, self.name) for one in listeners}

    def serve(self, sock: socket.socket, address: Any, listener: socket.socket) -> None:
        client = UNIX if self._addressed and not isinstance(address, tuple) else address
        self.call(sock, client, self.servers[listener])

    def receive(self, data: bytes, address: Any, sock: socket.socket) -> None:
        self.call((data, sock), address, self.servers[sock])

    def leave(self) -> None:
        """Nothing is read but what it is given."""

    def close(self) -> None:
        """Has nothing to let go: its connections have ended."""


def class_of(handler: Any) -> type[Any] | None:
    """The class of a handler, which may have some of its arguments already (functools.partial); None of a function."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    return handler if isinstance(handler, type) else None


def call_of(handler: Any, transport: str, name: str) -> Call:
    """How a handler is called; AppError for what is none, by all that can be seen without calling it."""
    if isinstance(handler, ModuleType):
        raise AppError(f"{name} is a module; name the handler in it")
    if not callable(handler):
        raise AppError(f"{name} is {a_thing(handler)}, which cannot be called and so is no handler")
    if inspect.iscoroutinefunction(handler):
        raise AppError(f"{name} is asynchronous: say protocol = {name}")
    made = class_of(handler)
    if made and issubclass(made, socketserver.BaseServer):
        raise AppError(f"{name} is a server of its own; name its handler")
    other, why = NOT_FOR[transport]
    if made and issubclass(made, other):
        raise AppError(f"{name} {why}")
    if made:
        refuse_wrong_signature(handler, ("request", "client_address", "server"), name)
        return cast("Call", handler)
    if transport == "udp":
        refuse_wrong_signature(handler, ("data", "address", "socket"), name)
        return lambda request, address, _server: handler(request[0], address, request[1])
    refuse_wrong_signature(handler, ("socket", "address"), name)
    return lambda request, address, _server: handler(request, address)
