"""Calls of applications through the kind `wsgi`, as a worker would make them; what is sent to the client is noted."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any, BinaryIO

from forkserver.apps.wsgi import Wsgi, WsgiOptions
from forkserver.http.request import Asked, Ends, Parser, Request
from forkserver.http.response import FileSlice, Response, has_body

SPOOLED: list[BinaryIO] = []  # files to close when a test is over
ENDS = Ends(("192.0.2.7", 40000), ("192.0.2.1", 8080))


class Call(Request):
    """A request whose reply can be begun: `sent` are the pieces, `begun` is the response they belong to."""

    gone = False

    def __init__(self, asked: Asked, ends: Ends, body: bytes | BinaryIO) -> None:
        super().__init__(asked, ends, body, 0.0)
        self.sent: list[bytes] = []
        self.begun: Response | None = None

    def begin(self, response: Response) -> Callable[[bytes], None]:
        assert self.begun is None
        self.begun = response
        return self.send

    def send(self, data: bytes) -> None:
        if self.gone:
            raise ConnectionAbortedError
        self.sent.append(data)

    def extend(self, seconds: float = 0.0) -> float:
        return 60.0 + seconds


def asked_of(text: str, script: str = "", scheme: str = "http", ends: Ends | None = None) -> Asked:
    """What a head asks for; one that is only `GET /` or so gets a version and a Host."""
    if "\n" not in text:
        text += " HTTP/1.1\nHost: localhost:8080"
    head = Parser().parse(text.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n")
    assert head is not None
    assert head.line.path.startswith(script)
    return Asked(head, script, head.line.path[len(script) :], scheme, ends)


def call_of(text: str = "GET /", body: bytes | BinaryIO = b"", **circumstances: Any) -> Call:
    """A request with a complete body."""
    return Call(asked_of(text, **circumstances), ENDS, body)


def post_of(body: bytes, *, spooled: bool = False, chunked: bool = False) -> Call:
    """A POST of `body`, in memory or in a file, as a worker has it after taking it off the wire."""
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    kept: bytes | BinaryIO = body
    if spooled:
        kept = spooled_of(body)
    return call_of(f"POST /form HTTP/1.1\nHost: localhost\nContent-Type: text/plain\n{framing}", kept)


def spooled_of(body: bytes) -> BinaryIO:
    """A body in a file, which is closed after the test."""
    file = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(body)
    file.seek(0)
    SPOOLED.append(file)
    return file


def mounted(application: Any, prefix: str = "", **options: Any) -> Wsgi:
    """The kind, with an application that was not imported."""
    app = Wsgi(WsgiOptions(wsgi="tests:none", **options), prefix)
    app._application = application
    return app


def tells(what: Callable[[dict[str, Any]], Any]) -> Callable[..., Iterable[bytes]]:
    """An application that answers with what a function makes of its environ."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(what(environ)).encode()]

    return application


class Taken:
    """A reply, taken as a worker takes it: its iterable run to the end, and closed whatever happens."""

    def __init__(self, call: Call, response: Response) -> None:
        if call.begun is not None:
            assert response is call.begun
        self.response, self.status, self.length = response, response.status, response.length
        self.fields = {name.lower(): value for name, value in response.fields}
        self.pieces = [*call.sent, *taken(response.body)]
        self.body = b"".join(self.pieces) if has_body(call.head.line.method, response.status) else b""


def taken(body: Any) -> list[bytes]:
    """The pieces of a body."""
    if isinstance(body, bytes):
        return [body]
    if isinstance(body, FileSlice):
        with closing(body.file) as file:
            return [os.pread(file.fileno(), body.length, body.offset)]
    try:
        return list(body)
    finally:
        if hasattr(body, "close"):
            body.close()


def give(application: Any, request: Call | str = "GET /") -> Taken:
    """The reply of an application to a request."""
    call = call_of(request) if isinstance(request, str) else request
    return Taken(call, mounted(application).respond(call))


def environ_of(request: Call | str = "GET /", **options: Any) -> dict[str, Any]:
    """The environ that an application is given."""
    seen: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(environ)
        start_response("200 OK", [])
        return [b""]

    mounted(application, **options).respond(call_of(request) if isinstance(request, str) else request)
    return seen[0]


class Result:
    """An iterable that counts how often it was closed and what was taken from it; an exception in it is raised."""

    def __init__(self, *pieces: Any, on_close: Exception | None = None) -> None:
        self.pieces, self.taken, self.closed, self.on_close = iter(pieces), 0, 0, on_close

    def __iter__(self) -> Result:
        return self

    def __next__(self) -> Any:
        assert not self.closed
        piece = next(self.pieces)
        self.taken += 1
        if isinstance(piece, Exception):
            raise piece
        return piece() if callable(piece) else piece

    def close(self) -> None:
        self.closed += 1
        if self.on_close:
            raise self.on_close
