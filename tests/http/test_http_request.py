"""The parser's promises over any bytes: no cut matters, only BadRequest escapes, memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.http import target
from forkserver.http.request import BadRequest, Head, HeadLimits, Parser, RequestLine

SMALL = HeadLimits(line=40, field=30, fields=60, count=4)

# fmt: off
PIECES = (
    b"GET / HTTP/1.1\r\n", b"POST /a?b=c HTTP/1.0\r\n", b"GET http://h/ HTTP/1.1\r\n", b"GET / HTTP/2.0\r\n",
    b"Host: h\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
    b"A: b\r\n", b"A_B: c\r\n", b"A-B: c\r\n", b"Expect: 100-continue\r\n", b"A: b\n", b"A: b\r",
    b" folded\r\n", b"\r\n", b"\r", b"\n", b"\0", b" ", b":", b"%zz", b"GET", b"/..", b"a" * 20, b"\xff",
)
# fmt: on
STREAMS = st.one_of(st.binary(max_size=120), st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join))
STATUSES = {400, 411, 413, 414, 417, 431, 501, 505}
LIMITS = st.sampled_from((SMALL, HeadLimits()))


def outcome(parser: Parser, data: bytes) -> Head | int | None:
    """What became of it; a BadRequest as its status, any other exception fails the test."""
    try:
        return parser.parse(data)
    except BadRequest as refusal:
        return refusal.status


@pytest.mark.parametrize("size", [1, 2, 12])
def test_a_client_that_would_speak_tls_is_told_that_nobody_does(size: int) -> None:
    with pytest.raises(BadRequest, match="this looks like TLS, and this address speaks plain HTTP"):
        Parser().parse(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\n"[:size])
    with pytest.raises(BadRequest, match="this is not how a request begins"):
        Parser().parse(b"\x15\x03\x01")


@given(STREAMS, LIMITS)
def test_every_cut_gives_the_same_outcome(data: bytes, limits: HeadLimits) -> None:
    whole = outcome(Parser(limits), data)
    parser = Parser(limits)
    assert not isinstance(whole, int) or whole in STATUSES
    prefixes = [outcome(parser, data[:size]) for size in range(len(data) + 1)]
    settled = [result for result in prefixes if result is not None]
    assert settled == [whole] * len(settled)
    assert prefixes[-1] == whole


@given(STREAMS, st.binary(max_size=40), LIMITS)
def test_what_follows_changes_nothing(data: bytes, more: bytes, limits: HeadLimits) -> None:
    alone = outcome(Parser(limits), data)
    if alone is not None:
        assert outcome(Parser(limits), data + more) == alone


@given(st.lists(STREAMS, max_size=6))
def test_memory_changes_nothing(streams: list[bytes]) -> None:
    parser = Parser()
    for data in streams * 2:
        assert outcome(parser, data) == outcome(Parser(), data)


METHODS = st.sampled_from((b"GET", b"OPTIONS", b"CONNECT", b"CONNECTED", b"G" * 32, b"G" * 33, b"G?", b""))
TARGETS = st.lists(st.sampled_from((*b'/.?%#*@"<=>~ \0\xe9', *b"2eEab")), max_size=12).map(bytes)
VERSIONS = st.sampled_from((b" HTTP/1.1", b" HTTP/1.0", b" HTTP/1.7", b" HTTP/2.0", b" http/1.1", b""))


@given(METHODS, st.sampled_from((b" /", b" ", b"")), TARGETS, VERSIONS)
def test_a_simple_line_is_read_as_any_other(method: bytes, start: bytes, rest: bytes, version: bytes) -> None:
    def result(read: Callable[[bytes], RequestLine]) -> RequestLine | int:
        try:
            return read(line)
        except BadRequest as refusal:
            return refusal.status

    line = method + start + rest + version
    assert result(target.parse_line) == result(target._parse_line)


@given(STREAMS)
def test_pipelined_heads_come_one_by_one(data: bytes) -> None:
    first = b"GET /first HTTP/1.1\r\nHost: h\r\n\r\n"
    head = Parser().parse(first + data)
    assert head is not None
    assert head.size == len(first)
    assert head.line.path == "/first"


def request(*lines: bytes) -> bytes:
    return b"\r\n".join((b"GET / HTTP/1.1", b"Host: h", *lines, b"", b""))


@pytest.mark.parametrize(
    ("limits", "lines", "status"),
    [
        (HeadLimits(line=13), (), 414),
        (HeadLimits(field=6), (), 431),
        (HeadLimits(fields=8), (), 431),
        (HeadLimits(count=0), (), 431),
        (HeadLimits(fields=14), (b"A: b",), 431),
        (HeadLimits(count=1), (b"A: b",), 431),
        # A dropped field counts as well.
        (HeadLimits(count=1), (b"A_B: c",), 431),
    ],
)
def test_one_beyond_a_limit_is_refused(limits: HeadLimits, lines: tuple[bytes, ...], status: int) -> None:
    with pytest.raises(BadRequest) as refusal:
        Parser(limits).parse(request(*lines))
    assert refusal.value.status == status


@pytest.mark.parametrize(
    ("limits", "lines"),
    [
        (HeadLimits(line=14, field=7, fields=9, count=1), ()),
        (HeadLimits(line=14, field=7, fields=15, count=2), (b"A: b",)),
    ],
)
def test_exactly_a_limit_is_served(limits: HeadLimits, lines: tuple[bytes, ...]) -> None:
    assert Parser(limits).parse(request(*lines)) is not None


def test_a_known_head_is_given_again_and_shares_its_parts() -> None:
    parser = Parser()
    first = parser.parse(request(b"A: b"))
    second = parser.parse(request(b"A: b"))  # its parts are kept from the second time on
    other = parser.parse(request(b"A: b").replace(b"GET /", b"GET /other"))
    assert first is not None
    assert second is not None
    assert other is not None
    again = parser.parse(request(b"A: b"))  # and then it as a whole
    assert again == second == first
    assert parser.parse(request(b"A: b")) is again
    assert other.fields is second.fields
    assert other.line is not second.line


def test_a_block_means_less_in_1_0() -> None:
    parser = Parser()
    block = b"Host: h\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
    new = parser.parse(b"POST / HTTP/1.1\r\n" + block)
    old = parser.parse(b"POST / HTTP/1.0\r\n" + block)
    assert new is not None
    assert old is not None
    assert new.fields.expects_continue
    assert not old.fields.expects_continue


def test_a_flood_of_new_heads_is_forgotten_and_a_faithful_one_is_not() -> None:
    parser = Parser()
    parser.parse(request(b"A: b"))
    parser.parse(request(b"A: b"))
    faithful = parser.parse(request(b"A: b"))  # kept by now
    for number in range(3000):
        parser.parse(request(b"Cookie: %d" % number).replace(b"GET /", b"GET /%d" % number))
        assert parser.parse(request(b"A: b")) is faithful
    for memo in (parser._heads, parser._lines, *parser._blocks, parser._reader._lines):
        assert len(memo) <= 1024
        assert len(memo.old) <= 1024


def test_no_reason_quotes_the_peer() -> None:
    with pytest.raises(BadRequest) as refusal:
        Parser().parse(request(b"<script>"))
    assert "script" not in refusal.value.why
    assert str(refusal.value.status) in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"GET /caf\xc3\xa9 HTTP/1.1", "the target has letters that are not ASCII and not percent-encoded"),
        (b"GET /?q=\xe9 HTTP/1.0", "the target has letters that are not ASCII and not percent-encoded"),
        (b"GET /a#b HTTP/1.1", "the target has a fragment"),
        (b"GET /a", "the request line has no HTTP version"),
        (b"GET /a b HTTP/1.1", "the request line is malformed"),
    ],
)
def test_the_reason_says_what_to_mend(line: bytes, why: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        Parser().parse(line + b"\r\nHost: x\r\n\r\n")
    assert (refusal.value.status, refusal.value.why) == (400, why)
