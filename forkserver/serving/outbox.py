"""What an application has given of a reply and the client has not taken: in memory, then in an unlinked file.

One thread puts, another takes: an application is done with its reply at its own pace, however slow the client.  Knows
bytes and room; knows nothing of who puts and takes, and of how a reply is framed.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import deque
from threading import Lock
from typing import BinaryIO

PORTION = 256 << 10  # bytes taken at once


class Outbox:
    """Pieces in, portions out, in their order.

    Each number has one thread that writes it, and a piece comes and goes by one operation of a deque, so that there is
    no lock but around the file.
    """

    def __init__(self, memory: int, spool: int) -> None:
        """Holds about `memory` bytes in memory, and as many as `spool` at a time in a file."""
        self.memory, self.spool = memory, spool
        self.pieces: deque[bytes] = deque()
        self.given = 0  # bytes put so far
        self.taken = 0  # bytes taken so far
        self.spooling = False  # what comes next goes to the file, and what is in memory came before it
        self.closed = False  # nobody takes any more
        self._file: BinaryIO | None = None
        self._written = self._read = 0  # bytes of the file
        self._lock = Lock()  # for the file
        self._gates: deque[Lock] = deque()  # where the one who puts waits for room

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return self.given > self.taken

    # The thread that puts.

    def put(self, piece: bytes) -> bool:
        """Take a piece in, which is not empty; False when there is no room for it.

        ConnectionAbortedError when nobody takes any more.
        """
        if self.closed:
            raise ConnectionAbortedError("the client has left")
        size = len(piece)
        if not self.spooling and (self.given - self.taken + size <= self.memory or self.given == self.taken):
            self.pieces.append(piece)
        else:
            with self._lock:
                if not self._to_file(piece):
                    return False
        self.given += size
        return True

    def _to_file(self, piece: bytes) -> bool:
        """Put it behind what is in the file; False when that is full, or the disk.

        The caller has the lock, and whoever takes or closes waits meanwhile: for a copy into the kernel's memory as a
        rule, for the disk where a piece is larger than that has room for.  Without the lock the file might be closed,
        and its descriptor be another one's, in the middle of the write.
        """
        if self.closed:  # in this very moment: nobody would close another file
            raise ConnectionAbortedError("the client has left")
        if self._written + len(piece) > self.spool:
            return False
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - `close` closes it
            done = 0
            while done < len(piece):
                done += os.pwrite(self._file.fileno(), memoryview(piece)[done:], self._written + done)
        except OSError:  # no room: the client has to take something first
            return False
        self._written += len(piece)
        self.spooling = True
        return True

    def wait(self) -> None:
        """Sleep until something was taken, or nobody takes any more.  Where all was taken there is room."""
        gate = Lock()
        gate.acquire()
        self._gates.append(gate)  # from now on whoever takes opens it: look once more only then
        if self.waiting and not self.closed:
            gate.acquire()

    # The thread that takes.

    def take(self) -> bytes:
        """The next portion; b"" when there is none at present."""
        portion = self._from_memory() if self.pieces else self._from_file() if self.spooling else b""
        if portion:
            self.taken += len(portion)
            self._open_gates()
        return portion

    def _from_memory(self) -> bytes:
        """Small pieces are joined: for each portion there is a system call."""
        pieces = [self.pieces.popleft()]
        size = len(pieces[0])
        while size < PORTION and self.pieces:
            size += len(self.pieces[0])
            pieces.append(self.pieces.popleft())
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _from_file(self) -> bytes:
        """OSError when the disk fails."""
        with self._lock:
            if self.pieces:  # they came while we went here, and before what is in the file
                return self._from_memory()
            if self._file is None:
                return b""
            portion = os.pread(self._file.fileno(), min(PORTION, self._written - self._read), self._read)
            if not portion:
                raise OSError("what was kept of a reply cannot be read back")
            self._read += len(portion)
            if self._read == self._written:  # memory is empty as well: begin anew
                self._read = self._written = 0
                os.ftruncate(self._file.fileno(), 0)
                self.spooling = False
            return portion

    def _open_gates(self) -> None:
        """Those that nobody waits at any more are among them; each is opened once."""
        while self._gates:
            self._gates.popleft().release()

    def close(self) -> None:
        """Nobody takes any more; whoever puts is told at the next piece."""
        self.closed = True
        self.pieces.clear()
        with self._lock:
            file, self._file = self._file, None
            self.spooling = False
        if file:
            with contextlib.suppress(OSError):
                file.close()
        self._open_gates()
