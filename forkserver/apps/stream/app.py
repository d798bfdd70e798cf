"""What every hosted stream is to the server: the one interface of all kinds of them.

Knows connections and datagrams as they are handed over; knows no kind, and nothing of who may connect, how many at
once, and for how long.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any, Protocol


class Handed(socket.socket):
    """A connection as it is handed over: an ordinary blocking socket, but for one thing that is to be told."""

    def copied(self) -> None:
        """It is read and written by its descriptor, or by a copy of that, and not by this object."""


class Host(Protocol):
    """Who a stream can turn to while it serves, from any thread."""

    def error(self, text: str, *, traceback: str = "") -> None:
        """For the error log."""
        ...

    def warning(self, text: str) -> None:
        """Likewise, of less weight."""
        ...

    def give_up(self, why: str) -> None:
        """Nothing more can be served here: have this process replaced."""
        ...


class StreamApp(Protocol):
    """One thing that is served at addresses of its own, made from its section: `Kind(options, transport, place)`.

    `transport` is "tcp" or "udp", one of the kind's `transports`; `place` is the section's name.
    `load()` raises `AppError` when the thing cannot be served.  It runs once, before the workers are forked, where
    what it loads is `shared` by them; otherwise in each worker.
    `start(listeners, host)` is called in each worker before the first connection.
    What is `blocking` is called in a thread of its own for each connection: `serve` returns when the connection is
    over, and whatever it raises ends this connection alone.  Otherwise `serve` returns at once, and the connection is
    over when its socket is closed, in whichever thread.  `address` is the client's as accept(2) gives it.
    A datagram is handed to `receive`, in a thread, with the socket to answer by.  What is not `blocking` reads
    datagrams by itself, from `start` until `leave`.
    `leave()` is called when the worker accepts no more, `close()` when everything is over.
    `name` is what it is called in the log.
    """

    name: str
    shared: bool
    blocking: bool

    def load(self) -> None: ...

    def start(self, listeners: Sequence[socket.socket], host: Host) -> None: ...

    def serve(self, sock: Handed, address: Any, listener: socket.socket) -> None: ...

    def receive(self, data: bytes, address: Any, sock: socket.socket) -> None: ...

    def leave(self) -> None: ...

    def close(self) -> None: ...
