"""A request's head: the facts a peer states, from bytes, strictly (RFC 9112 sections 2 to 7, RFC 9110).

Knows the grammar of a message and nothing of sockets, time, mounts or files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from forkserver.http import grammar
from forkserver.http.fields import CHUNKED, FieldReader, Fields
from forkserver.http.grammar import BadRequest, next_line
from forkserver.http.memo import Memo
from forkserver.http.target import RequestLine, parse_line

if TYPE_CHECKING:
    from forkserver.http.response import Response

__all__ = [
    "CHUNKED",
    "DEFAULT_LIMITS",
    "Asked",
    "BadRequest",
    "Ends",
    "Fields",
    "Head",
    "HeadLimits",
    "Parser",
    "Request",
    "RequestLine",
    "host_of",
]


class Head(NamedTuple):
    """A whole request head that broke no rule."""

    line: RequestLine
    fields: Fields
    host: str  # lower case, without port; an absolute-form's authority before the Host field; "" for none
    length: int  # of the body in bytes; 0, or CHUNKED
    keep_alive: bool  # whether the peer wants the connection to stay (RFC 9112 section 9.3)
    size: int  # bytes of the buffer that the head took, leading empty lines included


class Ends:
    """The two ends of a connection; one object for all its requests.

    `peer` and `local` are address and port of the client and of the address it came in at; the client of a unix
    socket is ("unix", 0), and a port that a proxy does not tell is 0.  `variables` are the same as a gateway
    interface names them (RFC 3875 section 4.1).
    """

    __slots__ = ("local", "peer", "variables")

    def __init__(self, peer: tuple[str, int], local: tuple[str, int]) -> None:
        self.peer, self.local = peer, local
        self.variables = {"REMOTE_ADDR": peer[0], "REMOTE_PORT": str(peer[1]), "SERVER_PORT": str(local[1])}


class Asked:
    """What a head asks for, and of whom: all that its bytes settle.

    `script` is the mount's prefix without a slash at its end: "" or "/shop"; `path` is what of the decoded path lies
    below the mount, begins with "/" or is "".  `scheme` is "http" or, where a trusted proxy says so, "https"; `ends`
    are those that such a proxy tells of, None where the connection's own hold.  Where it is `kept`, further requests
    of the same bytes are given this very object, and `note` is for the application at the mount, to keep what it has
    worked out from all this.
    """

    __slots__ = ("ends", "head", "kept", "note", "path", "scheme", "script")

    def __init__(self, head: Head, script: str, path: str, scheme: str = "http", ends: Ends | None = None) -> None:
        self.head, self.script, self.path, self.scheme, self.ends = head, script, path, scheme, ends
        self.kept = False
        self.note: Any = None


class Request:
    """What an application is given: what is asked, the complete body and the circumstances.

    `body` is in memory, or a temporary file positioned at its start, which stays the server's to close.  `now` is in
    seconds since the epoch.
    """

    __slots__ = ("asked", "body", "ends", "now")

    def __init__(self, asked: Asked, ends: Ends, body: bytes | BinaryIO, now: float) -> None:
        self.asked, self.ends, self.body, self.now = asked, ends, body, now

    @property
    def head(self) -> Head:
        return self.asked.head

    @property
    def script(self) -> str:
        return self.asked.script

    @property
    def path(self) -> str:
        return self.asked.path

    @property
    def scheme(self) -> str:
        return self.asked.scheme

    @property
    def peer(self) -> tuple[str, int]:
        return (self.asked.ends or self.ends).peer

    @property
    def local(self) -> tuple[str, int]:
        return self.ends.local

    @property
    def gone(self) -> bool:
        """Whether nobody waits for the answer any more: the client has left, or was told something else.

        For applications that are `blocking` and wait for something: they had better look now and then.
        """
        return False

    def begin(self, response: Response) -> Callable[[bytes], None]:
        """Begin the answer before `respond` returns: what is given back takes the pieces of its body.

        For applications that are `blocking` alone.  `respond` returns the same response in the end, with an iterable
        of what is still to come for its body.  Taking a piece may wait for the client, and raises
        ConnectionAbortedError once there is none any more.  For a reply without a body they are dropped.
        """
        raise NotImplementedError

    def extend(self, seconds: float = 0.0) -> float:
        """Have at least `seconds` from now on, within what is allowed; give how many there are.

        For applications that are `blocking` alone.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class HeadLimits:
    """How large a head may be; bytes of lines are counted without their CRLF."""

    line: int = 8192  # bytes of the request line; beyond: 414
    field: int = 8192  # bytes of one field line; beyond: 431 (RFC 6585 section 5)
    fields: int = 32768  # bytes of all field lines, CRLFs included; beyond: 431
    count: int = 100  # field lines; beyond: 431


DEFAULT_LIMITS = HeadLimits()


