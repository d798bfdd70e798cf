"""The kind `protocol`: factories of asyncio and Twisted, each served by its own loop, in a thread of each worker.

Knows how the two are told apart; imports neither of them before it has to, and Twisted only where its user has.
"""

from __future__ import annotations

import importlib
import socket
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from forkserver.apps.loading import load_target
from forkserver.apps.stream import options
from forkserver.apps.stream.app import Handed, Host
from forkserver.apps.stream.named import Named
from forkserver.apps.targets import env_option, path_option, target
from forkserver.config.options import option

LOOPS, REACTORS = "forkserver.apps.stream.loops", "forkserver.apps.stream.reactors"


@dataclass(frozen=True)
class ProtocolOptions:
    """The options of a section of this kind."""

    protocol: str = option(
        None,
        target("factory"),
        "A factory of Twisted, or what makes a protocol of asyncio when it is called, such as its class; or a "
        "coroutine function of (reader, writer): module:attribute, or module:function() for what a function gives; "
        "module alone stands for module:factory.",
    )
    path: tuple[str, ...] = path_option()
    env: tuple[tuple[str, str], ...] = env_option()
    connections: int = options.connections_option()
    idle_timeout: float = options.idle_option("1h")
    total_timeout: float = options.total_option()
    access_log: bool = options.log_option()


class Protocol(Named):
    """One factory, in one section.

    What it imports may make a loop or a reactor, with descriptors that a fork must not share.
    """

    Options = ProtocolOptions
    kind = "protocol"
    attribute = "factory"
    shared = False
    blocking = False
    _engine: Any = None

    def load(self) -> None:
        """Raises AppError when there is no factory to be had."""
        found = load_target(self.target, self.options.path, self.options.env, self.place)
        self._module = _module_for(found)
        self.factory = self._module.factory_of(found, self.transport, self.name)

    def start(self, listeners: Sequence[socket.socket], host: Host) -> None:
        self._host = host
        self._engine = self._module.engine(host)
        self._engine.begin(self.factory)
        for listener in listeners if self.transport == "udp" else ():
            self._engine.receive(self.factory, listener)

    def serve(self, sock: Handed, address: Any, listener: socket.socket) -> None:
        self._engine.serve(self.factory, sock, partial(self._failed, sock, address))

    def receive(self, data: bytes, address: Any, sock: socket.socket) -> None:
        """Is not called: datagrams are read by the loop or the reactor."""
        raise NotImplementedError

    def leave(self) -> None:
        self._engine.leave()

    def close(self) -> None:
        if self._engine:
            self._engine.close()

    def _failed(self, sock: socket.socket, address: Any, error: BaseException) -> None:
        told = "".join(traceback.format_exception(error))
        self._host.error(f"{self.name} failed, client {address}", traceback=told)
        sock.close()


def _module_for(found: Any) -> Any:
    """The file that knows how it is served."""
    if "twisted.internet.protocol" in sys.modules:
        reactors = importlib.import_module(REACTORS)
        if reactors.known(found):
            return reactors
    return importlib.import_module(LOOPS)
