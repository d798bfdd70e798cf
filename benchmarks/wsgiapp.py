"""The WSGI application that every server of the group `wsgi` is given: as little as makes each row what it is.

Copied into a folder of its own, so that the servers import it as `wsgiapp`; it must not import anything of the
benchmarks.  A path that is not in ROUTES gets the short text, so that rows can ask for paths that are new.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

StartResponse = Callable[[str, list[tuple[str, str]]], Any]

HELLO = b"Hello, world\n"
LARGE = b"0123456789abcdef" * 4096  # 64 KiB
PIECE = b"0123456789abcde\n" * 256  # 4 KiB
PIECES = 16
HUGE = bytes(8 * 1024 * 1024)  # zeroes take no memory before they are sent


def whole(start_response: StartResponse, body: bytes) -> list[bytes]:
    """A text in one piece, with its length."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def hello(_environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    return whole(start_response, HELLO)


def length(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Read the whole body; say how long it was."""
    return whole(start_response, b"%d bytes\n" % len(environ["wsgi.input"].read()))


def large(_environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    return whole(start_response, LARGE)


def huge(_environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    return whole(start_response, HUGE)


def stream(_environ: dict[str, Any], start_response: StartResponse) -> Iterator[bytes]:
    """Sixteen pieces of 4 KiB, of a length that is not announced."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    for _ in range(PIECES):
        yield PIECE


def after(seconds: float) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """The short text, but later: the time goes by in a system call, as it does with a database."""

    def slow(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        time.sleep(seconds)
        return hello(environ, start_response)

    return slow


ROUTES: dict[str, Callable[[dict[str, Any], StartResponse], Iterable[bytes]]] = {
    "/length": length,
    "/64k": large,
    "/8m": huge,
    "/stream": stream,
    "/slow10": after(0.010),
    "/slow1000": after(1.0),
}


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    return ROUTES.get(environ["PATH_INFO"], hello)(environ, start_response)
