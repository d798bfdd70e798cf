"""A request's body on its way in: in memory, then in an unlinked temporary file.

Knows where the bytes are kept and how many there may be; how they were framed is known to `http/framing.py`.
"""

from __future__ import annotations

import tempfile
from typing import BinaryIO

from forkserver.http.framing import ChunkedBody, LengthBody
from forkserver.http.request import CHUNKED, BadRequest


class Spool:
    """Takes a body off the wire piece by piece.  The bytes received so far are counted in `received`."""

    def __init__(self, length: int, limit: int, memory: int) -> None:
        """For a body of `length` bytes, or CHUNKED; at most `limit` bytes, of which `memory` stay in memory.

        BadRequest 413 when the announced length is too large already.
        """
        if length > limit:
            raise BadRequest(413, f"the body is larger than {limit} bytes")
        self.limit, self.memory = limit, memory
        self.reader = ChunkedBody() if length == CHUNKED else LengthBody(length)
        self.received = 0
        self.pieces: list[bytes] = []
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
        if self.received > self.limit:
            raise BadRequest(413, f"the body is larger than {self.limit} bytes")
        if self.file:
            self.file.write(payload)
        elif payload:
            self.pieces.append(payload)
            if self.received > self.memory:
                self._to_file()
        return rest

    def _to_file(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - `body` or `close` gives it away
        self.file.write(b"".join(self.pieces))
        self.pieces = []

    def body(self) -> bytes | BinaryIO:
        """The whole body; a file is at its start, and its taker closes it.  OSError when the disk is full."""
        if self.file:
            self.file.seek(0)
            file, self.file = self.file, None
            return file
        return b"".join(self.pieces)

    def close(self) -> None:
        """Give up a body that nobody took."""
        if self.file:
            self.file.close()
            self.file = None
