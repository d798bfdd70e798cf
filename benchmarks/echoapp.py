"""The handler that all servers of the group `stream` serve: whatever comes goes back.

As a program it serves itself: `python echoapp.py SERVER PORT`, SERVER being a class of socketserver.
"""

from __future__ import annotations

import socketserver
import sys


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(4096):
            self.request.sendall(data)


def main() -> None:
    server, port = sys.argv[1:]
    made = getattr(socketserver, server)
    made.allow_reuse_address = True
    made.request_queue_size = 1024
    made(("127.0.0.1", int(port)), Echo).serve_forever()


if __name__ == "__main__":
    main()
