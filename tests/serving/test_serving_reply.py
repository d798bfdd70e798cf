"""Responses as replies: how they are framed for whom, what their parts are, and who closes what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forkserver.http.response import FileSlice, Response, Verbatim
from forkserver.serving.reply import JOINED, BrokenOff, Reply, compose
from tests.serving.fakes import head_of


def wire(reply: Reply) -> bytes:
    reply.start(b"DATE")
    pieces = [bytes(part) for part in reply.parts if not isinstance(part, FileSlice)]
    while (piece := reply.more()) is not None:
        pieces.append(piece)
    return b"".join(pieces)


def drain(reply: Reply, given: list[bytes]) -> None:
    while (piece := reply.more()) is not None:
        given.append(piece)


def of(response: Response, *, version: str = "1.1", method: str = "GET", keep: bool = True, server: str = "") -> Reply:
    return compose(head_of(method, version=version), response, keep=keep, server=server)


class Pieces:
    """An iterable as a gateway interface knows it: with a `close` that must be called, once."""

    def __init__(self, *pieces: object) -> None:
        self.pieces, self.closed = pieces, 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)  # type: ignore[arg-type]  # some are no bytes, on purpose

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("version", "keep", "field"),
    [("1.1", True, b""), ("1.1", False, b"close"), ("1.0", True, b"keep-alive"), ("1.0", False, b"close")],
)
def test_connection_says_what_does_not_go_without_saying(version: str, keep: bool, field: bytes) -> None:
    reply = of(Response(200, (), b"abc"), version=version, keep=keep)
    assert reply.keep is keep
    head, _, body = wire(reply).partition(b"\r\n\r\n")
    assert (b"\r\nConnection: " + field in head) is bool(field)
    assert (b"Connection" in head) is bool(field)
    assert b"\r\nContent-Length: 3" in head
    assert body == b"abc"
    assert reply.head_size == len(head) + 4


def test_a_stream_is_chunked_in_1_1() -> None:
    reply = of(Response(200, (), iter([b"one", b"", b"three"])))
    assert reply.keep
    sent = wire(reply)
    assert sent.endswith(b"\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in sent
    assert len(sent) - reply.head_size - reply.framing == len(b"onethree")


def test_a_stream_ends_with_the_connection_in_1_0() -> None:
    reply = of(Response(200, (), iter([b"one", b"", b"three"])), version="1.0")
    assert not reply.keep
    sent = wire(reply)
    assert sent.endswith(b"Connection: close\r\n\r\nonethree")
    assert b"Length" not in sent
    assert reply.framing == 0


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_stream_of_known_length_stays(version: str) -> None:
    reply = of(Response(200, (), iter([b"one", b"two"]), 6), version=version)
    assert reply.keep
    sent = wire(reply)
    assert b"Content-Length: 6\r\n" in sent
    assert sent.endswith(b"\r\n\r\nonetwo")


@pytest.mark.parametrize("pieces", [[b"one"], [b"one", b"twotwo"], [], [b"onetwo", b"x"]])
def test_a_stream_is_held_to_its_length(pieces: list[bytes]) -> None:
    reply = of(Response(200, (), iter(pieces), 6))
    given: list[bytes] = []
    with pytest.raises(BrokenOff):
        drain(reply, given)
    assert len(b"".join(given)) <= 6


@pytest.mark.parametrize("piece", ["text", None, 7, bytearray(b"mutable")])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_pieces_are_bytes(piece: object, version: str) -> None:
    reply = of(Response(200, (), Pieces(b"one", piece)), version=version)
    assert reply.more()
    with pytest.raises(BrokenOff):
        reply.more()


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 304), ("GET", 204), ("GET", 205)])
def test_what_has_no_body_is_closed_at_once(method: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    files = [(tmp_path / "file").open("rb", buffering=0) for _ in range(2)]
    pieces = Pieces(b"one")
    for body in (b"one", FileSlice(files[0], 0, 10), (b"one", FileSlice(files[1], 0, 10)), pieces):
        reply = of(Response(status, (), body), method=method)
        assert reply.keep
        assert not reply.parts
        assert reply.more() is None
    assert all(file.closed for file in files)
    assert pieces.closed == 1


def test_head_tells_the_length_that_get_would() -> None:
    sent = wire(of(Response(200, (), (b"one", b"two")), method="HEAD"))
    assert b"Content-Length: 6\r\n" in sent
    assert sent.endswith(b"\r\n\r\n")


def test_a_small_body_leaves_with_its_head_and_a_large_one_after_it() -> None:
    small, large = of(Response(200, (), bytes(JOINED))), of(Response(200, (), bytes(JOINED + 1)))
    small.start(b"DATE")
    large.start(b"DATE")
    assert len(small.parts) == 1
    assert len(large.parts) == 2


def test_a_request_that_could_not_be_read_is_answered_as_1_1() -> None:
    sent = wire(compose(None, Response(400, (), b"no"), keep=False, server="me"))
    assert sent.startswith(b"HTTP/1.1 400 Bad Request\r\nDate: DATE\r\nServer: me\r\n")
    assert sent.endswith(b"Connection: close\r\n\r\nno")


@pytest.mark.parametrize(
    "fields", [(("X", "a\r\nY: b"),), (("Content-Length", "7"),), (("Ä", "b"),), (("X", "\u20ac"),)]
)
def test_what_cannot_be_written_is_refused_and_its_body_closed(fields: tuple[tuple[str, str], ...]) -> None:
    pieces = Pieces(b"one")
    with pytest.raises(ValueError, match=r"field|Content-Length|latin-1|value"):
        of(Response(200, fields, pieces))
    assert pieces.closed == 1


def test_the_origin_is_closed_once_after_its_end_and_before(tmp_path: Path) -> None:
    for read in (0, 1, 5):
        pieces = Pieces(b"one", b"two")
        reply = of(Response(200, (), pieces))
        for _ in range(read):
            reply.more()
        reply.close()
        reply.close()
        assert pieces.closed == 1
        assert reply.more() is None


def test_closing_lets_go_of_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    files = [(tmp_path / "file").open("rb", buffering=0) for _ in range(2)]
    reply = of(Response(206, (), (b"a", FileSlice(files[0], 0, 1), b"b", FileSlice(files[1], 2, 1))))
    reply.close()
    assert all(file.closed for file in files)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("body", [b"HTTP/1.1 299 Odd\r\n\r\nbody", Pieces(b"HTTP/1.1 299 ", b"Odd\r\n\r\nbody")])
def test_a_message_that_is_whole_goes_out_as_it_is_and_ends_the_connection(body: object, method: str) -> None:
    response = Verbatim(299, (("X-Not", "sent"),), body, 3)  # type: ignore[arg-type]  # Pieces is no declared one
    reply = of(response, method=method, server="forkserver")
    assert (reply.keep, reply.status) == (False, 299)
    assert wire(reply) == b"HTTP/1.1 299 Odd\r\n\r\nbody"


def test_one_that_comes_by_and_by_goes_out_as_it_is() -> None:
    flow = iter((b"HTTP/1.1 200 OK\n", b"", b"\n"))
    reply = compose(head_of("GET"), Verbatim(200), keep=True, server="", flow=flow)
    assert wire(reply) == b"HTTP/1.1 200 OK\n\n"
