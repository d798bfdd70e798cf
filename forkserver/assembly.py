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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Network
from typing import TYPE_CHECKING, Any, cast

from forkserver import config as configuration
from forkserver.apps import AppError, BlockingApp, Checkable
from forkserver.config import Config, describe, section_of
from forkserver.config.policy import PolicyOptions
from forkserver.http.trust import Trust
from forkserver.log import ErrorLog, access_writer
from forkserver.log.format import compile_format
from forkserver.log.slow import slow_log
from forkserver.process.program import CannotLoad, Place
from forkserver.serving.routing import Mount, Site
from forkserver.serving.stages import Stream
from forkserver.serving.worker import Worker

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from forkserver.apps import App
    from forkserver.apps.stream.app import StreamApp
    from forkserver.config.options import Address
    from forkserver.policy import Policy
    from forkserver.process.scoreboard import Scoreboard, Slot

_UNSIGNED = (1 << 64) - 1
SERVER = "forkserver"  # the value of the Server field


class Figures:
    """A worker's seat on the scoreboard, as the worker sees it."""

    def __init__(self, slot: Slot, board: Scoreboard) -> None:
        self.slot, self.board = slot, board
        self.count, self.desk = slot.count, slot.desk

    def hold(self, client: str, change: int) -> int:
        """Count a client's connections up or down; give how many all workers hold together."""
        return self.board.hold(self.slot, hash(_network(client)), change)

    def spend(self, client: str, place: str, now: float, take: Callable[[float, float], tuple[float, float]]) -> float:
        """See `policy.Purse`."""
        return self.board.buckets.spend(hash((_network(client), place)) & _UNSIGNED | 1, now, take)


def _network(client: str) -> str:
    """The client as it is counted: with IPv6 it has a whole network of addresses (RFC 6177).

    Clients are told apart by a hash of this that all workers share, as they are forks of one process; nobody outside
    can foresee it (PYTHONHASHSEED).
    """
    return str(IPv6Network((client.partition("%")[0], 64), strict=False)) if ":" in client else client


@dataclass(frozen=True)
class Loaded:
    """What is loaded of a configuration; the streams in the order of their sections."""

    site: Site
    streams: list[StreamApp]


class Server:
    """The `Program` of forkserver."""

    def __init__(self, configure: Callable[[], Config], kinds: Mapping[str, type[Any]]) -> None:
        self.configure = configure
        self.kinds = kinds

    def show(self, config: Config) -> str:
        return describe.show(config)

    def load(self, config: Config) -> Loaded:
        """Every mount and stream with its application loaded; CannotLoad names the section that is wrong."""
        mounts = [self._mount(mount) for mount in config.mounts]
        streams: list[StreamApp] = []
        for stream in config.streams:
            made = self.kinds[stream.kind](stream.options, stream.transport, stream.name)
            if made.shared:
                _load(made, stream.origin, stream.name)
            streams.append(made)
        return Loaded(Site(mounts), streams)

    def _mount(self, mount: configuration.Mount) -> Mount:
        section = section_of(mount)
        app = self.kinds[mount.kind](mount.options, mount.prefix)
        policy = _policy(mount)
        if policy:
            app = policy.around(app)
        _load(app, mount.origin, section)
        return Mount(mount.host, mount.prefix, app, policy=policy)

    def prepare(self, config: Config, loaded: Loaded) -> None:
        """Load the streams that each worker loads by itself."""
        for stream, app in zip(config.streams, loaded.streams, strict=True):
            if not app.shared:
                _load(app, stream.origin, stream.name)

    def serve(self, config: Config, loaded: Loaded, place: Place) -> None:
        """A worker's life."""
        log = ErrorLog(config.log.error, place.error_log, config.log.level, role=f"worker {place.seat}")
        writer = None
        if config.log.access != "none":
            writer = access_writer(config.log.access, place.access_log, log.report_of("access log"))
        figures = Figures(place.slot, place.board)
        worker = Worker(
            site=loaded.site,
            limits=config.limits,
            listeners=_sockets(place, config.server.listen),
            orders=place.lifeline,
            figures=figures,
            log=log,
            access=writer,
            access_format=compile_format(config.log.format),
            server=SERVER if config.server.server_header else "",
            threads=config.server.threads,
            slow=slow_log(config.log.slow, place.slow_log, role=f"worker {place.seat}"),
            slow_after=config.log.slow_after,
            trust=Trust(config.server.trusted),
            proxied=[listener.socket for listener in place.listeners if listener.address.proxy],
            streams=[
                Stream(one.name, app, one.options, _sockets(place, one.addresses), one.transport == "udp")
                for one, app in zip(config.streams, loaded.streams, strict=True)
            ],
        )
        for mount in loaded.site.mounts():
            if mount.policy:
                mount.policy.employ(figures, log.error)
        for app in loaded.site.apps():
            if app.blocking:
                errors = partial(log.warning, lines=True)
                cast("BlockingApp", app).employ(threads=config.server.threads, errors=errors)
        try:
            worker.run()
        except Exception:  # ours: it is said where it will be read, and then the process ends by it
            log.error("ended by an error of its own", traceback=traceback.format_exc())
            raise
        for app in loaded.site.apps():
            app.close()
        for stream in loaded.streams:
            stream.close()


def _policy(mount: configuration.Mount) -> Policy | None:
    """What holds at a mount beside its kind, loaded.  CannotLoad names the section that is wrong."""
    if mount.policy == PolicyOptions():
        return None
    from forkserver.policy import Policy, PolicyError  # noqa: PLC0415 - who has no rules need not wait for it

    section = section_of(mount)
    try:
        policy = Policy(mount.policy, section)
        policy.load()
    except PolicyError as error:
        raise CannotLoad(f"{mount.origin}: [{section}] {error}") from error
    return policy


def _load(app: App | StreamApp, origin: str, section: str) -> None:
    try:
        app.load()
    except AppError as error:
        raise CannotLoad(f"{origin}: [{section}] {error}") from error


def _sockets(place: Place, addresses: Iterable[Address]) -> list[socket.socket]:
    """The listeners that were opened for some of the addresses."""
    wanted = {address.place for address in addresses}
    return [listener.socket for listener in place.listeners if listener.address.place in wanted]


def foreseen(config: Config, kinds: Mapping[str, type[Any]]) -> list[str]:
    """Why applications cannot be loaded, as far as that is told without running them, each with its file and line."""
    mounts = [(section_of(one), one.kind, kinds[one.kind](one.options, one.prefix)) for one in config.mounts]
    streams = [(one.name, one.kind, kinds[one.kind](one.options, one.transport, one.name)) for one in config.streams]
    found = []
    for section, kind, app in (*mounts, *streams):
        if isinstance(app, Checkable):
            try:
                app.check()
            except AppError as error:
                found.append(f"{config.origins[section, kind]}: [{section}] {kind}: {error}")
    for mount in config.mounts:
        files = filter(None, (mount.policy.auth, *mount.policy.pages.values()))
        if all(os.access(file, os.R_OK) for file in files):  # else it is for whoever serves to read them
            try:
                _policy(mount)
            except CannotLoad as error:
                found.append(str(error))
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
