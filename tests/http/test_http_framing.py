"""Bodies by length and in chunks: what they give, what they refuse, and that no cut matters."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.http.framing import EXTENSIONS, BodyReader, ChunkedBody, LengthBody, body_reader
from forkserver.http.request import CHUNKED, BadRequest, HeadLimits
from forkserver.http.response import LAST_CHUNK, chunk

NEXT = b"GET / HTTP/1.1\r\n"


def take(reader: BodyReader, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """Feed the pieces as a connection would: (payload, everything after the end)."""
    payload, rest = b"", b""
    for piece in pieces:
        got, left = reader.feed(piece)
        payload += got
        rest += left
    return payload, rest


def single(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


CUTS = st.lists(st.integers(min_value=0, max_value=1 << 16), max_size=12)


# By length


@given(st.binary(max_size=60), st.binary(max_size=20), CUTS)
def test_a_length_is_taken_off_and_the_rest_left(body: bytes, more: bytes, places: list[int]) -> None:
    reader = LengthBody(len(body))
    assert take(reader, cut(body + more, places)) == (body, more)
    assert reader.done


def test_a_body_of_no_bytes_is_done_at_once() -> None:
    reader = body_reader(0)
    assert reader.done
    assert reader.feed(NEXT) == (b"", NEXT)


def test_a_length_is_not_done_before_its_last_byte() -> None:
    reader = body_reader(5)
    assert reader.feed(b"hell") == (b"hell", b"")
    assert not reader.done
    assert reader.feed(b"o" + NEXT) == (b"o", NEXT)
    assert reader.done


# In chunks

VALID = {
    b"0\r\n\r\n": b"",
    b"5\r\nhello\r\n0\r\n\r\n": b"hello",
    b"A\r\n0123456789\r\n00\r\n\r\n": b"0123456789",
    b"a\r\n0123456789\r\n000000000000000\r\n\r\n": b"0123456789",
    b"000000000000005\r\nhello\r\n0\r\n\r\n": b"hello",
    b"5;a\r\nhello\r\n0;b=c\r\n\r\n": b"hello",
    b'5 ; a = "b;\\"\\\\c"\r\nhello\r\n0\r\n\r\n': b"hello",
    b"5\t;\ta\t=\tb;c\r\nhello\r\n0\r\n\r\n": b"hello",
    b'1;a="\xc3\xa9"\r\nx\r\n0\r\n\r\n': b"x",
    b"2\r\n\r\n\r\n0\r\n\r\n": b"\r\n",
    b"1\r\na\r\n1\r\nb\r\n0\r\nA: b\r\n\r\n": b"ab",
}


@pytest.mark.parametrize("data", VALID)
def test_chunks_give_their_payload_however_they_are_cut(data: bytes) -> None:
    for pieces in ([data + NEXT], single(data + NEXT), [data, NEXT]):
        reader = body_reader(CHUNKED)
        assert take(reader, pieces) == (VALID[data], NEXT)
        assert reader.done


INVALID = (
    b"\r\n",
    b"\n",
    b"g\r\n",
    b"-1\r\n",
    b"+1\r\nx\r\n",
    b"0x1\r\nx\r\n",
    b" 1\r\nx\r\n",
    b"1 \r\nx\r\n",
    b"1_0\r\n",
    b"1\nx\r\n",
    b"1\rx\r\n",
    b"1\r\nx\n0\r\n\r\n",
    b"1\r\nx\r0",
    b"1\r\nxy\r\n",
    b"1\r\nx0\r\n\r\n",
    b"1\r\nx\r\n\r\n",
    b"1000000000000000\r\n",
    b"0000000000000005\r\nhello\r\n",
    b"1;\r\nx\r\n",
    b"1;=a\r\nx\r\n",
    b"1;a=\r\nx\r\n",
    b"1;a b\r\nx\r\n",
    b'1;a="b\r\nx\r\n',
    b'1;a="b"c\r\nx\r\n',
    b"1;a=b\0\r\nx\r\n",
    b"1;a\x0b\r\nx\r\n",
    b"1;a=\xe9\r\nx\r\n",
    b"1;" + b"a" * 1030,
    b"1;" + b"a" * 1030 + b"\r\nx\r\n",
    b"\xd9\xa1\r\nx\r\n",
    b"0\r\n\n",
    b"0\r\nA: b\n\r\n",
    b"0\r\nA : b\r\n\r\n",
    b"0\r\n A: b\r\n\r\n",
    b"0\r\nA: b\r\n c\r\n\r\n",
    b"0\r\nA\r\n\r\n",
    b"0\r\n: b\r\n\r\n",
    b"0\r\nA: b\0\r\n\r\n",
    b"0\r\nA: b\rc\r\n\r\n",
)


@pytest.mark.parametrize("data", INVALID)
def test_broken_chunks_are_refused_however_they_are_cut(data: bytes) -> None:
    for pieces in ([data], single(data), [data + NEXT], [data[:1], data[1:]]):
        with pytest.raises(BadRequest) as refusal:
            take(ChunkedBody(), pieces)
        assert refusal.value.status == 400


def test_trailers_are_kept_apart() -> None:
    reader = ChunkedBody()
    data = b"0\r\nDigest: \t a \t\r\nX_Digest: b\r\nDigest: caf\xe9\r\n\r\n"
    assert take(reader, [data]) == (b"", b"")
    assert reader.trailers == (("digest", "a"), ("digest", "caf\xe9"))


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (HeadLimits(field=4, fields=12, count=2), None),
        (HeadLimits(field=3), 431),
        (HeadLimits(fields=11), 431),
        (HeadLimits(count=1), 431),
        (HeadLimits(fields=0), 431),
    ],
)
def test_trailers_are_bounded(limits: HeadLimits, status: int | None) -> None:
    data = b"0\r\nA: 1\r\nB: 2\r\n\r\n"
    for pieces in ([data], single(data)):
        reader = body_reader(CHUNKED, limits)
        if status is None:
            assert take(reader, pieces) == (b"", b"")
            assert reader.done
        else:
            with pytest.raises(BadRequest) as refusal:
                take(reader, pieces)
            assert refusal.value.status == status


def test_no_trailers_fit_even_into_no_room() -> None:
    reader = ChunkedBody(HeadLimits(field=0, fields=0, count=0))
    assert take(reader, single(b"0\r\n\r\n" + NEXT)) == (b"", NEXT)


def test_extensions_are_bounded_in_sum() -> None:
    reader = ChunkedBody()
    one = b"1;" + b"a" * 1000 + b"\r\nx\r\n"
    allowed = EXTENSIONS // 1001
    assert take(reader, [one] * allowed) == (b"x" * allowed, b"")
    with pytest.raises(BadRequest, match="extensions"):
        reader.feed(one)


def test_a_size_is_announced_before_its_data() -> None:
    reader = ChunkedBody()
    reader.feed(b"5\r\nhello\r\nff")
    assert reader.announced == 5
    reader.feed(b"ff\r\n")
    assert reader.announced == 5 + 0xFFFF


def test_a_piece_within_a_chunk_is_not_copied() -> None:
    reader = ChunkedBody()
    reader.feed(b"ffff\r\n")
    piece = b"x" * 1000
    payload, _ = reader.feed(piece)
    assert payload is piece


CHUNK_PIECES = tuple(b'0|1|5|a|\r\n|\r|\n|;a=b|;a="|hello|x|A: b|:| '.split(b"|"))
STREAMS = st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(CHUNK_PIECES), max_size=16).map(b"".join))


def outcome(pieces: list[bytes], limits: HeadLimits) -> object:
    """All that can be told of a body; a BadRequest as its status, any other exception fails the test."""
    reader = ChunkedBody(limits)
    try:
        payload, rest = take(reader, pieces)
    except BadRequest as refusal:
        return refusal.status
    return payload, rest, reader.done, reader.announced, reader.trailers


@given(STREAMS, CUTS, st.sampled_from((HeadLimits(), HeadLimits(field=3, fields=12, count=2))))
def test_every_cut_of_any_bytes_gives_the_same(data: bytes, places: list[int], limits: HeadLimits) -> None:
    whole = outcome([data], limits)
    assert outcome(cut(data, places), limits) == whole
    assert outcome(single(data), limits) == whole


EXTENSION = st.sampled_from((b"", b";a", b";a=b", b' ; a = "b\\"c"', b";a;b;c=d", b'\t;a="\xff"'))


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=40), EXTENSION), max_size=8), CUTS)
def test_what_is_chunked_comes_back(chunks: list[tuple[bytes, bytes]], places: list[int]) -> None:
    data = b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part, extension in chunks)
    reader = ChunkedBody()
    payload, rest = take(reader, cut(data + LAST_CHUNK + NEXT, places))
    assert payload == b"".join(part for part, _ in chunks)
    assert rest == NEXT
    assert reader.done


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_our_own_chunks_are_read(parts: list[bytes]) -> None:
    data = b"".join(map(chunk, parts)) + LAST_CHUNK
    assert take(ChunkedBody(), [data]) == (b"".join(parts), b"")
