"""What all servers under test have in common: where they are found, folder and port, start and end."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
from typing import ClassVar

from . import client, site

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
WORKERS = 2
DESCRIPTORS = 4096
GRACE = 10.0  # seconds a server has to end by itself


def free_port() -> int:
    """A TCP port of 127.0.0.1 that the kernel has just found to be free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def other_user() -> tuple[str, str] | None:
    """(user, group) for servers that insist on giving up root; None when we are not root anyway."""
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("nobody")
    return user.pw_name, grp.getgrgid(user.pw_gid).gr_name


class Peer:
    """One server under test; a second start of the same object is a second run of the same configuration."""

    group: ClassVar[str] = "static"  # the rows it is started for: those of the same group
    name: ClassVar[str]
    program: ClassVar[str]
    install: ClassVar[str]
    setup: ClassVar[str] = ""  # what a reader should know of the configuration
    unable: ClassVar[dict[str, str]] = {}  # row key: why this server cannot be measured there
    logs: ClassVar[bool] = True
    connections: ClassVar[int] = 1024  # as many at once as it can serve
    version_flag: ClassVar[str] = "--version"
    probe: ClassVar[str] = "/one.txt"  # what is asked to see whether it is up

    def __init__(self, folder: str, root: str) -> None:
        self.folder = os.path.join(folder, self.name.replace(" ", "-"))
        self.site = root  # the folder of what is served
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.broken = ""  # why it takes no part at all
        os.makedirs(self.folder)

    def proof(self) -> bytes:
        """The right answer to `probe`."""
        return site.content("one.txt")

    def up(self) -> None:
        """Wait for its first answer and for its line in the log; PeerError for one that owes it."""
        client.wait_until_up(self.port, self.probe + "?up", self.ended)
        if self.logs:
            client.expect_log(self.access_log, self.probe)

    @classmethod
    def found(cls) -> str | None:
        """The path of the program, or None."""
        return shutil.which(cls.program, path=PATH)

    @classmethod
    def version(cls) -> str:
        """What the program calls its version."""
        done = subprocess.run(
            [str(cls.found()), cls.version_flag], capture_output=True, text=True, timeout=GRACE, check=False
        )
        match = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
        return match[0] if match else "unknown"

    def command(self) -> list[str]:
        """Write the configuration; return the command that serves in the foreground."""
        raise NotImplementedError

    @property
    def access_log(self) -> str:
        return os.path.join(self.folder, "access.log") if self.logs else self.output

    @property
    def output(self) -> str:
        """The file that gets what the server prints."""
        return os.path.join(self.folder, "output.log")

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} is not running"
        return self.process.pid

    def ended(self) -> int | None:
        """The exit status of the server's first process; None while it runs."""
        return self.process.poll() if self.process else None

    def write(self, name: str, text: str) -> str:
        """Write a file into the peer's folder; returns its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def start(self) -> None:
        """Start the server as leader of its own process group; does not wait for it."""
        command = self.command()
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End the server: asked first, then by force, with every process of its group."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            print(f"{self.name} did not end within {GRACE:.0f} s of SIGTERM", file=sys.stderr)
        with contextlib.suppress(ProcessLookupError):  # the usual case: nobody of the group is left
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None
