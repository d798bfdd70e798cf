"""The one place that forks.

Knows how a child begins and ends, and nothing of what it does in between.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

FAULT = 70  # EX_SOFTWARE (sysexits.h): a child of ours that ends by an error of its own
CLOSED = "A descriptor of its own was closed: does an application close what it did not open, as os.closerange() may?\n"
NAMES = {number.value: number.name for number in signal.Signals}


def fork(name: str, main: Callable[[], int | None]) -> int:
    """Fork a child that runs `main()` and ends with the status it gives (None: 0); give its pid to the parent.

    All signals are blocked across the fork, so that none that reaches the child in its first instants is written to
    the wake-up descriptor that it shares with its parent; `main` begins by letting go of what is not its own and
    ends that state with `signals.release()` (signal(7), fork(2)).  The child never returns from here.
    Raises OSError when the system refuses (EAGAIN, ENOMEM).
    """
    _flush()  # what is in a buffer now would be written twice
    every = signal.valid_signals()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, every)
    try:
        pid = os.fork()
        if pid == 0:
            _live(name, main)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _live(name: str, main: Callable[[], int | None]) -> NoReturn:
    """The child's whole life: `os._exit` keeps it from running its parent's exit handlers and buffers."""
    status = FAULT
    try:
        status = main() or 0
    except BaseException as error:  # the last frame of a process: whatever happened must be said, then it ends
        text = traceback.format_exc()
        if isinstance(error, OSError) and error.errno == errno.EBADF:
            text += CLOSED
        os.write(2, f"forkserver: {name}[{os.getpid()}] ended by an error of its own\n{text}".encode(errors="replace"))
    finally:
        try:
            _flush()
        finally:
            os._exit(status & 0xFF)  # what is no C int would raise here, and the child return after all


def _flush() -> None:
    """Write what the applications have printed; that nobody reads it, or that one of them closed it, is no trouble."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def ended() -> Iterator[tuple[int, int]]:
    """Reap the children that have ended: pid, and code as os.waitstatus_to_exitcode() gives it."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:  # there is none at all
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def kill(pid: int) -> None:
    """End a child at once; one that was reaped in this very moment has ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def ending(code: int) -> str:
    """How a process ended, in words; `code` as os.waitstatus_to_exitcode() gives it.

    Most of the real-time signals have no name (signal(7)).
    """
    if code == FAULT:
        return f"exited with {code}: an error of its own, told above or on standard error"
    return f"exited with {code}" if code >= 0 else f"was killed by {NAMES.get(-code, f'signal {-code}')}"
