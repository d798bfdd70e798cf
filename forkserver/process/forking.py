"""The one place that forks.

Knows how a child begins and ends, and nothing of what it does in between.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn


def fork(name: str, main: Callable[[], int | None]) -> int:
    """Fork a child that runs `main()` and ends with the status it gives (None: 0); give its pid to the parent.

    All signals are blocked across the fork, so that none that reaches the child in its first instants is written to
    the wake-up descriptor that it shares with its parent; `main` begins by letting go of what is not its own and
    ends that state with `signals.release()` (signal(7), fork(2)).  The child never returns from here.
    Raises OSError when the system refuses (EAGAIN, ENOMEM).
    """
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
    status = 1
    try:
        status = main() or 0
    except BaseException:  # the last frame of a process: whatever happened must be said, then it ends
        text = traceback.format_exc()
        os.write(2, f"forkserver: {name}[{os.getpid()}] ended by an error of its own\n{text}".encode())
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()
        os._exit(status)
