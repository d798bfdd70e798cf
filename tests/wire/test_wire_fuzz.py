"""Any bytes at all: the server answers in HTTP or closes, and serves whoever comes next."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.wire.hosts import Host
from tests.wire.talk import Reply, Talk, chunked, request

SEEDS = [
    request("GET", "/static/small.txt"),
    request("GET", "/static/small.txt", "Range: bytes=1-2, 4-", "If-None-Match: *", "Accept-Encoding: gzip;q=0.5"),
    request("GET", "/static/one", "Connection: keep-alive", version="1.0"),
    request("POST", "/echo?back", body=b"0123456789"),
    request("POST", "/echo", "Transfer-Encoding: chunked") + chunked(b"0123456789", 4, ";a=b", "T: v\r\n"),
    request("OPTIONS", "*"),
]
WORDS = [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"Host: a", b"HEAD", b"HTTP/1.0"]
MARKS = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b":",
    b"%",
    b"/..",
    b"\xff",
    b"0",
    b"-1",
    b"9" * 20,
    b"x" * 9000,
]
BITS = some.sampled_from([*WORDS, *MARKS])


@some.composite
def mutated(draw: some.DrawFn) -> bytes:
    """A good request or several, with something cut out, put in or doubled here and there."""
    data = b"".join(draw(some.lists(some.sampled_from(SEEDS), min_size=1, max_size=3)))
    for _ in range(draw(some.integers(0, 4))):
        start = draw(some.integers(0, len(data)))
        stop = min(len(data), start + draw(some.integers(0, 8)))
        middle = draw(some.one_of(BITS, some.binary(max_size=4), some.just(data[start:stop] * 2)))
        data = data[:start] + middle + data[stop:]
    return data


def replies(data: bytes, sock: Talk) -> list[Reply]:
    """What comes back, all of it in HTTP."""
    sock.send(data)
    sock.sock.shutdown(1)
    sock.buffer = sock.rest()
    found = []
    while sock.buffer:
        found.append(sock.reply("HEAD" if bodiless(sock.buffer) else "GET"))
    return found


def bodiless(wire: bytes) -> bool:
    """Whether an answer ends with its head, as after HEAD, which the mutation may have made of any method."""
    after = wire.partition(b"\r\n\r\n")[2]
    return not after or after.startswith(b"HTTP/1.1 ")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=some.one_of(some.binary(min_size=1, max_size=400), mutated(), mutated()))
def test_any_bytes_are_answered_in_http_or_not_at_all(host: Host, data: bytes) -> None:
    with host.talk() as talk:
        found = replies(data, talk)
    assert all(reply.status < 500 or reply.status in (501, 505) for reply in found)
    host.check()
