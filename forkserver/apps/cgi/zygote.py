"""A program of its own, from which CGI scripts are started: one process that does nothing else, and has no threads.

A worker runs it as `PYTHON [FLAGS] zygote.py DESCRIPTOR [MODULE...]`, being at the other end of the socket DESCRIPTOR.
A script is executed, or, being in Python, run in a fork of this process (`warmscript.py`), where the interpreter, the
modules and the compiled script are there already.

With each order come four descriptors: standard input, output and error of the script, and its line.  The line is told
the script's pid or why there is none, and then how it ended.  When the worker closes its end of the line, the script
is ended, process group and all; so are all scripts when the worker is gone, and then this process ends.

Runs in whichever Python a script names, from 3.8 on: knows the standard library alone, and nothing of ours.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
    del sys.path[0]  # our own folder: there is nothing to be imported from it

import array
import contextlib
import gc
import importlib
import os
import resource
import select
import signal
import socket
import time
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import TYPE_CHECKING

EXECUTE, RUN = b"execute", b"run"
READY, REFUSED = b"ready", "!"
LARGEST = 128 << 10  # bytes of an order
DESCRIPTORS = 4
GRACE = 3.0  # seconds between asking a script to end and ending it, as with Apache
NEVER = float("inf")


def sibling(name: str) -> ModuleType:
    """A file beside this one as a module that no script can import, or have shadowed, by its name."""
    spec = spec_from_file_location(name, os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from forkserver.apps.cgi import warmscript
else:
    warmscript = sibling("warmscript")


class Order:
    """What is to be started, and how; text is bytes, without NUL."""

    def __init__(
        self, manner: bytes, script: bytes, arguments: list[bytes], environ: dict[bytes, bytes], memory: int
    ) -> None:
        """`manner` is EXECUTE or RUN, `script` a path, `memory` the limit of its address space in bytes, 0 for none."""
        self.manner, self.script, self.arguments, self.environ, self.memory = manner, script, arguments, environ, memory

    def pack(self) -> bytes:
        """As one message."""
        head = [self.manner, self.script, b"%d" % self.memory, b"%d" % len(self.arguments)]
        return b"\0".join([*head, *self.arguments, *(b"%b=%b" % pair for pair in self.environ.items())])

    @classmethod
    def unpack(cls, message: bytes) -> Order:
        """From such a message."""
        manner, script, memory, count, *rest = message.split(b"\0")
        pairs = [pair.partition(b"=") for pair in rest[int(count) :]]
        return cls(manner, script, rest[: int(count)], {name: value for name, _, value in pairs}, int(memory))


class Line:
    """A script that runs, and the worker's line to it."""

    def __init__(self, end: socket.socket) -> None:
        self.end, self.pid = end, 0
        self.ending = False  # it was asked to end
        self.deadline = NEVER  # of the monotonic clock, at which it is not asked any more

    def tell(self, text: str) -> None:
        """That nobody listens any more is no trouble."""
        with contextlib.suppress(OSError):
            self.end.send(text.encode())

    def kill(self, number: int) -> None:
        """Signal the script's group; before it has one, the script."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)


class Zygote:
    """All scripts of one worker that this process has started."""

    def __init__(self, orders: socket.socket) -> None:
        self.orders = orders
        self.lines: dict[int, Line] = {}  # by descriptor
        self.compiler, self.stage = warmscript.Compiler(), warmscript.Stage()
        self.alarm, self.bell = os.pipe()
        os.set_blocking(self.bell, False)
        self.poll = select.poll()
        self.poll.register(orders.fileno(), select.POLLIN)
        self.poll.register(self.alarm, select.POLLIN)

    def run(self) -> None:
        """Start what is ordered until the worker is gone, then end what still runs."""
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.bell, warn_on_full_buffer=False)
        serving = True
        while serving or self.lines:
            for descriptor, _ in self.poll.poll(self._patience()):
                if descriptor == self.alarm:
                    os.read(self.alarm, 4096)
                    self._bury()
                elif descriptor in self.lines:
                    self._end(descriptor)
                elif serving and not self._take_order():
                    serving = False
                    self.poll.unregister(self.orders.fileno())
                    for still in list(self.lines):
                        self._end(still)
            self._kill_overdue()

    def _patience(self) -> float | None:
        """Milliseconds until something is due; None when nothing is."""
        due = min((line.deadline for line in self.lines.values()), default=NEVER)
        return None if due == NEVER else max(0.0, due - time.monotonic()) * 1000

    def _take_order(self) -> bool:
        """False when there will be no more."""
        message, descriptors = receive(self.orders)
        if not message:
            return False
        *streams, end = descriptors
        line = Line(socket.socket(fileno=end))
        try:
            order = Order.unpack(message)
            os.chdir(os.path.dirname(order.script))
            line.pid = execute(order, streams) if order.manner == EXECUTE else self._fork(order, streams, line)
        except OSError as error:
            line.tell(f"{REFUSED}{error.errno or 0}")
            line.end.close()
        else:
            line.tell(str(line.pid))
            self.lines[end] = line
            self.poll.register(end, select.POLLIN)
        os.chdir("/")
        for descriptor in streams:
            os.close(descriptor)
        return True

    def _fork(self, order: Order, streams: list[int], line: Line) -> int:
        compiled = self.compiler.get(order.script)
        self.stage.set(order.script, order.arguments, order.environ)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self._let_go(streams, line)
                limit_memory(0, order.memory)
                status = self.stage.run(compiled)
            except BaseException:  # ours: its author shall see it all the same
                sys.__excepthook__(*sys.exc_info())
            finally:
                os._exit(status)
        return pid

    def _let_go(self, streams: list[int], line: Line) -> None:
        """In the child: a session of its own, its streams at 0, 1 and 2, and nothing of ours."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        for descriptor in (*streams, self.alarm, self.bell):
            os.close(descriptor)
        for end in (self.orders, line.end, *(other.end for other in self.lines.values())):
            end.close()

    def _end(self, descriptor: int) -> None:
        """The worker has let go of a script."""
        line = self.lines[descriptor]
        if not line.ending:
            line.ending = True
            line.deadline = time.monotonic() + GRACE
            line.kill(signal.SIGTERM)
            self.poll.unregister(descriptor)

    def _kill_overdue(self) -> None:
        for line in self.lines.values():
            if line.deadline <= time.monotonic():
                line.deadline = NEVER
                line.kill(signal.SIGKILL)

    def _bury(self) -> None:
        """Tell how scripts ended.

        What is left of the group of one that was asked to end goes with it, while its pid still is nobody else's.
        """
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            descriptor = next((number for number, line in self.lines.items() if line.pid == dead.si_pid), None)
            line = self.lines.pop(descriptor) if descriptor is not None else None  # None: a module started it
            if line and line.ending:
                line.kill(signal.SIGKILL)
            _, status = os.waitpid(dead.si_pid, 0)
            if line:
                line.tell(str(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)))
                if not line.ending:
                    self.poll.unregister(line.end)
                line.end.close()


