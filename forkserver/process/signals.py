"""Signals as numbers to be read, never as interruptions.

Knows how they reach a loop (signal.set_wakeup_fd); knows nothing of what they mean.  A handler does nothing.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from types import FrameType
from typing import Any


def _note(number: int, frame: FrameType | None) -> None:
    """Do nothing: the interpreter has written the number to the wake-up descriptor, if there is one, before this."""


class Signals:
    """A descriptor that is readable when one of `numbers` came."""

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.closed = False
        # The descriptor before the handlers: a number must find its way from the first one on.
        signal.set_wakeup_fd(self.writer, warn_on_full_buffer=False)
        self.numbers = tuple(numbers)
        for number in self.numbers:
            signal.signal(number, _note)

    def fileno(self) -> int:
        return self.reader

    def read(self) -> list[signal.Signals]:
        """The signals that came since the last call, in order, each once.

        Others that have a handler, such as those of `ignore`, are written to the descriptor, too.
        """
        try:
            numbers = os.read(self.reader, 4096)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in dict.fromkeys(numbers) if number in self.numbers]

    def close(self) -> None:
        """Back to the defaults; in a child of the owner, so that it does not write to its parent's descriptor.

        The second time does nothing: by then numbers and signals may be somebody else's.
        """
        if self.closed:
            return
        self.closed = True
        signal.set_wakeup_fd(-1)
        for number in self.numbers:
            signal.signal(number, signal.SIG_DFL)
        os.close(self.reader)
        os.close(self.writer)


def ignore(*numbers: signal.Signals) -> None:
    """Let these pass, in this process and in its forks.

    By a handler, since what is ignored stays so in a program that is executed, while handlers are taken away
    (execve(2)): there each signal does again what people expect of it.
    """
    for number in numbers:
        signal.signal(number, _note)
        signal.siginterrupt(number, False)  # system calls go on as if nothing had been


def release() -> None:
    """End the blocking that `fork()` began, once the child has arranged its own signals."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


Handlers = dict[signal.Signals, Any]


def handlers() -> Handlers:
    """What is done with each signal; without those that are handled outside Python."""
    found = {
        number: signal.getsignal(number) for number in signal.valid_signals() if isinstance(number, signal.Signals)
    }
    return {number: handler for number, handler in found.items() if handler is not None}


def put_back(before: Handlers) -> list[signal.Signals]:
    """Have it as it was; give what was changed.  For the main thread alone."""
    changed = [number for number, handler in before.items() if signal.getsignal(number) != handler]
    for number in changed:
        signal.signal(number, before[number])
    return changed
