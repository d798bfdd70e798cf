"""What a script has said, made into a reply (RFC 3875 sections 5 and 6).

Knows heads and replies; how a script is listened to is told by `process.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from forkserver.apps.app import BrokenReply
from forkserver.apps.cgi.head import BadHead, Said, parse, split, status_of
from forkserver.apps.cgi.process import Crashed, Process, TooLong
from forkserver.http.request import Request
from forkserver.http.response import Elsewhere, Response, Verbatim, bodied, error_response

T = TypeVar("T")
SMALL = 64 << 10  # bytes of a body that may leave in one piece
SOON = 0.01  # seconds in which it must be there for that


class Output:
    """The pieces of a body as the script writes them; to be closed by whoever takes them."""

    def __init__(self, process: Process, request: Request, begun: bytes, *, more: bool) -> None:
        """`begun` comes first; without `more` it is all, and the rest is for nobody."""
        self.process, self.request, self.begun, self.more = process, request, begun, more

    def __iter__(self) -> Output:
        return self

    def __next__(self) -> bytes:
        """BrokenReply when the script cannot go on with it, ConnectionAbortedError when the client has left."""
        piece, self.begun = self.begun, b""
        if not piece and self.more:
            try:
                piece = self.process.read(self.request) or b""
            except TooLong as error:
                self.process.errors.write(f"{error}, and is ended in the middle of its answer\n")
                raise BrokenReply from error
            except Crashed as error:
                raise BrokenReply from error
            self.more = bool(piece)
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """One that has said all it had to say may finish what else it does; any other is ended."""
        try:
            if not self.more:
                self.process.run_out(self.request)
        finally:
            self.process.end()


def answer(process: Process, request: Request, limit: int, *, parsed: bool) -> Response:
    """The reply of a script, of which the head ends within `limit` bytes; one that is not `parsed` has its own.

    ConnectionAbortedError when the client has left.  If there is no reply, the script is ended.
    """
    try:
        return (_parsed if parsed else _verbatim)(process, request, limit)
    except BadHead as error:
        process.errors.write(f"{error}{_ending(process.status)}\n")
        process.end()
        return error_response(500)
    except Crashed:  # the end tells how
        process.end()
        return error_response(500)
    except TooLong as error:
        process.errors.write(f"{error}, and is ended without an answer\n")
        process.end()
        return error_response(504)
    except BaseException:
        process.end()
        raise


def _parsed(process: Process, request: Request, limit: int) -> Response:
    head, rest = _beginning(process, request, split, limit)
    if len(head) > limit:
        raise BadHead(_too_long(limit))
    said = parse(head)
    if said.local:
        return _elsewhere(process, request, said)
    if said.redirects:  # section 6.2.3: it has no document, and people like to see something
        response = error_response(said.status, fields=said.fields)
        assert isinstance(response.body, bytes)
        response.length = len(response.body)
        response.body = Output(process, request, response.body, more=False)
        return response
    response = Response(said.status, said.fields, (), said.length)
    if not bodied(request.head.line.method, response):
        response.body = Output(process, request, b"", more=False)
        return response
    body, whole = _soon(process, request, rest)
    if whole and process.over:
        process.end()
        response.body = body
    else:
        response.body = Output(process, request, body, more=not whole)
        if whole and response.length is None:
            response.length = len(body)
    return response


def _soon(process: Process, request: Request, body: bytes) -> tuple[bytes, bool]:
    """What is there of a body within a moment, and whether it is all: most are small, and can be sent in one piece."""
    limit = time.monotonic() + SOON
    pieces, size = [body], len(body)
    while size < SMALL and (piece := process.read(request, limit)) is not None:
        if not piece:
            return b"".join(pieces), True
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces), False


def _elsewhere(process: Process, request: Request, said: Said) -> Response:
    process.run_out(request)
    if any(name.lower() == "set-cookie" for name, _ in said.fields):
        process.errors.write(
            "Set-Cookie is lost where Location is a path of this server; give a Status, or a whole URL\n"
        )
    process.end()
    return Elsewhere(said.local)


def _verbatim(process: Process, request: Request, limit: int) -> Response:
    def begun(output: bytes) -> tuple[int, bytes] | None:
        status = status_of(output)
        return None if status is None else (status, output)

    status, output = _beginning(process, request, begun, limit)
    return Verbatim(status, (), Output(process, request, output, more=True))


def _beginning(process: Process, request: Request, read: Callable[[bytes], T | None], limit: int) -> T:
    """Take output until it can be read."""
    output = b""
    while (found := read(output)) is None:
        if len(output) > limit:
            raise BadHead(_too_long(limit))
        piece = process.read(request)
        if not piece:
            raise BadHead("it ended within its head" if output else "it ended without saying anything")
        output += piece
    return found


def _too_long(limit: int) -> str:
    return f"its head does not end within {limit} bytes"


def _ending(status: int | None) -> str:
    return f" (exit status {status})" if status else ""