def receive(orders: socket.socket) -> tuple[bytes, list[int]]:
    """The next message and its descriptors; b"" at the end."""
    message, ancillary, _, _ = orders.recvmsg(LARGEST, socket.CMSG_SPACE(4 * DESCRIPTORS), socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    return message, descriptors.tolist()


def execute(order: Order, streams: list[int]) -> int:
    """Start a script as a program, with nothing of what Python changes in its own process; give its pid.

    OSError when the system will not.
    """
    pid = os.posix_spawn(
        order.script,
        [order.script, *order.arguments],
        order.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, descriptor, number) for number, descriptor in enumerate(streams)],
        setsid=True,
        setsigmask=(),
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
    )
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        limit_memory(pid, order.memory)
    return pid


def limit_memory(pid: int, size: int) -> None:
    """Bound the address space of a process; 0 is this one."""
    if size:
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        size = size if most == resource.RLIM_INFINITY else min(size, most)
        resource.prlimit(pid, resource.RLIMIT_AS, (size, size))


def load(modules: list[str]) -> list[str]:
    """Import modules for all scripts to come; what is wrong with those that fail."""
    troubles = []
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # whoever wrote the module, it is no reason not to serve
            troubles.append(f"{module} cannot be imported: {type(error).__name__}: {error}")
    return troubles


def main(number: str, *modules: str) -> None:
    """Load, say so, and serve."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > int(number):  # what the server itself was started with is not for scripts
            with contextlib.suppress(OSError):
                os.close(descriptor)
    orders = socket.socket(fileno=int(number))
    orders.set_inheritable(False)
    troubles = load(list(modules))
    if len(os.listdir("/proc/self/task")) > 1:
        sys.exit("the modules that were loaded have started threads, which no fork bears")
    gc.collect()
    gc.freeze()  # what is here stays out of the collector's sight, so that its pages stay shared
    orders.send(b"\0".join([READY, *(trouble.encode(errors="replace") for trouble in troubles)]))
    Zygote(orders).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
