"""A response as it goes out on one connection: head, parts of the body, and whether the connection stays.

Pure: knows the framing that a version allows (RFC 9112 section 6), no socket and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from forkserver.http.request import Head
from forkserver.http.response import LAST_CHUNK, Body, FileSlice, Response, chunk, has_body, head_parts

JOINED = 64 << 10  # bytes of a body that leave in one piece with their head


@dataclass(slots=True)
class Reply:
    """One reply on its way, with what the access log will want to know of it."""

    head: Head | None  # of the request; None when it could not be read
    status: int
    fields: tuple[tuple[str, str], ...]
    before: bytes  # the head up to the value of Date
    after: bytes  # the head from there on
    parts: deque[bytes | memoryview | FileSlice]  # of the body
    source: Iterator[bytes] | None  # of further parts, framed
    keep: bool  # the connection stays open
    linger: bool = False  # the peer may still be sending: half-close and read off first
    head_size: int = 0  # bytes
    line: str = ""  # the request line as sent, where there is no head

    def start(self, date: bytes) -> None:
        """Put the head in front; a small body joins it, so that both leave in one call."""
        wire = self.before + date + self.after
        self.head_size = len(wire)
        first = self.parts[0] if self.parts else None
        if isinstance(first, bytes) and len(first) <= JOINED:
            self.parts[0] = wire + first
        else:
            self.parts.appendleft(wire)

    def close(self) -> None:
        """Let go of what will not be sent."""
        for part in self.parts:
            if isinstance(part, FileSlice):
                part.file.close()
        self.parts.clear()
        close = getattr(self.source, "close", None)
        if close:
            close()
        self.source = None


def compose(head: Head | None, response: Response, *, keep: bool, server: str) -> Reply:
    """The reply to a request of this head.

    `keep` is what both sides would like; a body of unknown length to HTTP/1.0 ends with the connection all the same.
    ValueError when the response cannot be put on the wire; its body is closed then.
    """
    minor = head.line.minor if head else 1
    wanted = has_body(head.line.method if head else "GET", response.status)
    length = body_length(response)
    chunked = wanted and length is None and minor > 0
    if wanted and length is None and not chunked:
        keep = False
    state = "close" if not keep else "keep-alive" if not minor else ""
    try:
        before, after = head_parts(
            response.status, response.fields, length=length, chunked=chunked, connection=state, server=server
        )
    except ValueError:
        discard(response.body)
        raise
    reply = Reply(head, response.status, response.fields, before, after, deque(), None, keep)
    if not wanted:
        discard(response.body)
    else:
        reply.parts.extend(_parts(response.body))
        if not isinstance(response.body, (bytes, FileSlice, tuple)):
            reply.source = _chunks(response.body) if chunked else iter(response.body)
    return reply


def body_length(response: Response) -> int | None:
    """Bytes of the body; None when only its end will tell."""
    if response.length is not None:
        return response.length
    body = response.body
    if isinstance(body, bytes):
        return len(body)
    if isinstance(body, FileSlice):
        return body.length
    if isinstance(body, tuple):
        return sum(len(part) if isinstance(part, bytes) else part.length for part in body)
    return None


def discard(body: Body) -> None:
    """Close what a body holds open."""
    for part in _parts(body):
        if isinstance(part, FileSlice):
            part.file.close()
    close = getattr(body, "close", None)
    if close:
        close()


def _parts(body: Body) -> tuple[bytes | FileSlice, ...]:
    if isinstance(body, tuple):
        return body
    if isinstance(body, (bytes, FileSlice)):
        return (body,) if body else ()
    return ()


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces in chunked coding (RFC 9112 section 7.1); an empty one would end the body, so it is left out."""
    for piece in pieces:
        if piece:
            yield chunk(piece)
    yield LAST_CHUNK
