"""The request line: its method, its version, and its target in all four forms (RFC 9112 section 3).

Knows one line; nothing of fields, limits or what a path leads to.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from forkserver.http import grammar
from forkserver.http.fields import check_authority
from forkserver.http.grammar import BadRequest


class RequestLine(NamedTuple):
    """`GET /a%20b?c=d HTTP/1.1`, taken apart; shared by every request that begins with the same bytes."""

    text: str  # the line as sent, latin-1
    method: str
    target: str  # as sent
    raw_path: str  # still percent-encoded
    path: str  # percent-decoded bytes as latin-1, as PEP 3333 wants them; "*" for OPTIONS *
    query: str
    minor: int  # of HTTP/1.minor: 0, or 1, as which anything higher is served (RFC 9110 section 2.5)
    authority: str | None  # of an absolute-form target


# Why a line is no request line: the first pattern that matches tells.
TROUBLES = (
    (grammar.FOREIGN_VERSION, 505, "this server speaks HTTP/1.0 and HTTP/1.1 only"),
    # RFC 9112 section 3: a method longer than any that is implemented gets 501
    (grammar.LONG_METHOD, 501, "the method is too long"),
    (grammar.WITH_FRAGMENT, 400, "the target has a fragment"),
    (grammar.WITHOUT_VERSION, 400, "the request line has no HTTP version"),
    # As `curl http://localhost/ä` sends it.
    (grammar.RAW_TARGET, 400, "the target has letters that are not ASCII and not percent-encoded"),
)


def parse_line(line: bytes) -> RequestLine:
    """Take apart a request line, given without its CRLF.

    Raises BadRequest: 400 for what breaks the grammar and for paths that no client sends in good faith
    (NUL, dot segments), 501 for CONNECT and overlong methods, 505 for a version of another major number.
    """
    text = line.decode("latin-1")
    simple = grammar.SIMPLE_LINE.fullmatch(text)
    if simple is None:
        return _parse_line(line)
    method, target, path, query, minor = simple.groups()
    _check_path(path)
    return RequestLine(text, method, target, path, path, query or "", 0 if minor == "0" else 1, None)


def _parse_line(line: bytes) -> RequestLine:
    """The same, for lines that are not as simple as most."""
    match = grammar.REQUEST_LINE.fullmatch(line)
    if match is None:
        raise _trouble(line)
    method, target, minor = match[1].decode("ascii"), match[2], min(int(match[3]), 1)
    # In the path only: what a query means is for applications to say, and people do write ?q=100%.
    if b"%" in target and grammar.BROKEN_PERCENT.search(target.partition(b"?")[0]):
        raise BadRequest(400, "a percent sign in the path is not followed by two hexadecimal digits")
    authority, raw_path, query = _split(method, target)
    return RequestLine(
        line.decode("latin-1"),
        method,
        target.decode("ascii"),
        raw_path,
        _decoded(raw_path),
        query,
        minor,
        authority,
    )


def _trouble(line: bytes) -> BadRequest:
    for pattern, status, why in TROUBLES:
        if pattern.fullmatch(line):
            return BadRequest(status, why)
    return BadRequest(400, "the request line is malformed")


def _split(method: str, target: bytes) -> tuple[str | None, str, str]:
    """(authority, encoded path, query) of a target in any form (RFC 9112 section 3.2)."""
    if method == "CONNECT":  # authority-form
        raise BadRequest(501, "this server is no proxy")
    if target.startswith(b"/"):  # origin-form
        raw_path, _, query = target.decode("ascii").partition("?")
        return None, raw_path, query
    if target == b"*":
        if method != "OPTIONS":
            raise BadRequest(400, "the target * is for OPTIONS only")
        return None, "*", ""
    return _absolute(method, target)


def _absolute(method: str, target: bytes) -> tuple[str, str, str]:
    match = grammar.ABSOLUTE_FORM.fullmatch(target)
    if match is None:
        raise BadRequest(400, "the target is neither a path nor an http URI")
    authority = match[1]
    # RFC 9110 section 4.2.4: userinfo disguises where a link leads; an error, says the standard
    if b"@" in authority:
        raise BadRequest(400, "the target names a user")
    check_authority(authority)
    query = (match[3] or b"").decode("ascii")
    # RFC 9112 section 3.2.4: OPTIONS for a URI without path and query asks about the server, as * does
    nowhere = "*" if method == "OPTIONS" and match[3] is None else "/"
    raw_path = match[2].decode("ascii") if match[2] else nowhere
    return authority.decode("ascii"), raw_path, query


def _decoded(raw_path: str) -> str:
    path = unquote_to_bytes(raw_path).decode("latin-1") if "%" in raw_path else raw_path
    if "\0" in path:
        raise BadRequest(400, "the path has a NUL")
    _check_path(path)
    return path


def _check_path(path: str) -> None:
    """Raise BadRequest 400 for a decoded path with a dot segment."""
    # Asked after decoding, so that %2e counts; the quick test first, since nearly every path passes it.
    if "/." in path and grammar.DOT_SEGMENT.search(path):
        raise BadRequest(400, "the path has a dot segment")
