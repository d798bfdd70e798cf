"""Applications that fail: the client learns of it, the log learns why, and the worker lives on."""

from __future__ import annotations

import pytest

from tests.wire.hosts import Host
from tests.wire.pages import check_page
from tests.wire.talk import request

PIECES = b"piece 0\npiece 1\npiece 2\n"


@pytest.mark.parametrize("path", ["/bad/raise", "/bad/split"])
def test_a_failure_is_500_and_of_this_request_only(host: Host, path: str) -> None:
    with host.talk() as talk:
        for _ in range(3):
            answer = talk.ask(request("GET", path))
            assert answer.status == 500
            assert "set-cookie" not in answer.fields
            check_page(answer.body, 500)
            assert b"asked to" not in answer.body  # what went wrong is no business of the client's
            assert talk.ask(request("GET", "/bad/fine")).body == b"fine"


def test_the_log_has_the_traceback(host: Host) -> None:
    with host.talk() as talk:
        assert talk.ask(request("GET", "/bad/raise?for-the-log")).status == 500
    host.daemon.errors.wait_for(r"GET /bad/raise\?for-the-log")
    host.daemon.errors.wait_for("RuntimeError: asked to fail")


def test_a_failure_with_a_body_is_500_too(host: Host) -> None:
    with host.talk() as talk:
        assert talk.ask(request("POST", "/bad/raise", body=bytes(200_000))).status == 500
        assert talk.ask(request("GET", "/bad/fine")).body == b"fine"


def test_a_stream_is_chunked_in_1_1_and_the_connection_stays(host: Host) -> None:
    with host.talk() as talk:
        for _ in range(3):
            answer = talk.ask(request("GET", "/bad/stream"))
            assert (answer.body, answer.framing) == (PIECES, "chunked")


def test_a_stream_ends_with_the_connection_in_1_0(host: Host) -> None:
    for wish in ["close", "keep-alive"]:
        with host.talk() as talk:
            answer = talk.ask(request("GET", "/bad/stream", f"Connection: {wish}", version="1.0"))
            assert (answer.body, answer.framing, answer.fields["connection"]) == (PIECES, "close", "close")


def test_a_stream_that_breaks_off_never_looks_complete(host: Host) -> None:
    with host.talk() as talk:
        talk.send(request("GET", "/bad/break") + request("GET", "/bad/fine"))
        status, items = talk.head()
        assert (status, dict(items)["transfer-encoding"]) == (200, "chunked")
        assert talk.rest() == b"c\r\na beginning\n\r\n"  # without the last chunk, and nothing after it
    host.daemon.errors.wait_for("RuntimeError: asked to break off")
