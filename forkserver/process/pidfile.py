"""The pid file, locked for as long as its writer lives, so that a stale one is never believed (fcntl(2), F_SETLK).

Knows the lock, which the kernel drops with the process however it ends; knows nothing of who asks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from types import TracebackType


class PidFileLocked(Exception):  # noqa: N818 - reads as the sentence it prints
    """Another living process holds the pid file."""


class PidFile:
    """A context in which the file holds this process's pid and its lock; the file goes at the end.

    The lock belongs to the process, not to the descriptor: children do not inherit it (F_SETLK, fcntl(2)).
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor = -1

    def __enter__(self) -> PidFile:
        """PidFileLocked when another holds it, OSError when it cannot be written."""
        os.makedirs(os.path.dirname(self.path) or ".", mode=0o755, exist_ok=True)
        while not self._hold():
            pass  # its holder has taken the file away between our opening and our locking it
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def _hold(self) -> bool:
        """Open and lock; False when the file that we locked is not the one that stands there now."""
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            holder = os.read(self.descriptor, 20).decode("ascii", "replace").strip()
            self._close()
            raise PidFileLocked(f"{self.path} is held by process {holder}: already running") from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self.path), os.fstat(self.descriptor)):
                return True
        self._close()
        return False

    def _close(self) -> None:
        os.close(self.descriptor)
        self.descriptor = -1

    def let_go(self) -> None:
        """In a child: the file and its lock are the parent's."""
        if self.descriptor >= 0:
            self._close()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unlink before the lock goes: the next holder makes a file of its own."""
        with contextlib.suppress(FileNotFoundError):  # somebody tidied up before us: it is gone, as it should be
            os.unlink(self.path)
        self._close()
