"""The stream of a request's body, `wsgi.input` (PEP 3333, "Input and Error Streams").

Knows bytes and lines; nothing of requests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO


class Input:
    """What both inputs have besides reading: what the wrappers of `io` ask for, and a `close` that closes nothing."""

    __slots__ = ()

    closed = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def flush(self) -> None:
        """Does nothing, as for all that is read."""

    def close(self) -> None:
        """Does nothing: it belongs to the server."""


class Nothing(Input):
    """The input of a request without a body: one object for all of them, since nothing can happen to it."""

    __slots__ = ()

    def read(self, size: int | None = -1, /) -> bytes:
        return b""

    read1 = readline = read

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        return []

    def readinto(self, buffer: bytearray | memoryview, /) -> int:
        return 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return 0

    def tell(self) -> int:
        return 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(())


class Spooled(Input):
    """The input of a body that lies in a file."""

    __slots__ = ("_file", "read", "read1", "readinto", "readline", "readlines", "seek", "tell")

    def __init__(self, file: Any) -> None:
        """`file` is open for reading, binary and buffered."""
        self._file = file
        self.read, self.read1, self.readinto = file.read, file.read1, file.readinto
        self.readline, self.readlines = file.readline, file.readlines
        self.seek, self.tell = file.seek, file.tell

    def __iter__(self) -> Spooled:
        return self

    def __next__(self) -> bytes:
        return next(self._file)  # type: ignore[no-any-return]


NOTHING = Nothing()


def input_of(body: bytes | BinaryIO) -> tuple[Nothing | BytesIO | Spooled, int]:
    """A stream of a complete body, and its length in bytes."""
    if isinstance(body, bytes):
        return (BytesIO(body), len(body)) if body else (NOTHING, 0)
    return Spooled(body), os.fstat(body.fileno()).st_size
