"""The two streams of an environ: `wsgi.input` and `wsgi.errors` (PEP 3333, "Input and Error Streams").

Knows bytes and lines; nothing of requests, and nothing of where the lines of a log go.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

LONGEST_LINE = 8192  # characters of a line without an end that are kept waiting for it


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


def to_stderr(text: str) -> None:
    """The sink of who has no other."""
    print(text, file=sys.stderr, flush=True)


class Errors:
    """A text stream that hands whole lines to a log, all at once what one call has ended, with a name before them.

    Several threads may write: each has its own line until that is whole.
    """

    def __init__(self, name: str, sink: Callable[[str], None]) -> None:
        self._name, self._sink = name, sink
        self._mine = threading.local()

    def write(self, text: str) -> int:
        """TypeError for what is not str."""
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str, not {type(text).__name__}")
        whole, end, rest = (getattr(self._mine, "begun", "") + text).rpartition("\n")
        self._mine.begun = rest
        if end:
            self._say(whole)
        if len(rest) > LONGEST_LINE:
            self.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """What is not a whole line by now is taken for one."""
        begun, self._mine.begun = getattr(self._mine, "begun", ""), ""
        self._say(begun)

    def _say(self, text: str) -> None:
        if text.strip():
            self._sink(f"{self._name}: {text}")
