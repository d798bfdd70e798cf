"""Where the halves are joined: what the master is handed, made of configuration, applications and worker.

The only file that knows both `process` and `serving`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import traceback
import zlib
from collections.abc import Mapping
from functools import partial
from ipaddress import IPv6Network
from typing import TYPE_CHECKING, Any, cast

from forkserver.apps import AppError, BlockingApp, Checkable
from forkserver.config import Config, describe, section_of
from forkserver.http.trust import Trust
from forkserver.log import ErrorLog, access_writer
from forkserver.log.format import compile_format
from forkserver.log.slow import slow_log
from forkserver.process.program import CannotLoad, Place
from forkserver.serving.routing import Mount, Site
from forkserver.serving.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from forkserver.process.scoreboard import Scoreboard, Slot

SERVER = "forkserver"  # the value of the Server field


class Figures:
    """A worker's seat on the scoreboard, as the worker sees it."""

    def __init__(self, slot: Slot, board: Scoreboard) -> None:
        self.slot, self.board = slot, board
        self.count, self.desk = slot.count, slot.desk

    def hold(self, client: str, change: int) -> int:
        """Count a client's connections up or down; give how many all workers hold together.

        Clients are told apart by a hash that all workers share, as they are forks of one process; nobody outside
        can foresee it (PYTHONHASHSEED).  With IPv6 a client has a whole network of addresses (RFC 6177).
        """
        if ":" in client:
            client = str(IPv6Network((client.partition("%")[0], 64), strict=False))
        return self.board.hold(self.slot, hash(client), change)


class Server:
    """The `Program` of forkserver."""

    def __init__(self, configure: Callable[[], Config], kinds: Mapping[str, type[Any]]) -> None:
        self.configure = configure
        self.kinds = kinds

    def show(self, config: Config) -> str:
        return describe.show(config)

    def load(self, config: Config) -> Site:
        """Every mount with its application loaded; CannotLoad names the section that is wrong."""
        mounts = []
        for mount in config.mounts:
            app = self.kinds[mount.kind](mount.options, mount.prefix)
            try:
                app.load()
            except AppError as error:
                raise CannotLoad(f"{mount.origin}: [{section_of(mount)}] {error}") from error
            mounts.append(Mount(mount.host, mount.prefix, app))
        return Site(mounts)

    def serve(self, config: Config, loaded: Site, place: Place) -> None:
        """A worker's life."""
        log = ErrorLog(config.log.error, place.error_log, config.log.level, role=f"worker {place.seat}")
        writer = None
        if config.log.access != "none":
            writer = access_writer(config.log.access, place.access_log, log.report_of("access log"))
        worker = Worker(
            site=loaded,
            limits=config.limits,
            listeners=[listener.socket for listener in place.listeners],
            orders=place.lifeline,
            figures=Figures(place.slot, place.board),
            log=log,
            access=writer,
            access_format=compile_format(config.log.format),
            server=SERVER if config.server.server_header else "",
            threads=config.server.threads,
            slow=slow_log(config.log.slow, place.slow_log, role=f"worker {place.seat}"),
            slow_after=config.log.slow_after,
            trust=Trust(config.server.trusted),
            proxied=[listener.socket for listener in place.listeners if listener.address.proxy],
        )
        for app in loaded.apps():
            if app.blocking:
                errors = partial(log.warning, lines=True)
                cast("BlockingApp", app).employ(threads=config.server.threads, errors=errors)
        try:
            worker.run()
        except Exception:  # ours: it is said where it will be read, and then the process ends by it
            log.error("ended by an error of its own", traceback=traceback.format_exc())
            raise
        for app in loaded.apps():
            app.close()


def foreseen(config: Config, kinds: Mapping[str, type[Any]]) -> list[str]:
    """Why applications cannot be loaded, as far as that is told without running them, each with its file and line."""
    found = []
    for mount in config.mounts:
        app = kinds[mount.kind](mount.options, mount.prefix)
        if isinstance(app, Checkable):
            try:
                app.check()
            except AppError as error:
                section = section_of(mount)
                found.append(f"{config.origins[section, mount.kind]}: [{section}] {mount.kind}: {error}")
    return found


def default_places(path: str) -> tuple[str, str]:
    """Control socket and pid file for a configuration that names none: one pair for each file and user.

    In /run/forkserver for root, else in the user's runtime folder (XDG Base Directory Specification) or in a folder
    of its own in /tmp.  OSError when that one is not its own.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if os.geteuid() == 0:
        folder = "/run/forkserver"
    elif runtime:
        folder = os.path.join(runtime, "forkserver")
    else:
        folder = _own_folder(f"/tmp/forkserver-{os.getuid()}")  # noqa: S108 - checked
    # A checksum of the path tells apart files of one name.
    checksum = zlib.crc32(os.path.abspath(path).encode("utf-8", "surrogateescape"))
    name = f"{os.path.splitext(os.path.basename(path))[0]}-{checksum:08x}"
    return os.path.join(folder, f"{name}.sock"), os.path.join(folder, f"{name}.pid")


def _own_folder(path: str) -> str:
    """A folder where anybody can make names: somebody else may have been quicker."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise OSError(errno.EPERM, "is not a folder of ours alone; set [server] control and pid", path)
    return path
