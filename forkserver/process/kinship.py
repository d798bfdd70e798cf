"""Who is whose child, beyond fork: prctl(2).

Knows two of its words, by which orphans come to the master and a mold goes with it; knows nothing of what they do.
"""

from __future__ import annotations

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with(parent: int) -> None:
    """Be killed when the parent, whose pid this is, ends; a change of user before this call does not undo it."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel knew of our wish
        os.kill(os.getpid(), signal.SIGKILL)


def outlive_parent() -> None:
    """Take that back."""
    _prctl(PR_SET_PDEATHSIG, 0)


def _prctl(word: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(word, value, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({word}): {os.strerror(number)}")
