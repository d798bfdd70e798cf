"""WSGI applications as clients see them: the good ones, and those that break the rules."""

from __future__ import annotations

import pytest

from tests.wire.application import FILE, PIECES
from tests.wire.hosts import Host
from tests.wire.pages import check_page
from tests.wire.talk import Reply, chunked, request

WHOLE = b"".join(PIECES)


def ask(host: Host, path: str, method: str = "GET", *lines: str, version: str = "1.1", body: bytes = b"") -> Reply:
    """The answer, after which the connection must be as good as new."""
    with host.talk() as talk:
        answer = talk.ask(request(method, f"/wsgi{path}", *lines, version=version, body=body), method)
        if answer.fields.get("connection") != "close":
            assert talk.ask(request("GET", "/wsgi/good")).body == b"good\n"
        else:
            assert talk.ended()
        return answer


@pytest.mark.parametrize(
    ("path", "framing"),
    [("/measured", "length"), ("/stream", "chunked"), ("/writes", "chunked")],
)
def test_a_body_in_pieces(host: Host, path: str, framing: str) -> None:
    answer = ask(host, path)
    assert (answer.status, answer.body) == (200, WHOLE)
    assert answer.framing in (framing, "length")  # what is whole in time may be measured
    assert answer.fields["content-type"] == "text/plain"
    assert ask(host, path, version="1.0").body == WHOLE


def test_a_file(host: Host) -> None:
    answer = ask(host, "/file")
    assert (answer.body, answer.framing) == (FILE[1:], "length")


@pytest.mark.parametrize(
    ("path", "length"),
    [("/good", "5"), ("/measured", "24"), ("/file", str(len(FILE) - 1)), ("/stream", None), ("/writes", None)],
)
def test_head_tells_what_is_known(host: Host, path: str, length: str | None) -> None:
    answer = ask(host, path, "HEAD")
    assert (answer.status, answer.fields.get("content-length")) == (200, length)


def test_a_status_without_a_body(host: Host) -> None:
    answer = ask(host, "/empty")
    assert (answer.status, answer.framing) == (204, "none")
    assert "content-length" not in answer.fields


def test_a_reset_has_no_content_and_the_connection_lives(host: Host) -> None:
    with host.talk() as talk:
        for _ in range(3):  # made, then as one of a shape that was sent before
            answer = talk.ask(request("GET", "/wsgi/reset"))
            assert (answer.status, answer.fields["content-length"], answer.body) == (205, "0", b"")


@pytest.mark.parametrize("size", [0, 1, 1000, 200_000])
def test_a_body_comes_complete_however_it_was_sent(host: Host, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert ask(host, "/back", "POST", body=body).body == body
    with host.talk() as talk:
        talk.send(request("POST", "/wsgi/back", "Transfer-Encoding: chunked") + chunked(body, 777))
        assert talk.reply("POST").body == body


def test_a_body_ends_where_it_ends_although_another_request_follows(host: Host) -> None:
    body = b"one\nand two\n" * 20_000
    with host.talk() as talk:
        talk.send(request("POST", "/wsgi/lines", body=body) + request("GET", "/wsgi/good"))
        assert talk.reply("POST").body == b"4\n8\n" * 20_000
        assert talk.reply().body == b"good\n"


def test_what_an_application_says_is_in_the_log(host: Host) -> None:
    assert ask(host, "/told").body == b"(True, True)"
    host.daemon.errors.wait_for(r"\[warning\] worker .*: \[/wsgi\]: told to the log")


def test_a_head_is_replaced_before_the_first_bytes(host: Host) -> None:
    answer = ask(host, "/replaced")
    assert (answer.status, answer.body) == (503, b"sorry\n")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/nothing", "TypeError: the application returned NoneType, not an iterable of bytes"),
        ("/text", "TypeError: the application gave a piece of its body as str, not bytes"),
        ("/never_started", "WsgiError: the application has not called start_response"),
        ("/started_twice", "WsgiError: start_response is called again"),
        ("/split", r"ValueError: start_response: '\\r' in the value of X-Split"),
        ("/hop", "ValueError: start_response: Transfer-Encoding belongs to the connection"),
        ("/interim", "ValueError: start_response: '100 Continue' is no final status"),
        ("/leaves", "SystemExit: asked to leave"),
    ],
)
def test_what_breaks_a_rule_is_500_and_the_log_tells_which(host: Host, path: str, why: str) -> None:
    answer = ask(host, path)
    assert answer.status == 500
    assert "set-cookie" not in answer.fields
    check_page(answer.body, 500)
    host.daemon.errors.wait_for(why)


@pytest.mark.parametrize(
    ("path", "why"),
    [("/too_late", "RuntimeError: after the first bytes"), ("/fails_while_writing", "RuntimeError: while writing")],
)
def test_what_fails_in_the_middle_never_looks_complete(host: Host, path: str, why: str) -> None:
    with host.talk() as talk:
        talk.send(request("GET", f"/wsgi{path}", "Connection: close"))
        got = talk.rest()
    if not got.startswith(b"HTTP/1.1 500"):  # nothing had been sent
        assert b"begun" in got
        assert not got.endswith(b"0\r\n\r\n")
    host.daemon.errors.wait_for(why)


@pytest.mark.parametrize("path", ["/shorter", "/longer", "/shorter_stream", "/longer_stream"])
def test_a_body_of_another_length_than_told_ends_the_connection(host: Host, path: str) -> None:
    with host.talk() as talk:
        talk.send(request("GET", f"/wsgi{path}?length") + request("GET", "/wsgi/good"))
        got = talk.rest()
    assert b"good\n" not in got
    head, _, body = got.partition(b"\r\n\r\n")
    if b"HTTP/1.1 200" in head:
        told = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        assert len(body) < told or (b"longer" in path.encode() and len(body) == told)
    host.daemon.errors.wait_for(rf"{path}\?length.*length of")


def test_a_close_that_fails_is_told_and_harms_nobody(host: Host) -> None:
    ask(host, "/close_fails")
    host.daemon.errors.wait_for("RuntimeError: while closing")
