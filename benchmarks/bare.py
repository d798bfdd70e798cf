"""The least that a server in Python could cost: two processes that give one constant reply to every request.

No parsing, no log, no limits, no clock: `python -m benchmarks.bare PORT FILE`.  Not a server but a ruler: its
cost is that of the kernel and the interpreter, on this machine, on this day.
"""

from __future__ import annotations

import os
import select
import socket
import sys

HEAD = "HTTP/1.1 200 OK\r\nServer: bare\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n"


def listen(port: int) -> socket.socket:
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    listener.setblocking(False)
    return listener


def serve(listener: socket.socket, kept: bytes, last: bytes) -> None:
    """Answer for ever: `kept` for each request, `last` and a close where the request says so."""
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
    clients: dict[int, socket.socket] = {}
    while True:
        for descriptor, _ in poller.poll():
            client = clients.get(descriptor)
            if client is None:
                accept(listener, poller, clients)
            elif not answer(client, kept, last):
                del clients[descriptor]
                client.close()


def accept(listener: socket.socket, poller: select.epoll, clients: dict[int, socket.socket]) -> None:
    try:
        client, _ = listener.accept()
    except BlockingIOError:
        return  # the other process was quicker
    client.setblocking(False)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    clients[client.fileno()] = client
    poller.register(client, select.EPOLLIN)


def answer(client: socket.socket, kept: bytes, last: bytes) -> bool:
    """One recv, one send; False when the connection is over."""
    try:
        data = client.recv(65536)
        if not data or b"Connection: close" in data:
            if data:
                client.send(last)
            return False
        client.send(kept * data.count(b"\r\n\r\n"))
    except ConnectionError:
        return False
    return True


def main() -> None:
    with open(sys.argv[2], "rb") as file:
        body = file.read()
    head = HEAD.format(len(body)).encode()
    listener = listen(int(sys.argv[1]))
    os.fork()
    serve(listener, head + b"\r\n" + body, head + b"Connection: close\r\n\r\n" + body)


if __name__ == "__main__":
    main()
