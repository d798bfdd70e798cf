"""How a server process begins and ends: in the foreground, or as a daemon of python-daemon's making (PEP 3143).

Knows what has to be there before the master runs; knows nothing of what it does then.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

from daemon import DaemonContext

from forkserver.assembly import Server, default_places
from forkserver.config import Config
from forkserver.log import ErrorLog
from forkserver.process.generation import Logs
from forkserver.process.master import Master
from forkserver.process.notify import Notifier
from forkserver.process.pidfile import PidFile, PidFileLocked
from forkserver.process.sockets import inherited

DESCRIPTORS = 65536  # for each process, at most
READY = "ready\n"  # the word of a daemon that serves; any other is the reason why it does not


class Teller:
    """The end of a pipe on which whoever began a daemon waits for one word, how it went."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def tell(self, why: str) -> None:
        """`why` it does not serve, "" when it does.  That nobody waits any more is no trouble."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.descriptor, (why or READY).encode("utf-8", "replace"))
        self.close()

    def close(self) -> None:
        """Without a word: in a child, or once it is told."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1


def in_foreground(program: Server, config: Config) -> int:
    """Serve until told to end; give the exit code.  A pid file is written where the configuration names one."""
    pid_file = PidFile(config.server.pid) if config.server.pid else None

    def complain(why: str) -> None:
        if why:
            print(f"forkserver: cannot start: {why}", file=sys.stderr)

    def announce(why: str) -> None:
        if config.log.error != "stderr":  # else the log has said it
            complain(why)

    def let_go() -> None:
        if pid_file:
            pid_file.let_go()

    context = pid_file or contextlib.nullcontext()
    return _serve(program, config, context, background=False, complain=complain, announce=announce, let_go=let_go)


def in_background(program: Server, config: Config, ready: int) -> int:
    """Detach from terminal, session and folder, then serve; `ready` is the descriptor that is told how it went."""
    os.set_inheritable(ready, False)
    teller = Teller(ready)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # so that what is printed is in the log at once
    pid_file = PidFile(config.server.pid or default_places(config.path)[1])
    context = DaemonContext(
        pidfile=pid_file,
        files_preserve=[ready],
        working_directory="/",
        umask=0o027,
        prevent_core=False,
        signal_map={},
    )

    def let_go() -> None:
        pid_file.let_go()
        teller.close()

    return _serve(program, config, context, background=True, complain=teller.tell, announce=teller.tell, let_go=let_go)


def _serve(
    program: Server,
    config: Config,
    context: contextlib.AbstractContextManager[Any],
    *,
    background: bool,
    complain: Callable[[str], None],
    announce: Callable[[str], None],
    let_go: Callable[[], None],
) -> int:
    """Run a master within `context`.

    `complain` is told what is missing before there is a master; `announce` and `let_go` are for the master.
    """
    _raise_limit()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(context)
            notifier, gifts = Notifier(os.environ), inherited(os.environ)
            logs = Logs.open(config, background=background)
            logs.capture()
            log = ErrorLog(config.log.error, logs.error.descriptor, config.log.level)
            control = config.server.control or default_places(config.path)[0]
            master = Master(program, log, notifier, control_path=control, gifts=gifts, announce=announce, let_go=let_go)
        except (PidFileLocked, OSError) as error:
            complain(_reason(error))
            return 1
        if os.geteuid() == 0 and not config.server.user:
            log.warning("everything runs as root: let [server] user name somebody else")
        return master.run(config, logs)


def _raise_limit() -> None:
    """As many descriptors as we are allowed without being root, within reason: the usual 1024 are for select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
