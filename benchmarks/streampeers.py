"""The servers of the group `stream`: forkserver's pool, and what the standard library has for the same handler."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
import time
from typing import ClassVar

from . import peers
from .client import POLL, TIMEOUT, PeerError, expect_log
from .peer import WORKERS, Peer

MESSAGE = b"thirty-two bytes, and then more.\n"[:32]


def write(folder: str) -> None:
    """Copy the handler into an existing folder."""
    here = os.path.dirname(os.path.abspath(__file__))
    shutil.copyfile(os.path.join(here, "echoapp.py"), os.path.join(folder, "echoapp.py"))


def converse(sock: socket.socket) -> None:
    """Say something and hear it again; PeerError when something else comes."""
    sock.sendall(MESSAGE)
    heard = b""
    while len(heard) < len(MESSAGE):
        piece = sock.recv(4096)
        if not piece:
            raise PeerError(f"the connection ends after {len(heard)} bytes")
        heard += piece
    if heard != MESSAGE:
        raise PeerError(f"{heard!r} comes back for {MESSAGE!r}")


class StreamPeer(Peer):
    """Two processes where a server has a number of them; a log where it has one."""

    group = "stream"

    def up(self) -> None:
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            if (status := self.ended()) is not None:
                raise PeerError(f"it ended with exit status {status}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT) as sock:
                    converse(sock)
                break
            except ConnectionRefusedError:
                time.sleep(POLL)
        if self.logs:
            expect_log(self.access_log, f"TCP 127.0.0.1:{self.port}")


class Forkserver(StreamPeer, peers.Forkserver):
    setup = "handler = echoapp:Echo in [tcp ADDRESS], 2 workers, 64 threads in each, access log"

    def command(self) -> list[str]:
        config = self.write(
            "server.ini",
            f"""[server]
workers = {WORKERS}
control = {self.folder}/control.sock

[log]
access = {self.access_log}

[tcp 127.0.0.1:{self.port}]
handler = echoapp:Echo
path = {self.site}
""",
        )
        return [sys.executable, "-m", "forkserver", "run", config]


class Standard(StreamPeer):
    """A class of socketserver."""

    program = "python"
    install = ""
    logs = False

    @classmethod
    def found(cls) -> str:
        return sys.executable

    @classmethod
    def version(cls) -> str:
        return platform.python_version()

    def command(self) -> list[str]:
        return [sys.executable, os.path.join(self.site, "echoapp.py"), self.name, str(self.port)]


class Threading(Standard):
    name = "ThreadingTCPServer"
    setup = "one process, a thread made for each connection, no log"


class Forking(Standard):
    name = "ForkingTCPServer"
    setup = "a process forked for each connection, at most 40 at once, no log"
    connections: ClassVar[int] = 40


PEERS: tuple[type[Peer], ...] = (Forkserver, Threading, Forking)
