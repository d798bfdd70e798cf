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
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from forkserver.process.sockets import open_unix, remove

LINE = 65536  # bytes of one command at most
ANSWERS = 16 << 20  # bytes of answers that wait for one client at most
CLIENTS = 32  # at one time
BACKLOG = 64

Reply = Callable[[dict[str, Any]], None]


@dataclass
class Buffers:
    """What came from a client and is no whole line yet, and what waits for it to read."""

    received: bytearray = field(default_factory=bytearray)
    waiting: bytearray = field(default_factory=bytearray)


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
        try:
            self.listener = open_unix(path, 0o600, BACKLOG)
        except OSError as error:
            raise OSError(error.errno, f"control socket {error.strerror or error}", path) from error
        self.inode = os.stat(path).st_ino
        self.clients: dict[socket.socket, Buffers] = {}
        selector.register(self.listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        """One client more; with too many of them, or no descriptor left, whoever knocks waits in the kernel."""
        try:
            client, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            self._listen(wanted=False)
            return
        client.setblocking(False)
        self.clients[client] = Buffers()
        self.selector.register(client, selectors.EVENT_READ, lambda: self._serve(client))
        self.listen_again()

    def listen_again(self) -> None:
        """To be called now and then: there may be room again."""
        self._listen(wanted=len(self.clients) < CLIENTS)

    def _listen(self, *, wanted: bool) -> None:
        self.selector.modify(self.listener, selectors.EVENT_READ if wanted else 0, self._accept)

    def _serve(self, client: socket.socket) -> None:
        """The client has said something, or takes more of our answers."""
        self._flush(client)
        if client in self.clients:
            self._read(client)

    def _read(self, client: socket.socket) -> None:
        buffer = self.clients[client].received
        try:
            data = client.recv(4096)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        buffer += data
        *lines, rest = buffer.split(b"\n")
        buffer[:] = rest
        for line in lines:
            self._obey(client, bytes(line))
        if not data or len(rest) > LINE:
            self._drop(client)

    def _obey(self, client: socket.socket, line: bytes) -> None:
        def reply(answer: dict[str, Any]) -> None:
            self._send(client, answer)

        try:
            command = json.loads(line)
        except (ValueError, RecursionError) as error:
            reply({"ok": False, "why": f"not a JSON object: {error}"})
            return
        if not isinstance(command, dict):
            reply({"ok": False, "why": "not a JSON object"})
            return
        self.handle(command, reply)

    def _send(self, client: socket.socket, answer: dict[str, Any]) -> None:
        """One line; what the client does not take at once waits for it, the master waits for nobody."""
        if client in self.clients:
            self.clients[client].waiting += json.dumps(answer).encode() + b"\n"
            self._flush(client)

    def _flush(self, client: socket.socket) -> None:
        """Send what the client takes; one that has gone, or that never reads, is dropped."""
        waiting = self.clients[client].waiting
        try:
            while waiting:
                del waiting[: client.send(waiting)]
        except BlockingIOError:
            pass  # the selector says when there is room
        except OSError:
            waiting.clear()
            self._drop(client)
            return
        if len(waiting) > ANSWERS:
            self._drop(client)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0)
        self.selector.modify(client, events, self.selector.get_key(client).data)

    def _drop(self, client: socket.socket) -> None:
        """Forget a client, unless that has happened already."""
        if self.clients.pop(client, None) is not None:
            self.selector.unregister(client)
            client.close()
            self.listen_again()

    def let_go(self) -> None:
        """In a child: close the descriptors, touch nothing that the parent still uses."""
        self.listener.close()
        for client in self.clients:
            client.close()

    def close(self) -> None:
        """At the end of the master: the file goes first, so that nobody connects to a closing door."""
        remove(self.path, self.inode)
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

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
