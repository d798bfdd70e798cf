"""An answer: what an application gives back, and how its head is written (RFC 9110, RFC 9112 section 4).

Knows the syntax of a status line and of fields; knows nothing of sockets, files on disk or clocks (the date
is an argument).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Protocol

from forkserver.http.dates import http_date, parse_date
from forkserver.http.memo import Memo
from forkserver.http.status import EXPLANATIONS, REASONS

__all__ = [
    "CONTINUE",
    "HOP_BY_HOP",
    "LAST_CHUNK",
    "OURS",
    "OWNED",
    "REASONS",
    "Body",
    "Elsewhere",
    "ErrorPage",
    "Fields",
    "FileSlice",
    "OpenFile",
    "Response",
    "Verbatim",
    "bodied",
    "chunk",
    "error_response",
    "has_body",
    "head_parts",
    "http_date",
    "parse_date",
    "value_of",
    "without",
]


class OpenFile(Protocol):
    """Anything with a descriptor to send from, such as a file object."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class FileSlice:
    """A stretch of an open regular file, for the kernel to send; whoever holds the slice closes its file."""

    file: OpenFile
    offset: int
    length: int


Fields = tuple[tuple[str, str], ...]  # names and values, in the order to be sent
Body = bytes | FileSlice | tuple[bytes | FileSlice, ...] | Iterable[bytes]


@dataclass(slots=True)
class Response:
    """Status, fields and body of an answer.

    `fields` are (name, value) pairs in the order to be sent, without Date, Server, Connection, and without
    Content-Length, which the server works out from a body of known length (for HEAD too, where `body` is
    what GET would send and only its length is used).  A tuple body is sent part by part.  For an iterable
    of bytes the length is unknown, unless `length` tells it.
    `still`, where given, says whether these very bytes may be given again to a request of the very same
    bytes: the server then keeps a small reply in memory and asks at most once a second.
    """

    status: int
    fields: tuple[tuple[str, str], ...] = ()
    body: Body = b""
    length: int | None = None
    still: Callable[[], bool] | None = None

    def with_body(self, body: Body) -> Response:
        """The same answer, as a plain one, with another body."""
        return Response(self.status, self.fields, body, self.length, self.still)


class Verbatim(Response):
    """An answer whose body is the whole message, status line and all, and goes out as it is (RFC 3875 section 5.2).

    Its status is for the log alone, its fields and length are for nobody.  The connection ends with it.
    """

    __slots__ = ()

    def with_body(self, body: Body) -> Verbatim:
        return Verbatim(self.status, self.fields, body, self.length, self.still)


class Elsewhere(Response):
    """Instead of an answer: the client is given what another path would give (RFC 3875 section 6.2.2).

    For applications that are `blocking` alone.
    """

    __slots__ = ("target",)

    def __init__(self, target: str) -> None:
        """`target` is a path on this server, with a query or without, encoded as in a request line."""
        super().__init__(302, (("Location", target),), ())
        self.target = target


# RFC 9110 sections 5.1 and 5.5, as in grammar.py, but over text: what an application says is str.
FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

# Fields that frame the message or describe the connection.  The server writes them; an application that
# could, might contradict it.
OWNED = frozenset({"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"})

# RFC 9110 section 7.6.1 and RFC 2616 section 13.5.1, to which PEP 3333 refers: these belong to the connection, and
# are not an application's to say.
HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te"),
        *("trailer", "trailers", "transfer-encoding", "upgrade"),
    }
)
OURS = frozenset({"date", "server"})  # what an application says of these is left out

_Key = tuple[int, tuple[tuple[str, str], ...], int | None, bool, str, str]
_HEADS: Memo[_Key, tuple[bytes, bytes]] = Memo(512, 128 << 10, lambda _, parts: len(parts[1]))
_BLOCKS: Memo[tuple[tuple[str, str], ...], str] = Memo(512, 64 << 10, lambda _, block: len(block))

RESET = 205  # has no content, and says so like any other answer: a client would wait for a body

CONNECTION = {"": "", "close": "Connection: close\r\n", "keep-alive": "Connection: keep-alive\r\n"}


def has_body(method: str, status: int) -> bool:
    """Whether bytes may follow the head of an answer (RFC 9112 section 6.3, rule 1; RFC 9110 section 15.3.6)."""
    return method != "HEAD" and status != RESET and not _bodiless(status)


def bodied(method: str, response: Response) -> bool:
    """Whether the body of this answer is sent."""
    return has_body(method, response.status) or isinstance(response, Verbatim)


