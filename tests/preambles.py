"""How a proxy begins a connection that it passes on: the PROXY protocol's version 2, byte by byte.

Written from the protocol's own text, and on purpose not from the parser that is tested with it.
"""

from __future__ import annotations

import socket
import struct

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")


def binary(command: int, kind: int, told: bytes = b"", size: int | None = None) -> bytes:
    """A whole preamble; `size` is told instead of the true one."""
    return SIGNATURE + struct.pack("!BBH", command, kind, len(told) if size is None else size) + told


def block(client: tuple[str, int], local: tuple[str, int]) -> bytes:
    """The addresses of both ends."""
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    ends = socket.inet_pton(family, client[0]) + socket.inet_pton(family, local[0])
    return ends + struct.pack("!HH", client[1], local[1])


def further(kind: int, value: bytes) -> bytes:
    """One of the facts that may follow."""
    return struct.pack("!BH", kind, len(value)) + value
