"""Bodies on their way in: both framings, all sizes, any cut, the limit, and Expect: 100-continue."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest

from tests.wire.conftest import BODY
from tests.wire.hosts import KINDS, Host, Kind
from tests.wire.pages import check_page
from tests.wire.talk import Reply, chunked, request

MEMORY = 64 << 10  # bytes of a body that stay in memory, as shipped
SIZES = [0, 1, MEMORY - 1, MEMORY, MEMORY + 1, 5 << 20]
AFTERWARDS = 20 << 20  # bytes that a client goes on sending after it has been refused
CHUNKED = "Transfer-Encoding: chunked"

GREEDY = {name: kind for name, kind in KINDS.items() if kind.back}
SPARE = {name: kind for name, kind in KINDS.items() if not kind.back}


@pytest.fixture(params=GREEDY)
def taker(request: pytest.FixtureRequest) -> Kind:
    """Each kind that takes bodies."""
    return GREEDY[str(request.param)]


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def back(kind: Kind) -> str:
    assert kind.back
    return kind.back


@pytest.mark.parametrize("size", SIZES)
def test_a_body_of_announced_length_arrives_as_it_was(host: Host, taker: Kind, size: int) -> None:
    body = content(size)
    with host.talk() as talk:
        talk.send(request("POST", back(taker), f"Content-Length: {size}") + body + request("GET", taker.good))
        assert talk.reply().body == body
        assert talk.reply().status == 200


@pytest.mark.parametrize("size", SIZES)
def test_a_chunked_body_arrives_as_it_was(host: Host, taker: Kind, size: int) -> None:
    body = content(size)
    with host.talk() as talk:
        talk.send(request("POST", back(taker), CHUNKED) + chunked(body, 30_000) + request("GET", taker.good))
        assert talk.reply().body == body
        assert talk.reply().status == 200


def test_extensions_and_trailers_of_chunks_are_read_over(host: Host, taker: Kind) -> None:
    body = content(5000)
    wire = chunked(body, 50, ';name="quoted; text" ;b', "Content-Length: 3\r\nX-Sum: 1\r\n")
    with host.talk() as talk:
        assert talk.ask(request("POST", back(taker), CHUNKED) + wire).body == body
        assert talk.ask(request("GET", taker.good)).status == 200


@pytest.mark.parametrize("seed", range(4))
def test_a_body_may_be_cut_anyhow(host: Host, taker: Kind, seed: int) -> None:
    chance = random.Random(seed)
    body = content(150_000)
    posts = [request("POST", back(taker), body=body), request("POST", back(taker), CHUNKED) + chunked(body, 4096)]
    wire = b"".join(posts) + request("GET", taker.good)
    with host.talk() as talk:
        while wire:
            size = chance.choice([1, 2, 3, 100, 5_000, 70_000])
            talk.send(wire[:size])
            wire = wire[size:]
        assert [talk.reply().body for _ in posts] == [body, body]
        assert talk.reply().status == 200


def facts(reply: Reply) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(reply.body)
    return told


def test_what_is_large_goes_to_a_file_and_what_is_small_does_not(host: Host) -> None:
    with host.talk() as talk:
        for size in SIZES:
            body = content(size)
            told = facts(talk.ask(request("POST", "/echo", CHUNKED) + chunked(body, 8192)))
            assert (told["length"], told["sha256"]) == (size, hashlib.sha256(body).hexdigest())
            assert told["spooled"] == (size > MEMORY)


TOO_MUCH = {
    "announced": (f"Content-Length: {AFTERWARDS}", b""),
    "announced by a chunk": (CHUNKED, b"%x\r\n" % (BODY + 1)),
    "in many chunks": (CHUNKED, chunked(bytes(BODY + 1), 60_000)),
}


@pytest.mark.parametrize("way", TOO_MUCH)
def test_the_refusal_of_a_large_body_reaches_a_client_that_goes_on_sending(host: Host, taker: Kind, way: str) -> None:
    field, start = TOO_MUCH[way]
    with host.talk() as talk:
        talk.send(request("POST", back(taker), field) + start)
        for _ in range(AFTERWARDS >> 20):
            talk.send(bytes(1 << 20))
        answer = talk.reply()
        assert (answer.status, answer.fields["connection"]) == (413, "close")
        check_page(answer.body, 413)
        assert talk.ended()


@pytest.mark.parametrize("name", SPARE)
def test_a_body_that_nobody_wants_is_refused_and_read_off(host: Host, name: str) -> None:
    kind = SPARE[name]
    with host.talk() as talk:
        talk.send(request("POST", kind.good, f"Content-Length: {AFTERWARDS}"))
        for _ in range(AFTERWARDS >> 20):
            talk.send(bytes(1 << 20))
        answer = talk.reply()
        assert (answer.status, answer.fields["allow"], answer.fields["connection"]) == (405, kind.allow, "close")
        assert talk.ended()


def test_a_body_of_the_largest_size_is_taken(host: Host) -> None:
    with host.talk() as talk:
        assert facts(talk.ask(request("POST", "/echo", body=bytes(BODY))))["length"] == BODY
        assert facts(talk.ask(request("POST", "/echo", CHUNKED) + chunked(bytes(BODY), 1 << 20)))["length"] == BODY


BROKEN = {
    "no size": (b"\r\nabc\r\n0\r\n\r\n", 400),
    "no hexadecimal size": (b"xyz\r\nabc\r\n0\r\n\r\n", 400),
    "signed": (b"+3\r\nabc\r\n0\r\n\r\n", 400),
    "longer than said": (b"3\r\nabcd\r\n0\r\n\r\n", 400),
    "bare line feeds": (b"3\nabc\n0\n\n", 400),
    "endless size": (b"0" * 5000, 400),
    "endless extension": (b"3;" + b"x" * 5000, 400),
    "endless extensions": (b"1;name=value\r\na\r\n" * 3000, 400),
    "trailer without colon": (b"0\r\nno colon\r\n\r\n", 400),
    "too long a trailer": (b"0\r\nT: " + b"x" * 9000 + b"\r\n\r\n", 431),
    "too many trailers": (b"0\r\n" + b"T: x\r\n" * 200 + b"\r\n", 431),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_chunks_are_refused(host: Host, taker: Kind, what: str) -> None:
    wire, status = BROKEN[what]
    with host.talk() as talk:
        answer = talk.ask(request("POST", back(taker), CHUNKED) + wire)
        assert (answer.status, answer.fields["connection"]) == (status, "close")
        check_page(answer.body, status)
        assert talk.ended()


EXPECT = "Expect: 100-continue"


@pytest.mark.parametrize("framing", ["Content-Length: 5", CHUNKED])
def test_a_client_that_waits_is_told_to_continue(host: Host, taker: Kind, framing: str) -> None:
    with host.talk() as talk:
        for _ in range(2):
            interim = talk.ask(request("POST", back(taker), framing, EXPECT))
            assert (interim.status, interim.items, talk.buffer) == (100, [], b"")
            assert talk.ask(b"hello" if framing != CHUNKED else chunked(b"hello")).body == b"hello"


def test_a_client_that_does_not_wait_is_not_told(host: Host, taker: Kind) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("POST", back(taker), EXPECT, body=b"hello"))
        assert (answer.status, answer.body) == (200, b"hello")


def test_nobody_is_told_to_send_nothing_or_in_http_1_0(host: Host, taker: Kind) -> None:
    with host.talk() as talk:
        assert talk.ask(request("GET", taker.good, EXPECT)).status == 200
        talk.send(request("POST", back(taker), EXPECT, "Content-Length: 5", version="1.0"))
        assert talk.ask(b"hello").body == b"hello"


@pytest.mark.parametrize("name", SPARE)
def test_the_last_word_comes_at_once_when_the_method_is_wrong(host: Host, name: str) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("POST", SPARE[name].good, EXPECT, "Content-Length: 5"))
        assert (answer.status, answer.fields["connection"]) == (405, "close")
        assert talk.ended()


def test_the_last_word_comes_at_once_when_the_body_is_too_large(host: Host, taker: Kind) -> None:
    with host.talk() as talk:
        assert talk.ask(request("POST", back(taker), EXPECT, f"Content-Length: {BODY + 1}")).status == 413
        assert talk.ended()


def test_other_expectations_are_not_met(host: Host, kind: Kind) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("POST", kind.good, "Expect: 200-ok", "Content-Length: 5"))
        assert answer.status == 417
        assert talk.ended()
