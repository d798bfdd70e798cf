"""`wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling"), and the file below it for sendfile(2).

Knows files; nothing of heads and requests.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple

from forkserver.http.response import FileSlice

DEEPEST = 5  # wrappers around a file, as Django's and tempfile's are, that are looked through


class FileWrapper:
    """A file as an iterable of its blocks; it has a `close` if the file has one."""

    def __init__(self, filelike: Any, block_size: int = 8192) -> None:
        self.filelike, self.block_size = filelike, block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(self.block_size)
        if data:
            return data
        raise StopIteration


class Stretch(NamedTuple):
    """What is left to read of a regular file."""

    descriptor: int
    offset: int
    length: int


class Held:
    """A descriptor of our own, to send from."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        os.close(self._descriptor)


def stretch_of(filelike: Any) -> Stretch | None:
    """The rest of the file from where it stands; None where its own `read` might give anything else, or must tell."""
    try:
        if not _is_plain(filelike):
            return None
        descriptor = filelike.fileno()
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None
        tell = getattr(filelike, "tell", None)
        offset = tell() if tell else os.lseek(descriptor, 0, os.SEEK_CUR)
    except (AttributeError, OSError, TypeError, ValueError):  # no file, or a closed one: reading it will tell
        return None
    return Stretch(descriptor, offset, max(0, status.st_size - offset))


def _is_plain(filelike: Any) -> bool:
    """Whether bytes are read just as they lie in the file.

    What unpacks or decodes, as gzip.GzipFile or a text file, has the `fileno` of the file below, too.  Of things that
    are not from `io` PEP 3333 has us believe that `fileno` says it all.
    """
    inner = filelike
    for _ in range(DEEPEST):
        if isinstance(inner, io.IOBase) or not hasattr(inner, "file"):
            break
        inner = inner.file
    if isinstance(inner, (io.BufferedReader, io.BufferedRandom)):
        inner = inner.raw
    return isinstance(inner, io.FileIO) or not isinstance(inner, io.IOBase)


def slice_of(stretch: Stretch, length: int) -> FileSlice | None:
    """The first `length` bytes of a stretch, of a file that stays open until it is sent; None without descriptors."""
    try:
        return FileSlice(Held(os.dup(stretch.descriptor)), stretch.offset, length)
    except OSError:  # there are no more: the application's own will do
        return None
