"""Every status that the server makes by itself: its page, its framing, and that the next client is served."""

from __future__ import annotations

import pytest

from tests.http.test_http_corpus import INVALID, expected, wire
from tests.wire.hosts import Host, Kind, Run
from tests.wire.pages import check_page
from tests.wire.talk import Reply, request

LONG = "x" * 9000

# Statuses for what can be told from one head alone: the request, and whether the connection goes on.
REFUSALS = {
    "400 no Host": (b"GET / HTTP/1.1\r\n\r\n", False),
    "400 two lengths": (request("POST", "/echo", "Content-Length: 3", "Content-Length: 4"), False),
    "404 no mount": (request("GET", "/nowhere"), True),
    "404 no mount, a body": (request("POST", "/nowhere", body=b"12345"), False),
    "404 other host": (request("GET", "/static/small.txt", host="one.test"), True),
    "411 POST in 1.0": (request("POST", "/echo", version="1.0"), False),
    "413 length": (request("POST", "/echo", "Content-Length: 99999999999999999999"), False),
    "414 line": (request("GET", "/" + LONG), False),
    "417 expectation": (request("GET", "/echo", "Expect: cake"), False),
    "431 one field": (request("GET", "/echo", f"X: {LONG}"), False),
    "431 all fields": (request("GET", "/echo", *[f"X: {LONG[:4000]}"] * 9), False),
    "431 many fields": (request("GET", "/echo", *["X: y"] * 101), False),
    "500 application": (request("GET", "/bad/raise"), True),
    "501 CONNECT": (request("CONNECT", "example.org:443"), False),
    "501 method": (request("M" * 33, "/echo"), False),
    "501 coding": (request("POST", "/echo", "Transfer-Encoding: gzip, chunked"), False),
    "505 version": (request("GET", "/echo", version="2.0"), False),
}


def check(answer: Reply, status: int) -> None:
    assert answer.status == status
    assert answer.framing == "length"
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    check_page(answer.body, status)


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_a_small_page(host: Host, name: str) -> None:
    data, goes_on = REFUSALS[name]
    with host.talk() as talk:
        answer = talk.ask(data)
        check(answer, int(name[:3]))
        assert answer.fields.get("connection") == (None if goes_on else "close")
        if goes_on:
            assert talk.ask(request("GET", "/static/small.txt")).status == 200
        else:
            assert talk.ended()


def test_what_is_missing(host: Host, kind: Kind) -> None:
    if kind.missing is None:
        with host.talk() as talk:
            assert talk.ask(request("GET", kind.good + "/anything")).status == 200
        return
    with host.talk() as talk:
        check(talk.ask(request("GET", kind.missing)), 404)
        assert talk.ask(request("GET", kind.good)).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get"])
def test_methods_that_are_not_taken(host: Host, kind: Kind, method: str) -> None:
    with host.talk() as talk:
        answer = talk.ask(request(method, kind.good))
        if kind.allow is None:
            assert answer.status == 200
        else:
            check(answer, 405)
            assert answer.fields["allow"] == kind.allow
        assert talk.ask(request("GET", kind.good)).status == 200


@pytest.mark.parametrize("name", INVALID)
def test_the_corpus_of_bad_requests(host: Host, name: str) -> None:
    with host.talk() as talk:
        answer = talk.ask(wire(f"invalid/{name}"))
        check(answer, expected(f"invalid/{name}"))
        assert answer.fields["connection"] == "close"
        assert talk.ended()


def test_too_many_connections_of_one_client(run: Run) -> None:
    with run(limits="connections_per_client = 2") as own:
        first, second = own.talk(), own.talk()
        with first, second:
            for talk in (first, second):
                assert talk.ask(request("GET", "/static/small.txt")).status == 200
            for _ in range(3):
                with own.talk() as third:
                    answer = third.reply()
                    check(answer, 503)
                    assert answer.fields["connection"] == "close"
                    assert third.ended()
            assert first.ask(request("GET", "/static/small.txt")).status == 200
        own.wait(lambda: own.connections() == 0, "both have left")
        own.check()
