"""A worker's side of its zygotes: the processes that start scripts for it (`zygote.py`).

A worker has threads, and so must neither fork nor change its folder or limits; a zygote may.  It has one that executes
scripts, and one for each Python that it forks scripts from; all are started when they are first needed, and end with
the worker.  Knows sockets and orders; nothing of requests.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from forkserver.apps.cgi import zygote
from forkserver.apps.cgi.shebang import Interpreter
from forkserver.apps.cgi.zygote import EXECUTE, GRACE, LARGEST, READY, REFUSED, RUN, Order

PROGRAM = os.path.abspath(zygote.__file__)
LINE = 3  # the descriptor at which a zygote has its end of the line
PATIENCE = 15.0  # seconds for a zygote to load what it has to, and to start a script
RETRY = 60.0  # seconds after which one that could not be had is tried again


class Lost(Exception):  # noqa: N818 - a fact
    """The zygote is gone, and the script was not started."""


class Zygote:
    """One such process."""

    def __init__(self, command: Sequence[str], environ: Mapping[bytes, bytes], modules: Sequence[str]) -> None:
        """Start it; Lost when it does not come up, OSError when the system has no means."""
        self.orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.orders.settimeout(PATIENCE)
        with theirs:
            self.pid = os.posix_spawn(
                command[0],
                [*command, PROGRAM, str(LINE), *modules],
                environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), LINE),
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                ],
                setpgroup=0,  # what the keyboard sends is not for it
                setsigmask=(),
                setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
            )
        try:
            word, *troubles = self.orders.recv(LARGEST).split(b"\0")
        except OSError as error:
            self.end()
            raise Lost from error
        if word != READY:
            self.end()
            raise Lost
        self.troubles = [trouble.decode(errors="replace") for trouble in troubles]  # what it could not load
        self.alive = True

    def start(self, order: Order, streams: Sequence[int]) -> socket.socket:
        """Start a script with these as its standard streams; give its line.

        Lost when the zygote is, OSError when the system will not have the script.
        """
        message = order.pack()
        if len(message) > LARGEST:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
        line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line.settimeout(PATIENCE)
        try:
            with theirs:
                told = self._hand_over(message, [*streams, theirs.fileno()], theirs, line)
            if told.startswith(REFUSED):
                number = int(told.removeprefix(REFUSED))
                raise OSError(number, os.strerror(number))
        except BaseException:
            line.close()
            raise
        return line

    def _hand_over(self, message: bytes, descriptors: list[int], theirs: socket.socket, line: socket.socket) -> str:
        """What the zygote says to an order."""
        try:
            socket.send_fds(self.orders, [message], descriptors)
            theirs.close()  # so that the line ends if the zygote does
            told = line.recv(64)
        except OSError as error:
            self.alive = False
            raise Lost from error
        if not told:
            self.alive = False
            raise Lost
        return told.decode()

    def part(self) -> None:
        """Tell it that there will be no more: it ends what still runs, and then itself."""
        with contextlib.suppress(OSError):
            self.orders.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        """See it end."""
        self.part()
        self.orders.settimeout(2 * GRACE)
        with contextlib.suppress(OSError):
            while self.orders.recv(LARGEST):  # until its end of the line is closed, as it is with its process
                pass
        self.orders.close()
        with contextlib.suppress(ChildProcessError, ProcessLookupError):  # an application may have reaped it
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


Key = tuple[Interpreter, int, int]  # and inode and time of the interpreter: another file is another one


class Zygotes:
    """All that one mount has in one worker."""

    def __init__(self, environ: Mapping[bytes, bytes], modules: Sequence[str], say: Callable[[str], None]) -> None:
        """`environ` is what scripts have in any case; `say` takes lines for the log."""
        self.environ, self.modules, self.say = environ, modules, say
        self._held: dict[Key | None, Zygote] = {}
        self._failed: dict[Key | None, float] = {}  # when, by the monotonic clock
        self._lock = threading.Lock()

    def start(self, order: Order, streams: Sequence[int], interpreter: Interpreter | None) -> socket.socket:
        """Start a script, forked from this Python if that can be, else executed; give its line.

        OSError when the system will not have the script.
        """
        for key in (None,) if interpreter is None else (_key(interpreter), None):
            order.manner = RUN if key else EXECUTE
            for _ in range(2):  # one that has died meanwhile is replaced once
                held = self._get(key)
                if held is not None:
                    with contextlib.suppress(Lost):
                        return held.start(order, streams)
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def _get(self, key: Key | None) -> Zygote | None:
        """The zygote of a Python, or the one that executes; None when it cannot be had at present."""
        with self._lock:
            held = self._held.get(key)
            if held is not None and held.alive:
                return held
            if held is not None:
                self.say("a process that starts scripts has ended; there will be another one")
                del self._held[key]
                held.end()
            if key is not None and time.monotonic() - self._failed.get(key, -RETRY) < RETRY:
                return None
            return self._begin(key)

    def _begin(self, key: Key | None) -> Zygote | None:
        try:
            if key is None:
                # Lean, and nothing of its own surroundings: scripts get theirs with each order.
                made = Zygote([sys.executable, "-I", "-S"], {}, ())
            else:
                made = Zygote([key[0].path, *key[0].flags], self.environ, self.modules)
        except (Lost, OSError) as error:
            self._failed[key] = time.monotonic()
            what = (
                f"{key[0].path} cannot be kept warm; its scripts are executed" if key else "no process starts scripts"
            )
            self.say(f"{what}: {error}" if str(error) else what)
            return None
        for trouble in made.troubles:
            self.say(f"preload_modules: {trouble}")
        self._retire_former(key)
        self._held[key] = made
        return made

    def _retire_former(self, key: Key | None) -> None:
        """The same Python was another file before."""
        former = [other for other in self._held if key and other and other[0] == key[0]]
        for other in former:
            self._held.pop(other).part()

    def close(self) -> None:
        """End them all, and what they started."""
        with self._lock:
            held = list(self._held.values())
            self._held.clear()
        for one in held:
            one.part()
        for one in held:
            one.end()


def _key(interpreter: Interpreter) -> Key:
    """OSError when the interpreter is not there."""
    status = os.stat(interpreter.path)
    return interpreter, status.st_ino, status.st_mtime_ns
