"""What a handler of the standard library finds as `self.server`.

Offers what the servers of `socketserver` and `http.server` have and handlers use; accepts nothing by itself.
"""

from __future__ import annotations

import contextlib
import socket
import traceback
from functools import cached_property
from typing import Any

from forkserver.apps.stream.app import Host


class HandlerServer:
    """One for each listener of a worker.  Handlers may keep here what all their connections share."""

    timeout = None
    request_queue_size = 5
    allow_reuse_address = True
    allow_reuse_port = False
    max_packet_size = 65535
    daemon_threads = True

    def __init__(self, listener: socket.socket, handler: Any, host: Host, name: str) -> None:
        """`name` is the handler's, for the log."""
        self.socket, self.RequestHandlerClass = listener, handler
        self.address_family, self.socket_type = listener.family, listener.type
        self.server_address = listener.getsockname()
        self.server_port: int = self.server_address[1] if isinstance(self.server_address, tuple) else 0
        self._host, self._name = host, name

    @cached_property
    def server_name(self) -> str:
        """As http.server has it, and as slow: a name is looked up, but only for who wants it."""
        return socket.getfqdn(self.server_address[0]) if isinstance(self.server_address, tuple) else "localhost"

    def fileno(self) -> int:
        return self.socket.fileno()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return True

    def shutdown_request(self, request: Any) -> None:
        """End a connection: the client reads what was sent, then the end."""
        with contextlib.suppress(OSError, AttributeError):  # it has ended already, or is a datagram
            request.shutdown(socket.SHUT_WR)
        self.close_request(request)

    def close_request(self, request: Any) -> None:
        with contextlib.suppress(AttributeError):
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Within an `except` clause."""
        self._host.error(f"{self._name}, client {client_address}, failed", traceback=traceback.format_exc())
