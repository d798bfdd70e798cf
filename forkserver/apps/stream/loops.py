"""Protocols of asyncio, served by an event loop in a thread of the worker.

Loaded in a worker, by whoever serves one.  Knows asyncio; knows nothing of what is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import socket
import threading
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as Late
from typing import Any

from forkserver.apps.app import AppError
from forkserver.apps.loading import a_thing
from forkserver.apps.stream.app import Handed, Host
from forkserver.apps.stream.signatures import refuse_wrong_signature

STARTING = 10.0  # seconds in which datagrams must be listened to
ENDING = 0.2  # seconds that tasks have to end when the worker leaves, which may be at the very limit

Factory = Callable[[], asyncio.BaseProtocol]
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]

WANTED = {  # by transport: the protocols that fit
    "tcp": (asyncio.Protocol, asyncio.BufferedProtocol, asyncio.SubprocessProtocol),
    "udp": (asyncio.DatagramProtocol,),
}


def factory_of(found: Any, transport: str, name: str) -> Factory:
    """What makes a protocol for each connection; AppError for what does not, by all that can be seen.

    A coroutine function of (reader, writer) will do, too, as for asyncio.start_server.
    """
    if inspect.iscoroutinefunction(found):
        if transport == "udp":
            raise AppError(f"{name} takes connections: its section is [tcp ADDRESS]")
        refuse_wrong_signature(found, ("reader", "writer"), name)
        return lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader(), closing(found))
    if isinstance(found, asyncio.BaseProtocol):
        raise AppError(f"{name} is a protocol; name its class, or a function that makes one for each connection")
    if not callable(found):
        raise AppError(f"{name} is {a_thing(found)}, which cannot be called and so makes no protocol")
    if isinstance(found, type) and not issubclass(found, WANTED[transport]):
        raise AppError(
            f"{name} is a class that is no protocol of asyncio for {transport}; for what it makes, say {name}()"
        )
    refuse_wrong_signature(found, (), name)
    made: Factory = found
    return made


def closing(conversation: Conversation) -> Conversation:
    """The same, with its connection closed when it fails, which asyncio leaves open before Python 3.12."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await conversation(reader, writer)
        except BaseException:
            writer.close()
            raise

    return converse


class Loop:
    """One in each worker, so that protocols of several sections may share what their module has."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._complain)
        self._endpoints: list[asyncio.DatagramTransport] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="asyncio", daemon=True)
        self._thread.start()

    def serve(self, factory: Factory, sock: Handed, failed: Callable[[BaseException], None]) -> None:
        """Have a connection served; `failed` is told, by the loop's thread, when that cannot be."""
        if not isinstance(self._loop, asyncio.BaseEventLoop):  # such as uvloop's
            sock.copied()

        async def take() -> None:
            try:
                await self._loop.connect_accepted_socket(factory, sock)
            except Exception as error:  # the factory's trouble, and this connection's
                failed(error)

        self._do(take())

    def receive(self, factory: Factory, sock: socket.socket) -> None:
        """Have datagrams served until `leave`; raises what the factory raises."""

        async def take() -> None:
            transport, _ = await self._loop.create_datagram_endpoint(factory, sock=sock)
            self._endpoints.append(transport)

        self._do(take()).result(STARTING)

    def begin(self, factory: Factory) -> None:
        """There is nothing to be begun."""

    def leave(self) -> None:
        """Read no more datagrams."""
        for transport in self._endpoints:
            self._loop.call_soon_threadsafe(transport.close)

    def close(self) -> None:
        """End what still runs, as asyncio.run does."""
        self._closing = True
        if self._loop.is_running():
            with contextlib.suppress(Late):
                self._do(self._end()).result(ENDING)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(ENDING)

    def _do(self, work: Coroutine[Any, Any, None]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_asyncgens()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            why = "was stopped"
        except BaseException as error:  # the application's trouble, of whatever kind
            self._host.error("the loop of asyncio has ended", traceback=traceback.format_exc())
            why = f"has ended: {error!r}"
        if not self._closing:
            self._host.give_up(f"the loop of asyncio {why}")

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What nobody has caught, in a callback or a task (loop.call_exception_handler)."""
        error = context.get("exception")
        told = "".join(traceback.format_exception(error)) if error else ""
        whose = context.get("transport") or context.get("future") or context.get("handle") or ""
        client = whose.get_extra_info("peername") if isinstance(whose, asyncio.BaseTransport) else whose
        self._host.error(f"asyncio: {client}: {context['message']}", traceback=told)


@functools.cache
def engine(host: Host) -> Loop:
    """The loop of this process."""
    return Loop(host)
