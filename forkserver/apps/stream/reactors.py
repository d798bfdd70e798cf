"""Factories of Twisted, served by its reactor in a thread of the worker.

Loaded in a worker, and only where Twisted is loaded already.  Knows Twisted; knows nothing of what is said.
"""

from __future__ import annotations

import functools
import socket
import threading
import traceback
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.interfaces import ILoggingContext, IProtocolFactory
from twisted.internet.protocol import AbstractDatagramProtocol
from twisted.internet.threads import blockingCallFromThread
from twisted.logger import LogLevel, formatEvent, globalLogBeginner, globalLogPublisher
from zope.interface import implementer

from forkserver.apps.app import AppError
from forkserver.apps.stream.app import Handed, Host

ENDING = 0.2  # seconds that the reactor has to end when the worker leaves, which may be at the very limit
LARGEST = 65535  # bytes of a datagram


def known(found: Any) -> bool:
    """Whether it is one of Twisted's."""
    return isinstance(found, AbstractDatagramProtocol) or IProtocolFactory.providedBy(found)


def factory_of(found: Any, transport: str, name: str) -> Any:
    """A factory for connections, a protocol for datagrams; AppError for the wrong one of them."""
    if isinstance(found, AbstractDatagramProtocol) != (transport == "udp"):
        other = {"tcp": "datagrams: its section is [udp ADDRESS]", "udp": "connections: its section is [tcp ADDRESS]"}
        raise AppError(f"{name} is for {other[transport]}")
    return found


class Reactor:
    """The reactor of a process, of which there is one."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._reactor: Any = installed
        self._factories: list[Any] = []
        self._ports: list[Any] = []
        self._closing = False
        listen_to_log(self._tell)
        self._thread = threading.Thread(target=self._run, name="reactor", daemon=True)
        self._thread.start()

    def begin(self, factory: Any) -> None:
        """What listenTCP would have told the factory; raises what it raises."""
        if not isinstance(factory, AbstractDatagramProtocol):
            blockingCallFromThread(self._reactor, factory.doStart)
            self._factories.append(factory)

    def serve(self, factory: Any, sock: Handed, failed: Callable[[BaseException], None]) -> None:
        """Have a connection served; `failed` is told, by the reactor's thread, when that cannot be."""

        def take() -> None:
            try:
                sock.setblocking(False)
                transport = self._reactor.adoptStreamConnection(sock.fileno(), sock.family, _Way(factory, sock))
            except Exception as error:  # the factory's trouble, and this connection's
                failed(error)
            else:
                if transport is None:  # the factory does not want it
                    sock.close()

        self._reactor.callFromThread(take)

    def receive(self, factory: Any, sock: socket.socket) -> None:
        """Have datagrams served until `leave`."""

        def take() -> None:
            port = self._reactor.adoptDatagramPort(sock.fileno(), sock.family, factory, LARGEST)
            self._ports.append(port)

        blockingCallFromThread(self._reactor, take)

    def leave(self) -> None:
        """Read no more datagrams."""
        for port in self._ports:
            self._reactor.callFromThread(port.stopListening)

    def close(self) -> None:
        """End it, the factories first."""
        if not self._closing:
            self._closing = True
            for factory in self._factories:
                self._reactor.callFromThread(factory.doStop)
            self._reactor.callFromThread(self._reactor.stop)
        self._thread.join(ENDING)

    def _run(self) -> None:
        why = "was stopped"
        try:
            self._reactor.run(installSignalHandlers=False)
        except BaseException as error:  # the application's trouble, of whatever kind
            self._host.error("the reactor has ended", traceback=traceback.format_exc())
            why = f"has ended: {error!r}"
        if not self._closing:
            self._host.give_up(f"the reactor {why}")

    def _tell(self, event: dict[str, Any]) -> None:
        """An event of Twisted's log that somebody should hear of."""
        if event["log_level"] < LogLevel.warn:
            return
        first, _, rest = formatEvent(event).partition("\n")  # what is logged in the old way has its traceback there
        text = f"{event.get('log_system', '-')}: {first}"
        failure = event.get("log_failure")
        if event["log_level"] < LogLevel.error:
            self._host.warning(text)
        else:
            self._host.error(text, traceback=rest or (failure.getTraceback() if failure else ""))


def listen_to_log(observer: Callable[[dict[str, Any]], None]) -> None:
    """Hear what Twisted logs: in place of standard error, unless the application has chosen a place."""
    if getattr(globalLogBeginner, "_temporaryObserver", None) is None:
        globalLogPublisher.addObserver(observer)
    else:
        globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)


class _Way:
    """A factory's place for one connection, so that its end is noticed, whatever the protocol makes of it."""

    def __init__(self, factory: Any, sock: Handed) -> None:
        self._factory, self._sock = factory, sock

    def buildProtocol(self, address: Any) -> Any:  # noqa: N802 - Twisted's name
        protocol = self._factory.buildProtocol(address)
        return None if protocol is None else _Entrance(protocol, self._sock)


@implementer(ILoggingContext)
class _Entrance:
    """Stands in for a protocol until its transport is made."""

    def __init__(self, protocol: Any, sock: Handed) -> None:
        self._protocol, self._sock = protocol, sock

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        prefix: str = getattr(self._protocol, "logPrefix", lambda: type(self._protocol).__name__)()
        return prefix

    def makeConnection(self, transport: Any) -> None:  # noqa: N802 - Twisted's name
        lost = transport.connectionLost

        def connection_lost(*reason: Any) -> None:
            try:
                lost(*reason)
            finally:
                self._sock.close()

        transport.connectionLost = connection_lost
        self._sock.copied()
        transport.protocol = self._protocol
        self._protocol.makeConnection(transport)


@functools.cache
def engine(host: Host) -> Reactor:
    """The reactor of this process, running."""
    return Reactor(host)
