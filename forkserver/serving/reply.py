"""A response as it goes out on one connection: head, parts of the body, and whether the connection stays.

Knows the framing that a version allows (RFC 9112 section 6), no socket and no clock.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from forkserver.http.request import Head
from forkserver.http.response import LAST_CHUNK, Body, FileSlice, Response, Verbatim, bodied, chunk, head_parts

if TYPE_CHECKING:
    from forkserver.policy import Encode

JOINED = 64 << 10  # bytes of a body that leave in one piece with their head


class BrokenOff(Exception):  # noqa: N818 - a fact, of which the cause is the fault
    """The application failed in the middle of its reply, which cannot be ended any more."""


class WrongLength(ValueError):  # noqa: N818 - as above
    """A body has more bytes than its length promised, or fewer: nobody can tell where the next reply would begin."""


@dataclass(slots=True)
class Reply:
    """One reply on its way, with what the access log will want to know of it."""

    head: Head | None  # of the request; None when it could not be read
    status: int
    fields: tuple[tuple[str, str], ...]
    before: bytes  # the head up to the value of Date; b"" where the body has its own
    after: bytes  # the head from there on
    parts: deque[bytes | memoryview | FileSlice]  # of the body
    source: Iterator[bytes] | None  # of further parts, framed
    keep: bool  # the connection stays open
    origin: object = None  # where the source takes them from; closed with the reply
    framing: int = 0  # bytes of chunk framing in the parts so far
    linger: bool = False  # the peer may still be sending: half-close and read off first
    head_size: int = 0  # bytes
    quiet: bool = False  # it is not written to the access log
    line: str = ""  # the request line as sent, where there is no head

    def start(self, date: bytes) -> None:
        """Put the head in front; a small body joins it, so that both leave in one call."""
        if not self.before:
            return
        wire = self.before + date + self.after
        self.head_size = len(wire)
        first = self.parts[0] if self.parts else None
        if isinstance(first, bytes) and len(first) <= JOINED:
            self.parts[0] = wire + first
        else:
            self.parts.appendleft(wire)

    def more(self) -> bytes | None:
        """The next part of the body from its source; b"" when there is none at present, None at the end.

        BrokenOff when the application fails.
        """
        try:
            return next(self.source, None) if self.source else None
        except BaseException as error:  # the application's trouble, of whatever kind, a time limit's included
            raise BrokenOff from error

    def close(self) -> None:
        """It is out, or will not be sent: let go of what is left, and tell the application.

        Raises whatever the application's own `close` does.
        """
        for part in self.parts:
            if isinstance(part, FileSlice):
                part.file.close()
        self.parts.clear()
        origin, self.origin, self.source = self.origin, None, None
        _close(origin)


def compose(
    head: Head | None,
    response: Response,
    *,
    keep: bool,
    server: str,
    flow: Iterator[bytes] | None = None,
    encode: Encode | None = None,
) -> Reply:
    """The reply to a request of this head.

    `keep` is what both sides would like; a body of unknown length to HTTP/1.0 ends with the connection all the same.
    A `flow` stands in for the response's body; it gives b"" when there is nothing at present.
    What `encode` gives is sent in the place of the body; the length of that is not known.
    ValueError when the response cannot be put on the wire, and whatever an application's own objects raise; the
    body is closed then.
    """
    minor = head.line.minor if head else 1
    verbatim = isinstance(response, Verbatim)
    wanted = bodied(head.line.method if head else "GET", response)
    promised = response.length if flow is not None else body_length(response)
    length = None if encode or verbatim else promised
    chunked = wanted and length is None and minor > 0 and not verbatim
    if wanted and length is None and not chunked:
        keep = False
    state = "close" if not keep else "keep-alive" if not minor else ""
    try:
        before, after = (
            (b"", b"")
            if verbatim
            else head_parts(
                response.status, response.fields, length=length, chunked=chunked, connection=state, server=server
            )
        )
    except Exception:
        discard(response.body)
        raise
    reply = Reply(head, response.status, response.fields, before, after, deque(), None, keep)
    if not wanted:
        discard(response.body)
    elif encode:
        plain = flow if flow is not None else _full(_pieces(response.body))
        reply.origin = None if flow is not None else _Origin(response.body)
        reply.source = _source(reply, encode(plain if promised is None else _measured(plain, promised)), None, chunked)
    elif flow is not None:
        reply.source = _source(reply, flow, length, chunked)
    elif isinstance(response.body, bytes) and len(response.body) != length:
        reply.source = _source(reply, iter((response.body,)), length, chunked)
    elif isinstance(response.body, (bytes, FileSlice, tuple)):
        reply.parts.extend(_parts(response.body))
    else:
        reply.origin = response.body
        # Asked for its iterator now, while the answer can still be another.
        reply.source = _source(reply, _full(iter(response.body)), length, chunked)
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
    _close(body)


class _Origin:
    """A body that is sent in another form; closed with its reply."""

    def __init__(self, body: Body) -> None:
        self.close = partial(discard, body)


def _close(thing: object) -> None:
    """As PEP 3333 has it: what has a `close` is closed, to its end or not."""
    close = getattr(thing, "close", None)
    if close:
        close()


def _parts(body: Body) -> tuple[bytes | FileSlice, ...]:
    if isinstance(body, tuple):
        return body
    if isinstance(body, (bytes, FileSlice)):
        return (body,) if body else ()
    return ()


def _pieces(body: Body) -> Iterator[bytes]:
    """Any body as pieces of bytes, of which none is large where we have the choice."""
    if not isinstance(body, (bytes, FileSlice, tuple)):
        yield from body
        return
    for part in _parts(body):
        if isinstance(part, bytes):
            yield from (part[at : at + JOINED] for at in range(0, len(part), JOINED))
        else:
            end = part.offset + part.length
            for at in range(part.offset, end, JOINED):
                yield os.pread(part.file.fileno(), min(JOINED, end - at), at)


def _source(reply: Reply, pieces: Iterator[bytes], length: int | None, chunked: bool) -> Iterator[bytes]:
    if length is not None:
        return _measured(pieces, length)
    return _chunks(reply, pieces) if chunked else pieces


def _full(pieces: Iterable[object]) -> Iterator[bytes]:
    """Those that hold something: an empty chunk would end the body.  TypeError for what is not bytes."""
    for piece in pieces:
        if not isinstance(piece, bytes):
            raise TypeError(f"a piece of a body is bytes, not {type(piece).__name__}")
        if piece:
            yield piece


def _chunks(reply: Reply, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces in chunked coding (RFC 9112 section 7.1)."""
    for piece in pieces:
        framed = chunk(piece)  # of nothing: nothing
        reply.framing += len(framed) - len(piece)
        yield framed
    reply.framing += len(LAST_CHUNK)
    yield LAST_CHUNK


def _measured(pieces: Iterable[bytes], length: int) -> Iterator[bytes]:
    """Pieces that must be `length` bytes altogether: the next reply on the connection begins after so many.

    Never gives more.  WrongLength when they are more or fewer.
    """
    left = length
    for piece in pieces:
        if len(piece) > left:
            if left:
                yield piece[:left]
            raise WrongLength(f"the body is longer than its length of {length} bytes")
        left -= len(piece)
        yield piece
    if left:
        raise WrongLength(f"the body is {left} bytes short of its length of {length}")
