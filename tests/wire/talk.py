"""A client that takes nothing on trust: bytes are sent as they are, and what comes back must be HTTP to the letter.

Knows the grammar of a response (RFC 9112) and nothing of the server; every wait has a limit and is a wait for bytes.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

from tests.daemons import PATIENCE

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) ([\t -~]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([!-~](?:[\t -~]*[!-~])?)?")
CHUNK_LINE = re.compile(rb"[0-9a-f]+")
BODILESS = (204, 304)


@dataclass
class Reply:
    """One response, read whole."""

    status: int
    items: list[tuple[str, str]]  # lower-case names, in the order sent
    body: bytes
    framing: str  # "length", "chunked", "close", or "none" where there is no body

    @property
    def fields(self) -> dict[str, str]:
        found = dict(self.items)
        assert len(found) == len(self.items), f"a field came twice: {self.items}"
        return found


class Talk:
    """One connection to a server."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *raised: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_in_pieces(self, data: bytes, size: int = 1) -> None:
        for start in range(0, len(data), size):
            self.sock.sendall(data[start : start + size])

    def ask(self, data: bytes, method: str = "GET") -> Reply:
        """Send a request and read its response."""
        self.send(data)
        return self.reply(method)

    def reply(self, method: str = "GET") -> Reply:
        """The next response, to a request of `method`; AssertionError when it is none or does not come whole."""
        status, items = self.head()
        fields = dict(items)
        if method == "HEAD" or status < 200 or status in BODILESS:
            assert "transfer-encoding" not in fields or method == "HEAD"
            return Reply(status, items, b"", "none")
        if "transfer-encoding" in fields:
            assert fields["transfer-encoding"] == "chunked"
            assert "content-length" not in fields
            return Reply(status, items, self._chunks(), "chunked")
        if "content-length" in fields:
            return Reply(status, items, self._exactly(int(fields["content-length"])), "length")
        assert fields.get("connection") == "close"
        return Reply(status, items, self.rest(), "close")

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        """The status and the fields of a response; its body is still to come."""
        line, *lines = self._until(b"\r\n\r\n")[:-4].split(b"\r\n")
        found = STATUS_LINE.fullmatch(line)
        assert found, line
        items = []
        for text in lines:
            field = FIELD_LINE.fullmatch(text)
            assert field, text
            items.append((field[1].decode().lower(), (field[2] or b"").decode()))
        return int(found[1]), items

    def chunk(self) -> bytes:
        """The next chunk of a body; b"" is its end."""
        line = self._until(b"\r\n")[:-2]
        assert CHUNK_LINE.fullmatch(line), line
        data = self._exactly(int(line, 16))
        assert self._exactly(2) == b"\r\n"
        return data

    def rest(self) -> bytes:
        """Everything until the server closes."""
        while self._more():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def ended(self) -> bool:
        """Whether the server closes now, in good order, with nothing more to say."""
        return self.rest() == b""

    def _chunks(self) -> bytes:
        return b"".join(iter(self.chunk, b""))

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            assert self._more(), f"the server closed after {self.buffer[:200]!r}"
        return self._exactly(self.buffer.index(mark) + len(mark))

    def _exactly(self, size: int) -> bytes:
        if len(self.buffer) < size:
            pieces, missing = [self.buffer], size - len(self.buffer)
            while missing > 0:
                piece = self.sock.recv(1 << 20)
                assert piece, f"the server closed {missing} bytes too early"
                pieces.append(piece)
                missing -= len(piece)
            self.buffer = b"".join(pieces)
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def _more(self) -> bool:
        piece = self.sock.recv(1 << 16)
        self.buffer += piece
        return bool(piece)


def request(
    method: str, target: str, *lines: str, version: str = "1.1", host: str | None = "test", body: bytes = b""
) -> bytes:
    """The bytes of a request; a body of known length is announced."""
    fields = [f"Host: {host}"] if host is not None else []
    fields += [f"Content-Length: {len(body)}"] if body else []
    head = "\r\n".join([f"{method} {target} HTTP/{version}", *fields, *lines, "", ""])
    return head.encode("latin-1") + body


def chunked(body: bytes, size: int = 1000, extension: str = "", trailers: str = "") -> bytes:
    """A body in chunks of `size` bytes."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    wire = [b"%x%b\r\n%b\r\n" % (len(piece), extension.encode(), piece) for piece in pieces]
    return b"".join([*wire, b"0\r\n", trailers.encode(), b"\r\n"])
