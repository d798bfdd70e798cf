"""How a server process begins and ends: in the foreground, or as a daemon of python-daemon's making (PEP 3143).

Knows what has to be there before the master runs; knows nothing of what it does then.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

from daemon import DaemonContext

from forkserver.assembly import Server, default_places
from forkserver.config import Config
from forkserver.log import ErrorLog
from forkserver.process.generation import Logs
from forkserver.process.master import Master
from forkserver.process.notify import Notifier
from forkserver.process.pidfile import PidFile, PidFileLocked
from forkserver.process.sockets import inherited

READY = "ready\n"  # the word of a daemon that serves; any other is the reason why it does not


def in_foreground(program: Server, config: Config) -> int:
    """Serve until told to end; give the exit code.  A pid file is written where the configuration names one."""
    pid_file = PidFile(config.server.pid) if config.server.pid else None
    with pid_file or contextlib.nullcontext():
        return _serve(program, config, pid_file, lambda why: None)


def in_background(program: Server, config: Config, ready: int) -> int:
    """Detach from terminal, session and folder, then serve; `ready` is the descriptor that is told how it went."""
    os.set_inheritable(ready, False)
    pid_file = PidFile(config.server.pid or default_places(config.path)[1])
    context = DaemonContext(
        pidfile=pid_file,
        files_preserve=[ready],
        working_directory="/",
        umask=0o027,
        prevent_core=False,
        signal_map={},
    )

    def announce(why: str) -> None:
        os.write(ready, (why or READY).encode("utf-8", "replace"))
        os.close(ready)

    try:
        with context:
            return _serve(program, config, pid_file, announce)
    except PidFileLocked as error:
        announce(str(error))
        return 1


def _serve(program: Server, config: Config, pid_file: PidFile | None, announce: Callable[[str], None]) -> int:
    notifier = Notifier(os.environ)
    gifts = inherited(os.environ)
    try:
        logs = Logs.open(config)
        log = ErrorLog(config.log.error, logs.error.descriptor, config.log.level)
        control = config.server.control or default_places(config.path)[0]
        master = Master(program, log, notifier, control_path=control, pid_file=pid_file, gifts=gifts, announce=announce)
    except OSError as error:
        why = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print(f"forkserver: cannot start: {why}", file=sys.stderr)
        announce(why)
        return 1
    return master.run(config, logs)
