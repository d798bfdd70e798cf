"""A script that runs, as its worker sees it: what it says and what it complains of, its limits and its end.

Knows descriptors and times; nothing of what the script's words mean.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from forkserver.apps.errorlines import Errors
from forkserver.http.request import Request

PORTION = 64 << 10  # bytes taken at once: as many as a pipe holds
PIPE = 1 << 20  # bytes that a pipe holds at most (pipe(7), pipe-max-size)
TICK = 0.25  # seconds between two looks at whether the client is still there
MARGIN = (
    5.0  # seconds that the call always has left: it is for us to end the script, not for the server to end the call
)
LINGER = 0.5  # seconds in which a script whose output has ended is seen to end
COMPLAINTS = 1 << 20  # bytes of one script's stderr that are logged
NEVER = float("inf")


class TooLong(Exception):  # noqa: N818 - a fact
    """The script has had its time; the text says which."""


class Crashed(Exception):  # noqa: N818 - a fact
    """A signal ended the script, and nobody knows what it still had to say."""


class Patience(NamedTuple):
    """What a script is given, in seconds."""

    silence: float  # without any output
    total: float  # 0 for any


class Process:
    """One script, in the hands of the thread that has its request."""

    def __init__(
        self,
        line: socket.socket,
        output: int,
        complaints: int,
        *,
        errors: Errors,
        patience: Patience,
        done: Callable[[], None],
    ) -> None:
        """`line` leads to whoever started it; that and the pipes `output` and `complaints` are ours from now on.

        `done` is called when we have let go of it.
        """
        self.line, self.output, self.complaints = line, output, complaints
        self.errors, self.patience, self.done = errors, patience, done
        self.status: int | None = None  # how it ended: its exit status, or -N for signal N
        self.over = False  # it has ended, or nobody knows any more
        self.drained = False  # there is no more output
        self.complained = 0  # bytes
        self.expires = time.monotonic() + patience.total if patience.total else NEVER
        self.poll = select.poll()
        for descriptor in (output, complaints, line.fileno()):
            self.poll.register(descriptor, select.POLLIN)

    def read(self, request: Request, until: float = NEVER) -> bytes | None:
        """The next of its output; b"" at its end, None when there is nothing `until` then (of the monotonic clock).

        The end is that of the script, whoever else may hold its output open: what it left running has no part in the
        answer.  TooLong, Crashed, and ConnectionAbortedError when the client has left.
        """
        deadline = min(time.monotonic() + self.patience.silence, self.expires)
        while not self.drained:
            if request.gone:
                raise ConnectionAbortedError("the client has left")
            now = time.monotonic()
            self._check(now, deadline)
            if self.output in self._look(min(TICK, until - now, deadline - now), request):
                if piece := self._take():
                    return piece
            elif self.over:
                self._drained()
            elif now >= until:
                return None
        self._await_end()
        if self.status is not None and self.status < 0:
            raise Crashed
        return b""

    def _await_end(self) -> None:
        """What has said all mostly ends at once: then it is known how, before the answer is taken for whole."""
        if not self.over:
            poll = select.poll()
            poll.register(self.line, select.POLLIN)
            if poll.poll(LINGER * 1000):
                self._learn_end()

    def _check(self, now: float, deadline: float) -> None:
        if now >= self.expires:
            raise TooLong(f"it has run for {self.patience.total:g} s")
        if now >= deadline:
            raise TooLong(f"it was silent for {self.patience.silence:g} s")

    def _take(self) -> bytes:
        """What is there of its output; once it has ended, that is all of it."""
        piece = os.read(self.output, PIPE if self.over else PORTION)
        if self.over or not piece:
            self._drained()
        return piece

    def _drained(self) -> None:
        self.drained = True
        self.poll.unregister(self.output)

    def _look(self, seconds: float, request: Request | None = None) -> set[int]:
        """Wait for something, hear what it complains of and whether it has ended, and tell what is readable."""
        if request:
            request.extend(MARGIN)
        wait = 0.0 if self.over else max(0.0, seconds)
        readable = {descriptor for descriptor, _ in self.poll.poll(wait * 1000)}
        if self.complaints in readable:
            self._hear()
        if self.over or self.line.fileno() not in readable:
            return readable
        self._learn_end()
        return self._look(0)  # what it wrote in its last moment is there by now

    def _hear(self) -> None:
        """What it wrote to stderr, for the log."""
        said = os.read(self.complaints, PORTION)
        if not said:
            self.poll.unregister(self.complaints)
        left = COMPLAINTS - self.complained
        self.complained += len(said)
        if left > 0:
            self.errors.write(said[:left].decode("utf-8", "replace"))
            if len(said) >= left:
                self.errors.write("\nthere is more of this, which is left out\n")

    def _learn_end(self) -> None:
        """Without a word, it is the process that started it which has ended."""
        self.over = True
        self.poll.unregister(self.line)
        with contextlib.suppress(OSError):
            told = self.line.recv(64)
            self.status = int(told) if told else None

    def run_out(self, request: Request) -> None:
        """Let it come to its end within its time, whatever it still says."""
        deadline = min(time.monotonic() + self.patience.silence, self.expires)
        while not self.over and time.monotonic() < deadline:
            if self.output in self._look(TICK, request):
                self._take()

    def end(self) -> None:
        """Let go of it; if it still runs, it is ended, process group and all."""
        try:
            self._look(0)
            self.errors.flush()
            if self.status is not None and self.status < 0:
                self.errors.write(f"it was ended by {_named(-self.status)}\n")
        finally:
            with contextlib.suppress(OSError):
                self.line.shutdown(socket.SHUT_RDWR)  # also where a process that an application forked has a copy
            self.line.close()
            os.close(self.output)
            os.close(self.complaints)
            self.done()


def _named(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
