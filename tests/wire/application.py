"""A WSGI application that does, path by path, what PEP 3333 allows and what it forbids."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Environ = dict[str, Any]
Start = Callable[..., Callable[[bytes], None]]

TEXT = ("Content-Type", "text/plain")
PIECES = [b"piece 0\n", b"", b"piece 1\n", b"piece 2\n"]
FILE = bytes(range(256)) * 1024  # 256 KiB


def good(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [TEXT])
    return [b"good\n"]


def back(environ: Environ, start: Start) -> Iterable[bytes]:
    """The body, read as the standard library's own servers want it."""
    data = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start("200 OK", [("Content-Type", "application/octet-stream")])
    return [data]


def lines(environ: Environ, start: Start) -> Iterable[bytes]:
    """The body line by line, without a word of how long it is, as one that streams."""
    start("200 OK", [TEXT])
    return (b"%d\n" % len(line) for line in environ["wsgi.input"])


def stream(environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", [TEXT])
    yield from PIECES


def measured(environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", [TEXT, ("Content-Length", str(sum(map(len, PIECES))))])
    yield from PIECES


def writes(environ: Environ, start: Start) -> Iterable[bytes]:
    write = start("200 OK", [TEXT])
    for piece in PIECES[:-1]:
        write(piece)
    return PIECES[-1:]


def reset(environ: Environ, start: Start) -> Iterable[bytes]:
    start("205 Reset Content", [("Content-Length", "4")])
    return [b"more"]


def empty(environ: Environ, start: Start) -> Iterable[bytes]:
    start("204 No Content", [])
    return []


def file(environ: Environ, start: Start) -> Iterable[bytes]:
    opened = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it
    opened.write(FILE)
    opened.seek(1)
    start("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"](opened)  # type: ignore[no-any-return]


def told(environ: Environ, start: Start) -> Iterable[bytes]:
    print("told to the", "log", file=environ["wsgi.errors"])
    start("200 OK", [TEXT])
    return [repr((environ["wsgi.multithread"], environ["wsgi.multiprocess"])).encode()]


def replaced(environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", [TEXT, ("Content-Length", "1000")])
    yield b""
    try:
        raise RuntimeError("before the first bytes")
    except RuntimeError:
        start("503 Broken", [TEXT], sys.exc_info())
    yield b"sorry\n"


def too_late(environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", [TEXT])
    yield b"begun\n"
    try:
        raise RuntimeError("after the first bytes")
    except RuntimeError:
        start("503 Broken", [TEXT], sys.exc_info())


def fails_while_writing(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [TEXT])(b"begun\n")
    raise RuntimeError("while writing")


def shorter(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [TEXT, ("Content-Length", "100")])
    return [b"shorter\n"]


def longer(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [TEXT, ("Content-Length", "4")])
    return [b"longer\n"]


def shorter_stream(environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", [TEXT, ("Content-Length", "100")])
    yield from PIECES


def longer_stream(environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", [TEXT, ("Content-Length", "10")])
    yield from PIECES


def nothing(environ: Environ, start: Start) -> Any:
    start("200 OK", [TEXT])


def text(environ: Environ, start: Start) -> Any:
    start("200 OK", [TEXT])
    return ["text"]


def never_started(environ: Environ, start: Start) -> Iterable[bytes]:
    return [b"never started"]


def started_twice(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [TEXT])
    start("200 OK", [TEXT])
    return [b""]


def split(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [("X-Split", "a\r\nSet-Cookie: b")])
    return [b""]


def hop(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [("Transfer-Encoding", "chunked")])
    return [b""]


def interim(environ: Environ, start: Start) -> Iterable[bytes]:
    start("100 Continue", [])
    return [b""]


def leaves(environ: Environ, start: Start) -> Iterable[bytes]:
    sys.exit("asked to leave")


class CloseFails:
    def __iter__(self) -> Iterator[bytes]:
        return iter(PIECES)

    def close(self) -> None:
        raise RuntimeError("while closing")


def close_fails(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [TEXT, ("Content-Length", "24")])
    return CloseFails()


def none_such(environ: Environ, start: Start) -> Iterable[bytes]:
    start("404 Not Found", [TEXT])
    return [b"no such thing\n"]


ROUTES: dict[str, Callable[[Environ, Start], Iterable[bytes]]] = {
    f"/{deed.__name__}": deed
    for deed in (
        *(good, back, lines, stream, measured, writes, empty, file, told, replaced, too_late, fails_while_writing),
        *(shorter, longer, shorter_stream, longer_stream, nothing, text, never_started, started_twice, split, hop),
        *(interim, leaves, close_fails, reset),
    )
}


def application(environ: Environ, start: Start) -> Iterable[bytes]:
    """The first part of the path tells what is done."""
    return ROUTES.get("/" + environ["PATH_INFO"].split("/")[1], none_such)(environ, start)
