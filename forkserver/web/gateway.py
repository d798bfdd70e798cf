"""A site as a WSGI application (PEP 3333): from an environ to a request of ours, from an answer to start_response.

Knows both sides; nothing of what a site does in between.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import quote

from forkserver.http.fields import Fields
from forkserver.http.request import Asked, Ends, Head, RequestLine, host_of
from forkserver.http.request import Request as Call
from forkserver.http.response import REASONS, FileSlice, has_body
from forkserver.web.errors import ContentTooLarge

if TYPE_CHECKING:
    from forkserver.web.site import Site

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

PORTION = 64 << 10  # bytes of a file at a time
_IN_PATH = "!$&'()*+,;=:@/~"


class Body(io.RawIOBase):
    """The body of a request as a file that ends with it; ContentTooLarge beyond a limit."""

    def __init__(self, stream: Any, length: int | None, limit: int) -> None:
        """`length` in bytes; None: the stream itself ends."""
        self._stream, self._left, self._room = stream, length, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if (self._left or 0) > self._room:
            raise ContentTooLarge
        wanted = len(buffer) if self._left is None else min(self._left, len(buffer))
        data: bytes = self._stream.read(wanted) if wanted else b""
        self._left = None if self._left is None else self._left - len(data)
        self._room -= len(data)
        if self._room < 0:
            raise ContentTooLarge
        buffer[: len(data)] = data
        return len(data)


class WsgiCall(Call):
    """A request that came by way of an environ."""

    __slots__ = ()

    def extend(self, seconds: float = 0.0) -> float:
        """A server of its own kind has limits of its own."""
        return seconds


class Slice:
    """A stretch of a file as an iterable of bytes."""

    def __init__(self, stretch: FileSlice) -> None:
        self._stretch = stretch

    def __iter__(self) -> Iterator[bytes]:
        offset, end = self._stretch.offset, self._stretch.offset + self._stretch.length
        while data := os.pread(self._stretch.file.fileno(), min(PORTION, end - offset), offset):
            offset += len(data)
            yield data

    def close(self) -> None:
        self._stretch.file.close()


def serve(site: Site, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """One call of the application."""
    answer = site.respond(call_of(environ, site.limits.body))
    status, fields, body = answer.status, list(answer.fields), answer.body
    length = len(body) if isinstance(body, bytes) else body.length if isinstance(body, FileSlice) else None
    if status >= 200 and status not in (204, 304) and length is not None:
        fields.append(("Content-Length", str(length)))
    start_response(f"{status} {REASONS.get(status, 'Unknown')}", fields)
    if isinstance(body, bytes):
        return [body] if has_body(environ["REQUEST_METHOD"], status) else []
    pieces = Slice(body) if isinstance(body, FileSlice) else cast("Iterable[bytes]", body)
    if has_body(environ["REQUEST_METHOD"], status):
        return pieces
    close = getattr(pieces, "close", None)
    if close is not None:
        close()
    return []


def call_of(environ: Environ, limit: int) -> Call:
    """The request of an environ; whoever reads a body of more than `limit` bytes has ContentTooLarge raised."""
    length = _length(environ)
    scheme = environ["wsgi.url_scheme"]
    ends = Ends((environ.get("REMOTE_ADDR", ""), _port(environ, "REMOTE_PORT")), ("", _port(environ, "SERVER_PORT")))
    asked = Asked(head_of(environ, length), environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", ""), scheme)
    asked.user = environ.get("REMOTE_USER", "").encode("latin-1").decode("utf-8", "replace")
    body = io.BufferedReader(Body(environ["wsgi.input"], length, limit), PORTION)
    return WsgiCall(asked, ends, b"" if length == 0 else cast("BinaryIO", body), time.time())


def head_of(environ: Environ, length: int | None) -> Head:
    """The head that an environ was made of, as far as it tells."""
    method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    raw_path = quote(path, safe=_IN_PATH, encoding="latin-1")
    target = f"{raw_path}?{query}" if query else raw_path
    protocol = environ.get("SERVER_PROTOCOL", "HTTP/1.1")
    line = RequestLine(
        f"{method} {target} {protocol}", method, target, raw_path, path, query, int(protocol != "HTTP/1.0"), None
    )
    items = tuple(_fields(environ))
    values = dict(items)
    host = values.get("host") or environ.get("SERVER_NAME", "")
    fields = Fields(items, values, host, False, False, length or 0, length is not None, False)
    return Head(line, fields, host_of(host), length or 0, False, 0)


def _fields(environ: Environ) -> Iterator[tuple[str, str]]:
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            yield name.lower().replace("_", "-"), environ[name]
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            yield name[5:].lower().replace("_", "-"), value


def _length(environ: Environ) -> int | None:
    """Bytes of the body; None where only its end tells, and the server says that it comes."""
    text = environ.get("CONTENT_LENGTH") or ""
    if text.isascii() and text.isdecimal():
        return int(text)
    return None if environ.get("wsgi.input_terminated") else 0


def _port(environ: Environ, name: str) -> int:
    text = str(environ.get(name) or "")
    return int(text) if text.isascii() and text.isdecimal() else 0
