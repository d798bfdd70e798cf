"""Programs for streams, as somebody would write them for the standard library: nothing here knows its server."""

from __future__ import annotations

import functools
import http.server
import os
import socket
import socketserver
import stat
import threading
import time
from typing import Any


class Echo(socketserver.StreamRequestHandler):
    """Line by line; some lines are orders."""

    def handle(self) -> None:
        for line in self.rfile:
            if line == b"raise\n":
                raise ValueError("asked to raise")
            self.wfile.write(b"%d\n" % os.getpid() if line == b"pid\n" else line)


class Shout(socketserver.BaseRequestHandler):
    """One message, in capitals; says what it sees of its server."""

    def handle(self) -> None:
        data = self.request.recv(1000)
        host, port = self.server.server_address[:2]
        assert isinstance(self, self.server.RequestHandlerClass)
        assert self.server.socket.getsockname() == self.server.server_address
        self.request.sendall(data.upper() + f" at {host}:{port} for {self.client_address[0]}".encode())


def plain(sock: socket.socket, address: Any) -> None:
    """A function, which reads to the end before it says how much that was."""
    count = 0
    while data := sock.recv(1 << 16):
        count += len(data)
    sock.sendall(b"%d bytes" % count)


class Page(http.server.BaseHTTPRequestHandler):
    """As from the first page of a book."""

    protocol_version = "HTTP/1.1"
    timeout = 0.2  # seconds, of its own

    def do_GET(self) -> None:
        body = f"{self.path} for {self.address_string()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


Files = functools.partial(http.server.SimpleHTTPRequestHandler, directory=os.environ.get("FILES", "/nowhere"))


class Sleeper(socketserver.BaseRequestHandler):
    """Takes no notice of its client."""

    def handle(self) -> None:
        self.request.sendall(b"asleep")
        time.sleep(3600)


def is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def forking(sock: socket.socket, address: Any) -> None:
    """A child speaks with the client, as inetd's would, and ends as it should; or it comes back as if it were we."""
    order = sock.recv(1000)
    child = os.fork()
    if child == 0 and order == b"speak":
        sock.sendall(b"child holds %d" % sum(map(is_socket, range(1024))))
        os._exit(0)
    if child:
        os.waitpid(child, 0)
        sock.sendall(b", parent")


class Time(socketserver.DatagramRequestHandler):
    """RFC 868, more or less: whoever asks is told the time, and what he asked."""

    def handle(self) -> None:
        self.wfile.write(b"%d %s" % (int(time.time()), self.rfile.read()))


class Clock(socketserver.StreamRequestHandler):
    """The same by connection."""

    def handle(self) -> None:
        self.wfile.write(b"%d\n" % int(time.time()))


GATE = threading.Event()


def upper(data: bytes, address: Any, sock: socket.socket) -> None:
    """A function for datagrams; `wait` waits for `go`."""
    if data == b"raise":
        raise ValueError("asked to raise")
    if data == b"wait":
        GATE.wait()
    if data == b"go":
        GATE.set()
    sock.sendto(data.upper(), address)
