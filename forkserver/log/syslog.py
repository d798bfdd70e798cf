"""Lines to the local syslog daemon: one datagram each, in the form that syslog(3) itself sends.

Knows the socket, the facilities (syslog(3), RFC 5424 table 1) and the header; nothing of what the lines say.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable

from forkserver.log.writer import LineWriter, Report, report_nothing

SOCKET = "/dev/log"
IDENT = "forkserver"
ERROR, WARNING, INFO, DEBUG = 3, 4, 6, 7  # severities, the journal's priorities too (sd-daemon(3))
FACILITIES = {
    "kern": 0,
    "user": 1,
    "mail": 2,
    "daemon": 3,
    "auth": 4,
    "syslog": 5,
    "lpr": 6,
    "news": 7,
    "uucp": 8,
    "cron": 9,
    "authpriv": 10,
    "ftp": 11,
    **{f"local{number}": 16 + number for number in range(8)},
}
# The daemon has gone, or was started anew and made another socket.
NO_LISTENER = {errno.ECONNREFUSED, errno.ENOTCONN, errno.ECONNRESET}


def facility_of(destination: str) -> int | None:
    """The facility of `syslog` or `syslog:NAME`; None for other destinations; ValueError if unknown."""
    if destination == "syslog":
        return FACILITIES["daemon"]
    if not destination.startswith("syslog:"):
        return None
    name = destination.removeprefix("syslog:")
    if name not in FACILITIES:
        raise ValueError(f"no syslog facility is called {name!r}; there are {', '.join(FACILITIES)}")
    return FACILITIES[name]


def connect(path: str = SOCKET) -> int:
    """A descriptor of a datagram socket that never blocks; OSError when no daemon listens at `path`."""
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sender.connect(path)
    except OSError as error:
        sender.close()
        reason = f"no syslog daemon listens there ({os.strerror(error.errno or 0)})"
        raise OSError(error.errno, reason, path) from None
    return sender.detach()


def header(facility: int, severity: int) -> bytes:
    """What stands before a message: its priority, and who speaks."""
    return b"<%d>%s[%d]: " % (facility * 8 + severity, IDENT.encode(), os.getpid())


class SyslogWriter(LineWriter):
    """A LineWriter whose every line goes as a datagram of its own, after `head()` and without its line feed.

    When the daemon was restarted, the socket is connected again; that holds for all processes that share it.
    """

    def __init__(
        self,
        descriptor: int,
        head: Callable[[], bytes],
        on_recovered: Report = report_nothing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(descriptor, on_recovered, clock)
        self._head = head
        self._address = peer_of(descriptor)

    def write(self, data: bytes, lines: int = 1) -> None:
        """Send each of the lines; what the daemon does not take at once is lost and counted."""
        if self.descriptor < 0:
            return
        head = self._head()
        sent = sum(self._send(head + line) for line in data.removesuffix(b"\n").split(b"\n"))
        if sent < lines:
            self.lost += lines - sent
        elif self.lost:
            self._report()

    def _send(self, message: bytes) -> bool:
        try:
            try:
                os.write(self.descriptor, message)
            except OSError as error:
                if error.errno not in NO_LISTENER:
                    raise
                self._connect_again()
                os.write(self.descriptor, message)
        except OSError as error:
            self._reason = os.strerror(error.errno or 0)
            return False
        return True

    def _connect_again(self) -> None:
        with as_socket(self.descriptor) as shared:
            shared.connect(self._address)


def as_socket(descriptor: int) -> socket.socket:
    """A socket object with a descriptor of its own; OSError for what is no socket."""
    copy = os.dup(descriptor)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def peer_of(descriptor: int) -> str:
    """The address that a socket is connected to, or "" when it is none or is not connected."""
    try:
        with as_socket(descriptor) as shared:
            return str(shared.getpeername())
    except OSError:  # the first write will find out and count
        return ""
