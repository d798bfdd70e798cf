"""Which answers are encoded, what becomes of their fields, and that the other side can decode them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import brotli
import pytest
import zstandard

from forkserver.http.request import Head, Parser
from forkserver.http.response import Response
from forkserver.policy.compression import AT_ONCE, Compression
from forkserver.policy.encoders import ENCODERS

TEXT = b"a line of text that comes again and again\n" * 100
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}
TYPES = ("text/*", "application/*+json", "image/svg+xml")


def head(accept: str = "gzip", method: str = "GET") -> Head:
    found = Parser().parse(f"{method} / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {accept}\r\n\r\n".encode())
    assert found
    return found


def response(body: Any = TEXT, status: int = 200, length: int | None = None, **fields: str) -> Response:
    named = {"Content-Type": "text/plain; charset=utf-8", **{key.replace("_", "-"): it for key, it in fields.items()}}
    return Response(status, tuple(named.items()), body, length)


def compressed(answer: Response, head: Head, least: int = 100, codings: tuple[str, ...] = ("yes",)) -> Response:
    """What becomes of an answer whose body is small and at hand."""
    assert Compression(codings, TYPES, least)(head, answer, flows=False) is None
    return answer


@pytest.mark.parametrize("coding", ENCODERS)
def test_a_small_body_is_encoded_whole(coding: str) -> None:
    answer = compressed(response(ETag='"x"', Accept_Ranges="bytes"), head(coding))
    assert DECODERS[coding](answer.body) == TEXT
    assert dict(answer.fields) == {
        "Content-Type": "text/plain; charset=utf-8",
        "ETag": 'W/"x"',
        "Vary": "Accept-Encoding",
        "Content-Encoding": coding,
    }
    assert answer.length is None


def encodings(answer: Response) -> tuple[str | None, str | None]:
    fields = dict(answer.fields)
    return fields.get("Content-Encoding"), fields.get("Vary")


@pytest.mark.parametrize(
    ("answer", "vary"),
    [
        (response(Content_Type="image/png"), None),
        (response(Content_Type=""), None),
        (response(Content_Encoding="gzip"), None),
        (response(Cache_Control="public, no-transform"), None),
        (response(status=206, Content_Range="bytes 0-9/20"), None),
        (response(status=204), None),
        (response(b"short"), "Accept-Encoding"),
        (response(length=50), "Accept-Encoding"),
    ],
)
def test_what_is_left_alone(answer: Response, vary: str | None) -> None:
    before, coding = answer.body, dict(answer.fields).get("Content-Encoding")
    compressed(answer, head())
    assert answer.body is before
    assert encodings(answer) == (coding, vary)


@pytest.mark.parametrize("kind", ["text/html", "TEXT/CSS; charset=x", "application/ld+json", "image/svg+xml"])
def test_types_that_are_worth_it(kind: str) -> None:
    assert encodings(compressed(response(Content_Type=kind), head()))[0] == "gzip"


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        *(("", None), ("identity", None), ("gzip;q=0", None), ("deflate", None)),
        *(("gzip;q=0.5, br;q=0.1", "gzip"), ("gzip, br, zstd", "br"), ("*", "br")),
    ],
)
def test_the_client_chooses(accept: str, coding: str | None) -> None:
    assert encodings(compressed(response(), head(accept))) == (coding, "Accept-Encoding")


def test_only_codings_that_were_named_are_used() -> None:
    assert encodings(compressed(response(), head("br, gzip"), codings=("gzip",)))[0] == "gzip"
    assert encodings(compressed(response(), head("br"), codings=("gzip",)))[0] is None


@pytest.mark.parametrize(
    ("before", "after"),
    [("Cookie", "Cookie, Accept-Encoding"), ("*", "*"), ("accept-encoding, Cookie", "accept-encoding, Cookie")],
)
def test_vary_is_completed(before: str, after: str) -> None:
    assert encodings(compressed(response(Vary=before), head()))[1] == after


def test_a_304_speaks_of_the_encoded_answer() -> None:
    for accept, tag in (("gzip", 'W/"x"'), ("identity", '"x"')):
        answer = compressed(Response(304, (("ETag", '"x"'),)), head(accept))
        assert dict(answer.fields) == {"ETag": tag, "Vary": "Accept-Encoding"}


def test_a_tag_that_is_weak_already_stays() -> None:
    assert dict(compressed(response(ETag='W/"x"'), head()).fields)["ETag"] == 'W/"x"'


def pieces_of(answer: Response, pieces: Iterator[bytes], *, flows: bool = False, coding: str = "gzip") -> list[bytes]:
    encode = Compression(("yes",), TYPES, 100)(head(coding), answer, flows=flows)
    assert encode
    return list(encode(pieces))


@pytest.mark.parametrize("coding", ENCODERS)
def test_a_large_body_is_encoded_in_pieces(coding: str) -> None:
    body = bytes(range(256)) * (AT_ONCE // 256 + 1)
    halves = iter((body[: len(body) // 2], body[len(body) // 2 :]))
    assert DECODERS[coding](b"".join(pieces_of(response(body), halves, coding=coding))) == body


@pytest.mark.parametrize("coding", ENCODERS)
def test_what_is_there_goes_out_before_there_is_nothing_at_present(coding: str) -> None:
    made = pieces_of(response(b""), iter((b"one", b"two", b"", b"", b"three", b"")), flows=True, coding=coding)
    assert DECODERS[coding](b"".join(made)) == b"onetwothree"
    first = made[: made.index(b"")]  # up to where it waits a second time
    if coding == "gzip":
        assert zlib.decompressobj(31).decompress(b"".join(first)) == b"onetwo"
    elif coding == "br":
        assert brotli.Decompressor().process(b"".join(first)) == b"onetwo"
    else:
        assert zstandard.ZstdDecompressor().decompressobj().decompress(b"".join(first)) == b"onetwo"


def test_a_coding_without_its_library_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forkserver.policy.compression.available", lambda coding: coding == "gzip")
    with pytest.raises(ValueError, match=r"br needs a library that is not here: pip install forkserverd\[compress\]"):
        Compression(("gzip", "br"), TYPES, 1)
    assert encodings(compressed(response(), head("br, gzip")))[0] == "gzip"
