"""A request's body on its way in: in memory, then in an unlinked temporary file.

Knows where the bytes are kept and how many there may be; how they were framed is known to `http/framing.py`.
"""

from __future__ import annotations

import contextlib
import tempfile
from typing import BinaryIO

from forkserver.http.framing import ChunkedBody, body_reader
from forkserver.http.request import DEFAULT_LIMITS, BadRequest, HeadLimits


class Spool:
    """Takes a body off the wire piece by piece.  The bytes received so far are counted in `received`."""

    def __init__(
        self, length: int, limit: int, memory: int, trailers: HeadLimits = DEFAULT_LIMITS, *, wanted: bool = True
    ) -> None:
        """For a body of `length` bytes, or CHUNKED; at most `limit` bytes, of which `memory` stay in memory.

        `trailers` bound what may follow a chunked body; one that is not `wanted` is read and thrown away.
        BadRequest 413 when the length is too large already.
        """
        self.limit, self.memory, self.wanted = limit, memory, wanted
        self._check(length)
        self.reader = body_reader(length, trailers)
        self.received = 0
        self.kept = bytearray()  # one object, however many pieces: a list of single bytes would take forty times more
        self.file: BinaryIO | None = None

    @property
    def done(self) -> bool:
        return self.reader.done

    def feed(self, data: bytes) -> bytes:
        """Take what belongs to the body; give back what follows it.

        BadRequest when the framing is wrong or the body too large, OSError when the disk is full.
        """
        payload, rest = self.reader.feed(data)
        self.received += len(payload)
        if isinstance(self.reader, ChunkedBody):  # a chunk is refused by its size, before its data is taken
            self._check(self.reader.announced)
        if not self.wanted:
            return rest
        if self.file:
            self.file.write(payload)
        else:
            self.kept += payload
            if self.received > self.memory:
                self._to_file()
        return rest

    def _check(self, size: int) -> None:
        if size > self.limit:
            raise BadRequest(413, f"the body is larger than {self.limit} bytes")

    def _to_file(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self.file.write(self.kept)
        self.kept = bytearray()

    def body(self) -> bytes | BinaryIO:
        """The whole body; a file is at its start and stays ours to close.  OSError when the disk is full."""
        if self.file:
            self.file.seek(0)
            return self.file
        return bytes(self.kept)

    def close(self) -> None:
        """Nobody reads the body any more."""
        if self.file:
            with contextlib.suppress(OSError):  # a full disk is told once more; the descriptor is closed all the same
                self.file.close()
            self.file = None
