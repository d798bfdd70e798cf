"""Sites of the small API as clients see them, over a socket."""

from __future__ import annotations

import json

import pytest

from forkserver.web.testing import multipart_of
from tests.wire.hosts import Host
from tests.wire.talk import Reply, request


def ask(host: Host, path: str, method: str = "GET", *lines: str, body: bytes = b"") -> Reply:
    """The answer, after which the connection must be as good as new."""
    with host.talk() as talk:
        answer = talk.ask(request(method, f"/web{path}", *lines, body=body), method)
        if answer.fields.get("connection") != "close":
            assert talk.ask(request("GET", "/web/hello")).body == b"hello, world\n"
        return answer


def test_the_same_request_again_and_again(host: Host) -> None:
    with host.talk() as talk:
        for _ in range(5):
            answer = talk.ask(request("GET", "/web/hello"))
            assert (answer.status, answer.body, answer.framing) == (200, b"hello, world\n", "length")
            assert answer.fields["content-type"] == "text/plain; charset=utf-8"


def test_a_stream_and_events(host: Host) -> None:
    assert ask(host, "/stream").body == b"piece 0\npiece 1\n"
    assert ask(host, "/events").body == b"id: 1\ndata: one\n\ndata: two\n\n"
    assert ask(host, "/stream", "HEAD").status == 200


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_form_with_a_file(host: Host, size: int) -> None:
    kind, body = multipart_of({"name": "Ann"}, {"file": ("a.bin", b"x" * size, "application/octet-stream")})
    answer = ask(host, "/form", "POST", f"Content-Type: {kind}", body=body)
    assert json.loads(answer.body) == {"values": {"name": "Ann"}, "files": {"file": [size, False]}}


def test_a_part_of_a_file(host: Host) -> None:
    whole = ask(host, "/good")
    part = ask(host, "/good", "GET", "Range: bytes=3-9")
    assert (part.status, part.body) == (206, whole.body[3:10])


def test_a_session(host: Host) -> None:
    answer = ask(host, "/seen")
    cookie = answer.fields["set-cookie"]
    assert "; Path=/web; Max-Age=1209600; HttpOnly; SameSite=Lax" in cookie
    again = ask(host, "/seen", "GET", f"Cookie: {cookie.partition(';')[0]}")
    assert (again.body, again.fields["vary"]) == (b"2", "Cookie")


@pytest.mark.parametrize(
    ("path", "method", "lines", "status"),
    [
        ("/raise", "GET", (), 500),
        ("/teapot", "GET", (), 418),
        ("/split?value=a%0d%0aX:%20y", "GET", (), 500),
        ("/split", "GET", (), 400),
        ("/good/%2e%2e/x", "GET", (), 400),
        ("/back", "POST", ("Origin: https://evil.example",), 403),
        ("/back", "POST", ("Sec-Fetch-Site: cross-site",), 403),
        ("/good", "OPTIONS", (), 204),
        ("", "GET", (), 404),
    ],
)
def test_what_is_refused(host: Host, path: str, method: str, lines: tuple[str, ...], status: int) -> None:
    answer = ask(host, path, method, *lines, body=b"x" if method == "POST" else b"")
    assert answer.status == status
    assert "x" not in answer.fields
    if status == 500:
        host.daemon.errors.wait_for(f"'{method} /web{path.partition('?')[0]}.*failed")


def test_a_stream_that_breaks_never_looks_complete(host: Host) -> None:
    with host.talk() as talk:
        talk.send(request("GET", "/web/breaks", "Connection: close"))
        got = talk.rest()
    assert got.startswith(b"HTTP/1.1 500") or (b"piece 0" in got and not got.endswith(b"0\r\n\r\n"))
    host.daemon.errors.wait_for("RuntimeError: asked to break")
