"""Where a body ends: readers that take bytes as they come and give the payload (RFC 9112 sections 6 and 7).

Knows framing only: not what a body may weigh, where it is kept or what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from forkserver.http import grammar
from forkserver.http.fields import CHUNKED, split_line
from forkserver.http.grammar import BadRequest, next_line
from forkserver.http.request import DEFAULT_LIMITS, HeadLimits

CHUNK_LINE = 1024  # bytes of a chunk's size and extensions
EXTENSIONS = 16384  # bytes of all extensions of a body: being read for nothing, they may not go on for ever


class BodyReader(Protocol):
    """Takes a body off the bytes of a connection."""

    done: bool  # whether the body has ended; from then on everything fed is left over

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take the next bytes: (payload in them, bytes after the body's end).  Raises BadRequest.

        Once it has raised, the reader is of no further use.
        """


def body_reader(length: int, limits: HeadLimits = DEFAULT_LIMITS) -> BodyReader:
    """The reader for a head's `length`; `limits` bound the trailers of a chunked body."""
    return ChunkedBody(limits) if length == CHUNKED else LengthBody(length)


class LengthBody:
    """A body of so many bytes (RFC 9112 section 6.2)."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        payload = data[: self._left]
        self._left -= len(payload)
        self.done = self._left == 0
        return payload, data[len(payload) :]


class ChunkedBody:
    """A body in chunks, each with its size before it (RFC 9112 section 7.1).

    `announced` is the payload in bytes of all chunks whose size has been read, whether their data has come
    or not: a caller with a limit can refuse a chunk before it takes it.  `trailers` are (lower-case name,
    value) pairs in the order sent, without names that have an underscore; they are never a part of the
    head's fields (RFC 9110 section 6.5.1).  Raises BadRequest 400, and 431 for trailers beyond `limits`.
    """

    def __init__(self, limits: HeadLimits = DEFAULT_LIMITS) -> None:
        self.done = False
        self.announced = 0
        self.trailers: tuple[tuple[str, str], ...] = ()
        self._limits = limits
        self._step: Callable[[bytes, int, list[bytes]], int] = self._size
        self._held = b""  # the beginning of a line that is not whole yet
        self._left = 0  # bytes of the chunk that have not come
        self._extensions = EXTENSIONS  # bytes of them that may still come
        self._room = limits.fields  # bytes of trailers that may still come
        self._lines = 0  # trailer lines that came

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        data, self._held = self._held + data, b""
        parts: list[bytes] = []
        at = 0
        while at < len(data) and not self.done:
            after = self._step(data, at, parts)
            if after < 0:
                self._held = data[at:]
                return b"".join(parts), b""
            at = after
        return b"".join(parts), data[at:]

    # Each step reads one element at `at` and gives the position after it, or -1 when it is not whole.

    def _size(self, data: bytes, at: int, _parts: list[bytes]) -> int:
        after = next_line(data, at, CHUNK_LINE, 400, "the line before a chunk is too long")
        if after < 0:
            return after
        match = grammar.CHUNK_LINE.fullmatch(data, at, after - 2)
        if match is None:
            raise BadRequest(400, "the line before a chunk is malformed")
        self._extensions -= len(match[2])
        if self._extensions < 0:
            raise BadRequest(400, "the chunks have too many extensions")
        self._left = int(match[1], 16)
        self.announced += self._left
        self._step = self._data if self._left else self._trailer
        return after

    def _data(self, data: bytes, at: int, parts: list[bytes]) -> int:
        part = data[at : at + self._left]
        parts.append(part)
        self._left -= len(part)
        if not self._left:
            self._step = self._end
        return at + len(part)

    def _end(self, data: bytes, at: int, _parts: list[bytes]) -> int:
        end = data[at : at + 2]
        if end == b"\r":
            return -1
        if end != b"\r\n":
            raise BadRequest(400, "a chunk is longer than its size")
        self._step = self._size
        return at + 2

    def _trailer(self, data: bytes, at: int, _parts: list[bytes]) -> int:
        room = max(0, min(self._limits.field, self._room - 2))
        after = next_line(data, at, room, 431, "the trailers are too large")
        if after < 0:
            return after
        line = data[at : after - 2]
        if not line:
            self.done = True
            return after
        self._room -= after - at
        self._lines += 1
        if self._lines > self._limits.count:
            raise BadRequest(431, "there are too many trailers")
        name, value = split_line(line)
        if "_" not in name:
            self.trailers += ((name, value.decode("latin-1")),)
        return after
