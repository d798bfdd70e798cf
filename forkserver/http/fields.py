"""The field block of a head: lines to names and values, and what those few mean that HTTP itself heeds.

Knows RFC 9110 section 5 and the rules of Host, Content-Length, Transfer-Encoding, Connection and Expect;
nothing of request lines, limits or what an application makes of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

from forkserver.http import grammar
from forkserver.http.grammar import BadRequest
from forkserver.http.memo import Memo

CHUNKED = -1  # as a body's length: it ends with its last chunk

Item = tuple[str, str]


class Fields(NamedTuple):
    """The field block, taken apart; shared by every request of one version that carries the same block."""

    items: tuple[Item, ...]  # (lower-case name, value) in the order sent, latin-1
    values: dict[str, str]  # the same, repeated fields joined by ", " (RFC 9110 section 5.3)
    host: str | None  # as sent, port included
    close: bool  # Connection: close
    keep: bool  # Connection: keep-alive
    length: int  # of the body: 0 when none is announced, CHUNKED
    sized: bool  # whether a Content-Length or Transfer-Encoding was given at all
    expects_continue: bool  # never in HTTP/1.0 (RFC 9110 section 10.1.1)
    forwarded: bool = False  # whether there is a field of those that `speaks_for_others`


class Effect(NamedTuple):
    """What one field line means to the protocol; the defaults mean nothing."""

    host: str | None = None
    length: int | None = None
    close: bool = False
    keep: bool = False
    expects: bool = False
    forwarded: bool = False
    shadow: str | None = None  # the dashed name that an underscored one could be taken for


Line = tuple[Item, Effect | None]  # a field line, read; without an effect it means nothing to the protocol


def speaks_for_others(name: str) -> bool:
    """Whether a field, its name in lower case, is one by which proxies tell of the request that they pass on.

    Forwarded (RFC 7239), the X-Forwarded-… that were there before it, and nginx's X-Real-IP.
    """
    return name == "forwarded" or name.startswith("x-forwarded-") or name == "x-real-ip"


def check_authority(value: bytes) -> None:
    """Raise BadRequest 400 unless `value` is `host[:port]`, an IPv6 address in brackets."""
    match = grammar.AUTHORITY.fullmatch(value)
    if match is None:
        raise BadRequest(400, "the host is malformed")
    if match[1] is not None:
        try:
            IPv6Address(match[1].decode("ascii"))
        except AddressValueError:
            raise BadRequest(400, "the host is no IPv6 address") from None


def _host(value: bytes) -> Effect:
    # RFC 9112 section 3.2: an empty one is how a client says that its URI has no authority
    if value:
        check_authority(value)
    return Effect(host=value.decode("ascii"))


def _content_length(value: bytes) -> Effect:
    if grammar.LENGTH.fullmatch(value):
        return Effect(length=int(value))
    # A number all the same, so what it announces is too large, rather than malformed (RFC 9110 section 8.6).
    if grammar.LONG_LENGTH.fullmatch(value):
        raise BadRequest(413, "the Content-Length is beyond all measure")
    raise BadRequest(400, "the Content-Length is no plain number")


def _transfer_encoding(value: bytes) -> Effect:
    if grammar.CHUNKED_ONLY.fullmatch(value):
        return Effect(length=CHUNKED)
    matches = [grammar.CODING.fullmatch(part) for part in _parts(value)]
    names = [match[1].lower() for match in matches if match]
    if not names or len(names) < len(matches):
        raise BadRequest(400, "the Transfer-Encoding is malformed")
    # RFC 9112 section 6.3: unless chunked comes last, and once (section 7.1), nobody can tell where the
    # body ends
    if names.count(b"chunked") != 1 or names[-1] != b"chunked":
        raise BadRequest(400, "the Transfer-Encoding does not end with chunked, once")
    if len(names) == 1:  # with parameters or stray commas
        raise BadRequest(400, "the Transfer-Encoding is chunked in a strange spelling")
    raise BadRequest(501, "chunked is the only transfer coding that this server knows")  # section 6.1


def _connection(value: bytes) -> Effect:
    parts = _parts(value)
    if not all(map(grammar.OPTION.fullmatch, parts)):
        raise BadRequest(400, "the Connection field is malformed")
    options = {part.lower() for part in parts}
    return Effect(close=b"close" in options, keep=b"keep-alive" in options)


def _expect(value: bytes) -> Effect:
    if not grammar.EXPECTATION.fullmatch(value):
        raise BadRequest(417, "100-continue is the only expectation that this server meets")
    return Effect(expects=True)


def _parts(value: bytes) -> list[bytes]:
    """The elements of a list; empty ones are read over (RFC 9110 section 5.6.1.2)."""
    return [part for part in (part.strip(grammar.WHITE) for part in value.split(b",")) if part]


RULES: dict[str, Callable[[bytes], Effect]] = {
    "host": _host,
    "content-length": _content_length,
    "transfer-encoding": _transfer_encoding,
    "connection": _connection,
    "expect": _expect,
}


class Name(NamedTuple):
    """The name of a field."""

    text: str  # in lower case
    rule: Callable[[bytes], Effect] | None  # what a value of it means to the protocol; None: nothing


def split_line(line: bytes) -> tuple[str, bytes]:
    """(lower-case name, value without white space around) of a field line given without its CRLF.

    Raises BadRequest 400 for whatever is no field line: a continuation of the last one (obs-fold, RFC 9112
    section 5.2), white space before the colon (section 5.1), a control byte, a name that is no token.
    """
    match = grammar.FIELD_LINE.fullmatch(line)
    if match is None:
        raise BadRequest(400, _trouble(line))
    return match[1].decode("ascii").lower(), match[2].strip(grammar.WHITE)


def _trouble(line: bytes) -> str:
    if line[:1] in (b" ", b"\t"):
        return "a field is folded over two lines"
    name, colon, _ = line.partition(b":")
    if not colon:
        return "a field has no colon"
    if name.endswith((b" ", b"\t")):
        return "there is white space before the colon of a field"
    if not grammar.OPTION.fullmatch(name):
        return "the name of a field is no token"
    return "a field has a control byte"


def _read(line: bytes) -> Line:
    """A line that is new: mostly a cookie or a referer, visible ASCII behind a name that was found to be one.

    All others are looked at by `split_line`.
    """
    before, colon, after = line.partition(b":")
    name = _NAMES.get(before)
    value = after.decode("latin-1")
    if name is None or not (colon and value.isascii() and value.isprintable()):
        split_line(line)
        name = _NAMES[before]
    return (name.text, value.strip(" \t")), name.rule(after.strip(grammar.WHITE)) if name.rule else None


def _name(token: bytes) -> Name:
    text = token.decode("ascii").lower()
    return Name(text, _rule(text))


def _rule(name: str) -> Callable[[bytes], Effect] | None:
    if "_" in name:
        return _always(Effect(shadow=name.replace("_", "-")))
    if speaks_for_others(name):
        return _always(Effect(forwarded=True))
    return RULES.get(name)


def _always(effect: Effect) -> Callable[[bytes], Effect]:
    """The rule of a name that means the same whatever its value."""
    return lambda _: effect


_NAMES: Memo[bytes, Name] = Memo(256, 8 << 10, make=_name)  # as they were sent


class FieldReader:
    """Reads field blocks, and remembers their lines: in a new block, mostly one or two are new."""

    def __init__(self, count: int) -> None:
        """Of blocks of at most `count` lines."""
        self._count = count
        self._lines: Memo[bytes, Line] = Memo(512, 32 << 10, make=_read)
        self._line = self._lines.__getitem__

    def read(self, block: bytes, minor: int) -> Fields:
        """Read the field lines of a head of HTTP/1.`minor`, given without the CRLF of the last.

        A name with an underscore is left out, since a gateway interface cannot tell it from its dashed twin
        (RFC 3875 section 4.1.18); where that twin is there as well, somebody is trying to pass for it: 400.
        Raises BadRequest 400, 413, 417, 431, 501.
        """
        raw = block.split(b"\r\n") if block else []
        if len(raw) > self._count:
            raise BadRequest(431, "there are too many fields")
        items: tuple[Item, ...]
        effects: tuple[Effect | None, ...]
        items, effects = zip(*map(self._line, raw), strict=True) if raw else ((), ())
        meant = list(filter(None, effects))
        values = dict(items)
        if shadows := [effect.shadow for effect in meant if effect.shadow]:
            if not values.keys().isdisjoint(shadows):
                raise BadRequest(400, "a field with an underscore passes for one with a dash")
            items = tuple([item for item in items if "_" not in item[0]])
            values = dict(items)
        if len(values) != len(items):
            values = _joined(items)
        return _fields(items, values, meant, minor)


def _joined(items: Sequence[Item]) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for name, value in items:
        values.setdefault(name, []).append(value)
    return {name: ", ".join(several) for name, several in values.items()}


def _fields(items: tuple[Item, ...], values: dict[str, str], effects: Sequence[Effect], minor: int) -> Fields:
    """Put together what the lines mean, and refuse what they cannot mean together."""
    host, length = None, None
    close = keep = expects = forwarded = False
    for effect in effects:
        if effect.host is not None:
            if host is not None:
                raise BadRequest(400, "there are two Host fields")  # RFC 9112 section 3.2
            host = effect.host
        if effect.length is not None:
            if length is not None:  # RFC 9112 sections 6.1 to 6.3: what request smuggling is made of
                raise BadRequest(400, "the length of the body is told twice")
            length = effect.length
        close |= effect.close
        keep |= effect.keep
        expects |= effect.expects
        forwarded |= effect.forwarded
    if minor == 0:
        expects = False
        if length == CHUNKED:  # RFC 9112 section 6.1
            raise BadRequest(400, "HTTP/1.0 has no Transfer-Encoding")
    elif host is None:  # RFC 9112 section 3.2
        raise BadRequest(400, "there is no Host field")
    return Fields(items, values, host, close, keep, length or 0, length is not None, expects, forwarded)
