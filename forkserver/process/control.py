"""The control socket: how a command line speaks with a running master.

One JSON object a line each way.  The server side never waits for a client and bounds what it may send; the client
side waits with a limit.  Knows the wire; knows nothing of what the commands do.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
from collections.abc import Callable
from typing import Any

from forkserver.process.sockets import open_unix

LINE = 65536  # bytes of one command at most
CLIENTS = 32  # at one time

Reply = Callable[[dict[str, Any]], None]


class NotRunning(Exception):  # noqa: N818 - reads as the sentence it prints
    """Nobody answers at the control socket."""


class ControlServer:
    """The master's end.  `handle(command, reply)` is called for each command; `reply` may be called later."""

    def __init__(
        self, path: str, selector: selectors.BaseSelector, handle: Callable[[dict[str, Any], Reply], None]
    ) -> None:
        """OSError when another master answers at `path`, or when it cannot be made."""
        self.path = path
        self.selector = selector
        self.handle = handle
        self.listener = open_unix(path, 0o600)
        self.inode = os.stat(path).st_ino
        self.listener.listen(8)
        self.clients: dict[socket.socket, bytearray] = {}
        selector.register(self.listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        try:
            client, _ = self.listener.accept()
        except BlockingIOError:
            return
        if len(self.clients) >= CLIENTS:
            client.close()
            return
        client.setblocking(False)
        self.clients[client] = bytearray()
        self.selector.register(client, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: socket.socket) -> None:
        buffer = self.clients[client]
        try:
            data = client.recv(4096)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        buffer += data
        if not data or len(buffer) > LINE:
            self._drop(client)
        elif buffer.endswith(b"\n"):
            line = bytes(buffer)
            buffer.clear()
            self._obey(client, line)

    def _obey(self, client: socket.socket, line: bytes) -> None:
        def reply(answer: dict[str, Any]) -> None:
            self._send(client, answer)

        try:
            command = json.loads(line)
        except ValueError as error:
            reply({"ok": False, "why": f"not a JSON object: {error}"})
            return
        if not isinstance(command, dict):
            reply({"ok": False, "why": "not a JSON object"})
            return
        self.handle(command, reply)

    def _send(self, client: socket.socket, answer: dict[str, Any]) -> None:
        """One line; a client that has gone, or that does not read, is dropped: the master waits for nobody."""
        if client not in self.clients:
            return
        line = json.dumps(answer).encode() + b"\n"
        try:
            sent = client.send(line)
        except OSError:
            sent = -1
        if sent != len(line):
            self._drop(client)

    def _drop(self, client: socket.socket) -> None:
        del self.clients[client]
        self.selector.unregister(client)
        client.close()

    def let_go(self) -> None:
        """In a child: close the descriptors, touch nothing that the parent still uses."""
        self.listener.close()
        for client in self.clients:
            client.close()

    def close(self) -> None:
        """At the end of the master: the file goes first, so that nobody connects to a closing door."""
        try:
            if os.stat(self.path).st_ino == self.inode:
                os.unlink(self.path)
        except FileNotFoundError:
            pass  # somebody tidied up before us: it is gone, as it should be
        for client in list(self.clients):
            self._drop(client)
        self.selector.unregister(self.listener)
        self.listener.close()


class ControlClient:
    """The command line's end.  NotRunning when nobody listens at `path`."""

    def __init__(self, path: str, timeout: float | None) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            self.socket.close()
            raise NotRunning(f"no forkserver answers at {path}") from None
        except OSError:
            self.socket.close()
            raise

    @property
    def master(self) -> int:
        """The pid of the process that listens there, as the kernel knows it (SO_PEERCRED, unix(7))."""
        size = struct.calcsize("3i")
        pid, _, _ = struct.unpack("3i", self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        return int(pid)

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Send one command, wait for its answer; ConnectionError when the master ends meanwhile."""
        self.socket.sendall(json.dumps(command).encode() + b"\n")
        with self.socket.makefile("rb") as lines:
            line = lines.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the master ended before it answered")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self.socket.close()