def head_parts(
    status: int,
    fields: tuple[tuple[str, str], ...] = (),
    *,
    length: int | None = None,
    chunked: bool = False,
    connection: str = "",
    server: str = "",
) -> tuple[bytes, bytes]:
    """The two parts of an answer's head; between them belongs the value of Date, as `http_date` writes it.

    `length` in bytes becomes Content-Length, `chunked` becomes Transfer-Encoding; an answer that never has
    a body (1xx, 204, 304) gets neither, and 205 a length of 0.  `connection` is "close", "keep-alive" (for
    a peer of HTTP/1.0 that asked for it) or "", `server` the value of Server; an empty one leaves its field out.
    Raises ValueError for a status that is not 100 to 999, for a name that is no token, a value with a
    control character or one beyond latin-1 (so that no application can split an answer in two, RFC 9110
    section 5.5), for a field in `OWNED`, a negative length, and for length and chunked together.
    """
    key = (status, fields, length, chunked, connection, server)
    parts = _HEADS.find(key)
    if parts is None:
        parts = _head_parts(key)
        _HEADS.put(key, parts)
    return parts


def _head_parts(key: _Key) -> tuple[bytes, bytes]:
    status, fields, length, chunked, connection, server = key
    if not 100 <= status <= 999:
        raise ValueError(f"{status} is no status")
    if length is not None and length < 0:
        raise ValueError(f"{length} is no length")
    if chunked and length is not None:
        raise ValueError("a body is chunked or has a length, not both")
    if connection not in CONNECTION:
        raise ValueError(f"Connection cannot be {connection!r}")
    block = _BLOCKS.find(fields)
    if block is None:
        block = _block(fields)
        _BLOCKS.put(fields, block)
    before = f"HTTP/1.1 {status} {REASONS.get(status, '')}\r\nDate: "
    own = _line("Server", server) if server else ""
    if status == RESET:
        own += "Content-Length: 0\r\n"
    elif not _bodiless(status):
        own += "Transfer-Encoding: chunked\r\n" if chunked else ""
        own += f"Content-Length: {length:d}\r\n" if length is not None else ""
    return before.encode("ascii"), f"\r\n{own}{block}{CONNECTION[connection]}\r\n".encode("latin-1")


def _bodiless(status: int) -> bool:
    return status < 200 or status in (204, 304)


def _block(fields: tuple[tuple[str, str], ...]) -> str:
    for name, _ in fields:
        if name.lower() in OWNED:
            raise ValueError(f"the server itself writes {name}")
    return "".join([_line(name, value) for name, value in fields])


def _line(name: str, value: str) -> str:
    if not FIELD_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a field")
    if not FIELD_VALUE.fullmatch(value):
        raise ValueError(f"{value!r} cannot be the value of {name}")
    return f"{name}: {value}\r\n"


def value_of(fields: Fields, name: str) -> str | None:
    """The value of a field, `name` in lower case; repeated ones joined (RFC 9110 section 5.3); None for none."""
    found = [value for key, value in fields if key.lower() == name]
    return ", ".join(found) if found else None


def without(fields: Fields, *names: str) -> Fields:
    """All fields but those of these names, in any case."""
    unwanted = {name.lower() for name in names}
    return tuple(field for field in fields if field[0].lower() not in unwanted)


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"  # RFC 9110 section 15.2.1; it needs no fields
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """`data` as one chunk (RFC 9112 section 7.1); b"" for no data, since an empty chunk is the last."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ margin: 0; padding: 15vh 1.5rem 3rem; font: 1.1rem/1.6 system-ui, sans-serif }}
main {{ max-width: 36rem; margin: auto }}
h1 {{ margin: 0 0 1rem; font-size: 1.8rem; line-height: 1.2 }}
.detail {{ opacity: .75; overflow-wrap: anywhere }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{text}
</main>
</body>
</html>
"""


class ErrorPage(Response):
    """A page of the server's own, in place of which a site may show one of its own."""

    __slots__ = ()


def error_response(status: int, detail: str = "", fields: tuple[tuple[str, str], ...] = ()) -> Response:
    """A page that says in plain words what a status means, with `detail` (plain text) below; `fields` are added."""
    return ErrorPage(status, (("Content-Type", "text/html; charset=utf-8"), *fields), _page(status, detail))


@lru_cache(64)
def _page(status: int, detail: str) -> bytes:
    title = f"{status} {REASONS.get(status, '')}".strip()
    text = f"<p>{EXPLANATIONS.get(status, 'This is all the server has to say.')}</p>"
    if detail:
        text += f'\n<p class="detail">{escape(detail)}</p>'
    return PAGE.format(title=title, text=text).encode("utf-8", "replace")
