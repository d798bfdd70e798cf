"""Protocols of asyncio, as somebody would write them for a server of their own."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any, ClassVar


class Chat(asyncio.Protocol):
    """What one says all others in the room hear; some lines are orders."""

    room: ClassVar[set[Chat]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.room.add(self)

    def data_received(self, data: bytes) -> None:
        if data == b"pid\n":
            self.transport.write(b"%d\n" % os.getpid())
        elif data == b"raise\n":
            raise ValueError("asked to raise")
        elif data == b"stop\n":
            asyncio.get_running_loop().stop()
        else:
            for other in self.room:
                other.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.room.discard(self)


def failing() -> asyncio.Protocol:
    """A factory that makes nothing."""
    raise RuntimeError("makes nothing")


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As for asyncio.start_server."""
    while line := await reader.readline():
        if line == b"raise\n":
            raise ValueError("asked to raise")
        writer.write(line.upper())
        await writer.drain()
    writer.close()


class Time(asyncio.DatagramProtocol):
    """Whoever asks is told the time."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.transport.sendto(b"%d %s" % (int(time.time()), data), address)
