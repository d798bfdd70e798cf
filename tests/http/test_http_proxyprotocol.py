"""The PROXY protocol's preamble, both versions: what it tells, what is none, and that no cut matters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.http.proxyprotocol import BINARY_MAX, TEXT_MAX, Preamble, parse
from forkserver.http.request import BadRequest
from tests.preambles import SIGNATURE, binary, block, further

NEXT = b"GET / HTTP/1.1\r\n"
CLIENT, LOCAL = ("192.0.2.1", 4711), ("198.51.100.2", 443)
CLIENT6, LOCAL6 = ("2001:db8::1", 4711), ("2001:db8::2", 443)


V4, V6 = block(CLIENT, LOCAL), block(CLIENT6, LOCAL6)

VALID = {
    b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n": (True, CLIENT, LOCAL),
    b"PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n": (True, ("255.255.255.255", 65535), ("0.0.0.0", 0)),
    b"PROXY TCP6 2001:DB8::1 2001:db8:0:0:0:0:0:2 4711 443\r\n": (True, CLIENT6, LOCAL6),
    b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 4711 443\r\n": (True, CLIENT, LOCAL),
    b"PROXY UNKNOWN\r\n": (True, None, None),
    b"PROXY UNKNOWN \r\n": (True, None, None),
    b"PROXY UNKNOWN whatever \x00 \xff may stand here\r\n": (True, None, None),
    b"PROXY UNKNOWN " + b"f" * (TEXT_MAX - 16) + b"\r\n": (True, None, None),
    binary(0x21, 0x11, V4): (True, CLIENT, LOCAL),
    binary(0x21, 0x21, V6): (True, CLIENT6, LOCAL6),
    binary(0x21, 0x21, block(("::ffff:192.0.2.1", 4711), ("::ffff:198.51.100.2", 443))): (True, CLIENT, LOCAL),
    binary(0x21, 0x11, V4 + further(3, b"\0\0\0\0") + further(4, b"") + further(0xEA, b"\1vpce-1")): (
        True,
        CLIENT,
        LOCAL,
    ),
    binary(0x21, 0x11, V4 + further(4, bytes(BINARY_MAX - 16 - 12 - 3))): (True, CLIENT, LOCAL),
    binary(0x21, 0x00): (True, None, None),
    binary(0x21, 0x00, b"whatever"): (True, None, None),
    binary(0x21, 0x12, V4): (True, None, None),  # over UDP
    binary(0x21, 0x31, bytes(216)): (True, None, None),  # over a unix socket
    binary(0x21, 0x10, b"x"): (True, None, None),
    binary(0x20, 0x00): (False, None, None),
    binary(0x20, 0x11, V4): (False, None, None),
    binary(0x20, 0xFF, b"whatever"): (False, None, None),
}

INVALID = (
    NEXT,
    b"\r\n" + NEXT,
    b"\r\n\r\n\r\n",
    b"\0",
    b"proxy TCP4 192.0.2.1 198.51.100.2 4711 443\r\n",
    b"PROXYTCP4 192.0.2.1 198.51.100.2 4711 443\r\n",
    b"PROXY\r\n",
    b"PROXY \r\n",
    b"PROXY  TCP4 192.0.2.1 198.51.100.2 4711 443\r\n",
    b"PROXY TCP4 192.0.2.1  198.51.100.2 4711 443\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443 \r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 4711\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443 1\r\n",
    b"PROXY TCP4 192.0.2.1\t198.51.100.2 4711 443\r\n",
    b"PROXY TCP4 192.0.2.01 198.51.100.2 4711 443\r\n",
    b"PROXY TCP4 192.0.2.256 198.51.100.2 4711 443\r\n",
    b"PROXY TCP4 192.0.2 198.51.100.2 4711 443\r\n",
    b"PROXY TCP4 2001:db8::1 2001:db8::2 4711 443\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 99999\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 04711 443\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 +1 443\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 1_0 443\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r" + NEXT,
    b"PROXY TCP6 192.0.2.1 198.51.100.2 4711 443\r\n",
    b"PROXY TCP6 2001:db8:::1 2001:db8::2 4711 443\r\n",
    b"PROXY TCP6 [2001:db8::1] 2001:db8::2 4711 443\r\n",
    b"PROXY TCP6 fe80::1%eth0 2001:db8::2 4711 443\r\n",
    b"PROXY UDP4 192.0.2.1 198.51.100.2 4711 443\r\n",
    b"PROXY UNKNOWNX\r\n",
    b"PROXY UNKNOWN a\nb\r\n",
    b"PROXY UNKNOWN a\rb\r\n",
    b"PROXY UNKNOWN " + b"f" * (TEXT_MAX - 15) + b"\r\n",
    b"PROXY " + b"x" * 200,
    b"PROXY TCP4 192.0.2.1" + b" " * 100 + b"198.51.100.2 4711 443\r\n",
    SIGNATURE[:-1] + b"\r",
    binary(0x11, 0x11, V4),
    binary(0x01, 0x11, V4),
    binary(0x22, 0x11, V4),
    binary(0x2F, 0x11, V4),
    binary(0x21, 0x13, V4),
    binary(0x21, 0x41, V4),
    binary(0x21, 0xF1, V4),
    binary(0x21, 0x11),
    binary(0x21, 0x11, V4[:-1]),
    binary(0x21, 0x21, V4),
    binary(0x21, 0x11, V4 + b"\4"),
    binary(0x21, 0x11, V4 + b"\4\0"),
    binary(0x21, 0x11, V4 + b"\4\0\1"),
    binary(0x21, 0x11, V4 + further(4, b"xyz") + b"\4\xff\xff"),
    binary(0x21, 0x11, V4, BINARY_MAX - 15),
    binary(0x20, 0x00, b"", 0xFFFF),
)


def feed(data: bytes, places: list[int]) -> tuple[Preamble | None, bytes] | str:
    """What comes of bytes that arrive in pieces, and what is left over; the word of a refusal."""
    edges = [*sorted(place % (len(data) + 1) for place in places), len(data)]
    for edge in edges:
        try:
            preamble = parse(data[:edge])
        except BadRequest as refusal:
            return refusal.why
        if preamble:
            return preamble, data[preamble.size :]
    return None, data


def bytewise(data: bytes) -> list[int]:
    return list(range(len(data)))


@pytest.mark.parametrize("data", VALID)
def test_a_preamble_tells_the_same_however_it_is_cut(data: bytes) -> None:
    expected = Preamble(len(data), *VALID[data])
    for more in (b"", NEXT, data):
        for places in ([], bytewise(data), [1, 12, 13, 14, 16, len(data) - 1]):
            assert feed(data + more, places) == (expected, more)


@pytest.mark.parametrize("data", VALID)
def test_an_unfinished_one_is_waited_for(data: bytes) -> None:
    for size in range(len(data)):
        assert parse(data[:size]) is None


@pytest.mark.parametrize("data", INVALID)
def test_what_is_none_is_refused_however_it_is_cut(data: bytes) -> None:
    data += NEXT * 10  # an unfinished line is refused once it is too long
    whole = feed(data, [])
    assert isinstance(whole, str)
    assert feed(data, bytewise(data)) == whole
    assert feed(data, [1, 12, 13, 14, 16, 50, 106, 107, 108]) == whole


def test_a_request_instead_is_refused_by_its_first_bytes() -> None:
    assert "does not begin" in str(feed(b"G", []))
    assert "does not begin" in str(feed(b"POST / HTTP/1.1", [1, 2, 3]))
    assert "does not begin" in str(feed(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [1, 2, 3]))


def test_an_overlong_one_is_refused_before_it_is_here() -> None:
    assert "too long" in str(feed(SIGNATURE + b"\x21\x11\xff\xff", []))
    assert "too long" in str(feed(b"PROXY " + b"x" * (TEXT_MAX - 6), []))
    assert parse(b"PROXY " + b"x" * (TEXT_MAX - 7)) is None


PIECES = (
    *(b"PROXY ", b"TCP4 ", b"TCP6 ", b"UNKNOWN", b"192.0.2.1", b"::1", b" ", b"80", b"0", b"\r\n", b"\r", b"\n"),
    *(SIGNATURE, SIGNATURE[:6], b"\x20", b"\x21", b"\x11", b"\x00\x0c", b"\x00\x0f", V4, b"\x04\x00\x00"),
)
STREAMS = st.one_of(st.binary(max_size=40), st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join))
CUTS = st.lists(st.integers(min_value=0, max_value=1 << 16), max_size=8)


@given(STREAMS, CUTS)
def test_every_cut_of_any_bytes_gives_the_same(data: bytes, places: list[int]) -> None:
    whole = feed(data, [])
    assert feed(data, places) == whole
    assert feed(data, bytewise(data)) == whole


ENDS = st.one_of(
    st.tuples(*[st.tuples(st.ip_addresses(v=4).map(str), st.integers(0, 65535))] * 2),
    st.tuples(
        *[st.tuples(st.ip_addresses(v=6).filter(lambda one: not one.ipv4_mapped).map(str), st.integers(0, 65535))] * 2
    ),
)


@given(ENDS, st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=20)), max_size=4))
def test_what_a_sender_tells_is_read(
    ends: tuple[tuple[str, int], tuple[str, int]], more: list[tuple[int, bytes]]
) -> None:
    client, local = ends
    six = ":" in client[0]
    text = f"PROXY TCP{6 if six else 4} {client[0]} {local[0]} {client[1]} {local[1]}\r\n".encode()
    assert parse(text + NEXT) == (len(text), True, client, local)
    data = binary(0x21, 0x21 if six else 0x11, block(client, local) + b"".join(further(*one) for one in more))
    assert parse(data + NEXT) == (len(data), True, client, local)
