"""Listening sockets: opened, adopted, compared and closed.

Knows addresses and how the kernel names them; knows nothing of what is served there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, replace

from forkserver.config.options import Address

FIRST_INHERITED = 3  # SD_LISTEN_FDS_START, sd_listen_fds(3)
ABSENT = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}  # the machine has no such address, socket(2) and ip(7)


class CannotListen(Exception):  # noqa: N818 - reads as the sentence it prints
    """An address cannot be listened on; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket and the address of the configuration that asked for it."""

    address: Address
    socket: socket.socket
    inode: int = 0  # of a unix socket's file as we made it, so that we never remove somebody else's

    @property
    def name(self) -> str:
        """Where it really listens: the port that the kernel chose instead of 0."""
        before = "udp " if self.address.datagram else ""
        if self.socket.family == socket.AF_UNIX:
            return f"{before}unix:{self.socket.getsockname()}"
        host, port = self.socket.getsockname()[:2]
        return f"{before}[{host}]:{port}" if ":" in host else f"{before}{host}:{port}"

    def close(self) -> None:
        """Stop listening in this process; the file of a unix socket goes with it."""
        if self.inode:
            remove(self.address.path, self.inode)
        self.socket.close()


def inherited(environ: MutableMapping[str, str]) -> dict[str, list[socket.socket]]:
    """The sockets that a service manager opened for us, by name (LISTEN_FDS, LISTEN_FDNAMES: sd_listen_fds(3)).

    The variables are taken away, so that no child believes that they are for it.  OSError when there is no socket
    under one of the numbers.
    """
    pid, count, names = (environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    found: dict[str, list[socket.socket]] = {}
    titles = names.split(":") if names else []
    for index in range(int(count)):
        os.set_inheritable(FIRST_INHERITED + index, False)
        name = titles[index] if index < len(titles) else "unknown"
        found.setdefault(name, []).append(socket.socket(fileno=FIRST_INHERITED + index))
    return found


def open_listeners(
    addresses: Iterable[Address],
    backlog: int,
    kept: Iterable[Listener] = (),
    gifts: dict[str, list[socket.socket]] | None = None,
) -> list[Listener]:
    """Listen on every address, keeping the `kept` listeners of the same address as they are.

    An optional address that the machine does not have is left out.  All or nothing else: when one address fails,
    those newly opened are closed again and CannotListen is raised.
    """
    old: dict[str, list[Listener]] = {}
    for listener in kept:
        old.setdefault(listener.address.place, []).append(listener)
    result: list[Listener] = []
    fresh: list[Listener] = []
    try:
        for address in addresses:
            if address.place in old:
                result += [_renamed(listener, address) for listener in old[address.place]]
                continue
            opened = _open(address, gifts or {})
            fresh += opened
            result += opened
        for listener in result:  # again for the kept ones: listen(2) on a listening socket changes its backlog
            address = listener.address
            if not address.datagram:
                listener.socket.listen(backlog)
    except OSError as error:
        for listener in fresh:
            listener.close()
        raise CannotListen(f"{address.place}: {_why(error, address)}") from error
    return result


def _renamed(listener: Listener, address: Address) -> Listener:
    """The same socket, where what is spoken there may have changed."""
    return listener if listener.address == address else replace(listener, address=address)


def _open(address: Address, gifts: dict[str, list[socket.socket]]) -> list[Listener]:
    try:
        return _OPEN[address.kind](address, gifts)
    except OSError as error:
        if address.optional and error.errno in ABSENT:
            return []
        raise


def _why(error: OSError, address: Address) -> str:
    hints = {
        errno.EADDRNOTAVAIL: "this machine does not have that address",
        errno.EAFNOSUPPORT: "this machine does not speak that kind of address",
    }
    if address.port:
        hints[errno.EADDRINUSE] = "in use by another program"
        hints[errno.EACCES] = "permission denied (ports below 1024 want CAP_NET_BIND_SERVICE or root)"
    return hints.get(error.errno or 0) or error.strerror or str(error)


def _type(address: Address) -> socket.SocketKind:
    return socket.SOCK_DGRAM if address.datagram else socket.SOCK_STREAM


def _open_inet(address: Address, gifts: dict[str, list[socket.socket]]) -> list[Listener]:
    family = socket.AF_INET6 if address.kind == "tcp6" else socket.AF_INET
    one = socket.socket(family, _type(address))
    try:
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if not address.datagram:  # where it would let others bind the same port, socket(7)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Set here, inherited by each accepted socket: no system call a connection, tcp(7).
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.bind((address.host, address.port))
        os.set_blocking(one.fileno(), False)
    except OSError:
        one.close()
        raise
    return [Listener(address, one)]


def clear_stale(path: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> None:
    """Remove the socket file that a dead server left behind.

    OSError with EADDRINUSE when somebody answers there, or when the file is no socket, or one of another kind.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(errno.EADDRINUSE, "is there already and is no socket")
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except FileNotFoundError:
            return
    raise OSError(errno.EADDRINUSE, "in use by another program")


def remove(path: str, inode: int) -> None:
    """Remove the file of a unix socket, if it is still the one with that inode.

    One that cannot be removed is cleared as stale by whoever wants to listen there next.
    """
    with contextlib.suppress(OSError):
        if os.stat(path).st_ino == inode:
            os.unlink(path)


def open_unix(path: str, mode: int, backlog: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """A listening unix socket whose file has `mode` from its first moment on.

    It listens at once, where it is for connections: one that is only bound looks stale to others.
    """
    clear_stale(path, kind)
    os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
    one = socket.socket(socket.AF_UNIX, kind)
    before = os.umask(0o777 & ~mode)
    try:
        one.bind(path)
        if kind is socket.SOCK_STREAM:
            one.listen(backlog)
    except OSError:
        one.close()
        raise
    finally:
        os.umask(before)
    os.set_blocking(one.fileno(), False)
    return one


def _open_unix(address: Address, gifts: dict[str, list[socket.socket]]) -> list[Listener]:
    one = open_unix(address.path, 0o666, 1, _type(address))  # who may connect is said by the folder, as with nginx
    return [Listener(address, one, os.stat(address.path).st_ino)]


def _adopt(address: Address, gifts: dict[str, list[socket.socket]]) -> list[Listener]:
    given = gifts.get(address.name)
    if not given:
        known = ", ".join(sorted(gifts)) or "none"
        raise OSError(errno.ENOENT, f"no socket of that name was passed in (LISTEN_FDNAMES: {known})")
    given = [one for one in given if one.type is _type(address)]
    if not given:
        raise OSError(errno.ENOENT, f"the socket of that name is not one for {_FOR[_type(address)]}")
    copies = [one.dup() for one in given]  # a later configuration may want them again
    for one in copies:
        os.set_blocking(one.fileno(), False)  # after dup(), which makes both of them blocking
        if one.family != socket.AF_UNIX and not address.datagram:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return [Listener(address, one) for one in copies]


_FOR = {socket.SOCK_STREAM: "connections", socket.SOCK_DGRAM: "datagrams"}
_OPEN = {"tcp4": _open_inet, "tcp6": _open_inet, "unix": _open_unix, "systemd": _adopt}
