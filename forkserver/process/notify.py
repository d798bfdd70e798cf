"""What systemd is told: sd_notify(3), written out, silent where nobody listens.

Knows the wire format of the notification socket; knows nothing of what the states mean to us.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping


class Notifier:
    """The service manager's ear; every method is harmless without one."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        """Take the socket's name from the environment, and take it away from there, so that no child speaks."""
        self.address = environ.pop("NOTIFY_SOCKET", "")
        usec = environ.pop("WATCHDOG_USEC", "")
        pid = environ.pop("WATCHDOG_PID", "")
        meant = not pid or pid == str(os.getpid())
        self.watchdog = int(usec) / 1_000_000 if usec.isdecimal() and meant else 0.0  # seconds; 0: none
        if self.address.startswith("@"):  # an abstract socket, unix(7)
            self.address = "\0" + self.address[1:]
        self.status = ""

    def send(self, *lines: str) -> None:
        """Say `VARIABLE=value` lines in one datagram; a manager that has gone is no trouble of ours."""
        if not self.address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as ear:
            ear.setblocking(False)
            try:
                ear.sendto("\n".join(lines).encode("utf-8", "replace"), self.address)
            except OSError:  # full, gone or forbidden: sd_notify(3) has no one to tell, and serving goes on
                return

    def ready(self, status: str) -> None:
        """READY=1 and STATUS= in one, so that whoever waits for the one finds the other."""
        self.status = _line(status)
        self.send("READY=1", f"STATUS={self.status}")

    def reloading(self) -> None:
        """RELOADING=1 wants the time it began, so that a READY=1 can be matched to it."""
        self.send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self.send("STOPPING=1")

    def alive(self) -> None:
        if self.watchdog:
            self.send("WATCHDOG=1")

    def pace(self, seconds: float) -> float:
        """`seconds`, or less where the watchdog wants to hear more often: twice in its interval."""
        return min(seconds, self.watchdog / 2) if self.watchdog else seconds

    def say(self, status: str) -> None:
        """STATUS=, when it is another than before."""
        if _line(status) != self.status:
            self.status = _line(status)
            self.send(f"STATUS={self.status}")


def _line(text: str) -> str:
    return " ".join(text.split())
