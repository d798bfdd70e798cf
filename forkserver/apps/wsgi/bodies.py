"""What an application returned, made into a reply: bytes, a stretch of a file, or a stream of pieces.

Whatever becomes of it, its `close` is called once (PEP 3333, "Specification Details").  Knows results and replies;
nothing of environs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from forkserver.apps.wsgi.filewrapper import FileWrapper, slice_of, stretch_of
from forkserver.apps.wsgi.starting import UNKNOWN, Made, Start, WsgiError
from forkserver.http.response import FileSlice, Response, has_body


class Stream:
    """The pieces of a body as they come, each of them looked at; to be closed by whoever takes them."""

    __slots__ = ("_first", "_iterator", "_result")

    def __init__(self, result: Any) -> None:
        """TypeError for what cannot be iterated; it is closed then."""
        self._result = result
        self._first: bytes | None = None
        try:
            if result is None or isinstance(result, (str, bytes, bytearray)):
                raise TypeError(f"the application returned {type(result).__name__}, not an iterable of bytes")
            self._iterator: Iterator[bytes] = iter(result)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> bytes:
        """TypeError for a piece that is not bytes."""
        first = self._first
        if first is not None:
            self._first = None
            return first
        piece = next(self._iterator)
        if not isinstance(piece, bytes):
            raise _no_bytes(piece)
        return piece

    def fetch(self) -> bool:
        """Have the first piece that holds something at hand; False when there is none."""
        for piece in self:
            if piece:
                self._first = piece
                return True
        return False

    def close(self) -> None:
        """Tell the application that nobody takes any more; the second time does nothing."""
        result, self._result = self._result, None
        _close(result)


def answer(start: Start, result: Any) -> Response:
    """The reply of an application that has returned `result`."""
    start.over = True
    kind = type(result)
    if start.response is not None:
        start.response.body = Stream(result)
        return start.response
    if kind is list or kind is tuple:
        return _whole(start, result)
    if kind is FileWrapper and start.made and (response := _file(start, start.made, result)):
        return response
    stream = Stream(result)
    try:
        response = _streamed(start, stream)
    except BaseException:
        stream.close()
        raise
    if response.body is not stream:
        stream.close()
    return response


def _whole(start: Start, pieces: list[bytes] | tuple[bytes, ...]) -> Response:
    """All of the body is here."""
    for piece in pieces:
        if not isinstance(piece, bytes):
            raise _no_bytes(piece)
    status, fields, length = _said(start)
    return Response(status, fields, UNKNOWN if start.wrote else b"".join(pieces), length)


def _streamed(start: Start, stream: Stream) -> Response:
    """A reply whose head is settled: the application may replace it until the first bytes of its body are there.

    Where no body is wanted, it is asked for just so much that it calls `start_response`.
    """
    method = start.request.head.line.method
    more = True
    if not start.made or has_body(method, start.made[0]):
        more = stream.fetch()
    status, fields, length = _said(start)
    if not has_body(method, status):
        return Response(status, fields, UNKNOWN, length)
    start.out = True
    return Response(status, fields, stream if more else b"", length)


def _file(start: Start, made: Made, wrapper: FileWrapper) -> Response | None:
    """The reply whose body the kernel sends; None when it has to be read after all."""
    status, fields, length = made
    stretch = stretch_of(wrapper.filelike)
    if stretch is None or (length is not None and length > stretch.length):
        return None
    # PEP 3333, "Optional Platform-Specific File Handling": until the end, or until Content-Length bytes have been
    # written; so a file that is longer than that is no error, and nothing is said of it.
    size = stretch.length if length is None else length
    wanted = size and has_body(start.request.head.line.method, status)
    body = slice_of(stretch, size) if wanted else b""
    if body is None:
        return None
    try:
        _close(wrapper)
    except BaseException:
        if isinstance(body, FileSlice):
            body.file.close()
        raise
    return Response(status, fields, body, size)


def _close(result: object) -> None:
    close = getattr(result, "close", None)
    if close is not None:
        close()


def _said(start: Start) -> Made:
    """The head, which must have been told by now."""
    if not start.made:
        raise WsgiError(
            "the application has not called start_response"
            if start.made is None
            else "the application goes on after start_response was refused"
        )
    return start.made


def _no_bytes(piece: object) -> TypeError:
    return TypeError(f"the application gave a piece of its body as {type(piece).__name__}, not bytes")