class Parser:
    """Reads heads and remembers what it has read, in layers: whole heads, their two parts, field lines.

    The outcome depends on the bytes alone and not on how they were cut.  Of an unfinished head only that is
    judged which no further byte can change: its size, a bare LF, a first byte that begins no method.  A
    whole head is judged by the same rules, in the order of its bytes, before its grammar is looked at.
    """

    def __init__(self, limits: HeadLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._harmless = min(limits.line, limits.field, limits.fields)  # bytes that can break no size limit
        self._heads: Memo[bytes, Head] = Memo(512, 64 << 10)
        self._lines: Memo[bytes, RequestLine] = Memo(1024, 128 << 10, make=parse_line)
        self._reader = FieldReader(limits.count)
        # One for each version: some fields mean nothing, or are wrong, in HTTP/1.0.
        self._blocks: tuple[Memo[bytes, Fields], ...] = tuple(
            Memo(256, 64 << 10, make=partial(self._reader.read, minor=minor)) for minor in (0, 1)
        )

    def parse(self, buffer: bytes) -> Head | None:
        """Read the head at the start of `buffer`; None when it is not whole yet.

        What follows the first `size` bytes is the body, or the next request.
        Raises BadRequest 400, 411, 413, 414, 417, 431, 501, 505.
        """
        # Without an empty line this asks for the first three bytes: no whole head, so never known.
        raw = buffer[: buffer.find(b"\r\n\r\n") + 4]
        return self._heads.get(raw) or self._parse(buffer, raw)

    def knows(self, raw: bytes) -> bool:
        """Whether these bytes, just read, are a head whose line and fields have both come before.

        What is made for others may be kept for the next who sends them: it is hardly for once.
        """
        return raw in self._heads

    def _parse(self, buffer: bytes, raw: bytes) -> Head | None:
        """A head that is new.  Nearly every one can be taken as it is; of others it is found out what is wrong."""
        if 4 <= len(raw) <= self._harmless:
            try:
                return self._head(raw[:-4], raw)
            except BadRequest:
                pass
        return self._scrutinize(buffer)

    def _scrutinize(self, buffer: bytes) -> Head | None:
        """In the order of the bytes, so that an earlier cut would have been told the same."""
        start = _start(buffer)
        end = buffer.find(b"\r\n\r\n", start)
        self._judge_lines(buffer, start)
        return self._head(buffer[start:end], buffer[: end + 4]) if end >= 0 else None

    def _judge_lines(self, buffer: bytes, at: int) -> None:
        """Refuse the first line from `at` on, up to an empty one, that is too large or ends badly.

        Each is refused by the earliest byte that settles it, so that any cut gives the same status.
        """
        limits = self._limits
        at = block = next_line(buffer, at, limits.line, 414, "the request line is too long")
        count = 0
        while at >= 0 and buffer[at : at + 2] not in (b"", b"\r", b"\r\n"):
            count += 1
            if count > limits.count:
                raise BadRequest(431, "there are too many fields")
            room = min(limits.field, limits.fields - (at - block) - 2)
            at = next_line(buffer, at, room, 431, "the fields are too large")

    def _head(self, text: bytes, raw: bytes) -> Head:
        """The head of `text`, which is `raw` without the empty lines around it."""
        line_text, _, block = text.partition(b"\r\n")
        line = self._lines[line_text]
        minor = line.minor
        blocks = self._blocks[minor]
        fields = blocks[block]
        # RFC 1945 section 8.3; in HTTP/1.1 a request without a length has no body (RFC 9112 section 6.3)
        if not minor and not fields.sized and line.method in ("POST", "PUT"):
            raise BadRequest(411, "a POST or PUT of HTTP/1.0 needs a Content-Length")
        keep_alive = not fields.close and (minor > 0 or fields.keep)
        host = host_of(line.authority or fields.host or "")
        head = Head(line, fields, host, fields.length, keep_alive, len(raw))
        if block in blocks and line_text in self._lines:  # else it hardly comes again
            self._heads.put(raw, head)
        return head


def _start(buffer: bytes) -> int:
    """Where the request line begins; len(buffer) when it has not begun yet.  Raises BadRequest 400."""
    if grammar.FIRST_BYTE.match(buffer):
        return 0
    start = 0
    while start < 2 * grammar.LEADING_LINES and buffer.startswith(b"\r\n", start):
        start += 2
    if grammar.FIRST_BYTE.match(buffer, start):
        return start
    unsettled = (b"", b"\r") if start < 2 * grammar.LEADING_LINES else (b"",)
    if buffer[start:] not in unsettled:
        raise BadRequest(400, _stranger(buffer[start : start + 1]))
    return len(buffer)


def _stranger(first: bytes) -> str:
    """Why nothing that begins with this byte is a request."""
    if first == grammar.TLS_HANDSHAKE:
        return "this looks like TLS, and this address speaks plain HTTP"
    return "this is not how a request begins"


def host_of(authority: str) -> str:
    """The host of a well-formed `host[:port]`, in lower case; an IPv6 address keeps its brackets."""
    name = authority[: authority.index("]") + 1] if authority.startswith("[") else authority.partition(":")[0]
    return name.lower()
