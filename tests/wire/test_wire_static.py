"""Files over the wire: whole and in parts, while they change, and that no path leads out of their folder."""

from __future__ import annotations

import os
import time
from email import message_from_bytes
from email.message import Message

import pytest

from tests.wire.hosts import HUGE, OLD, Host, put
from tests.wire.talk import request

LARGE = bytes(range(256)) * 4096  # large.bin


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=-300", (1 << 20) - 300, 1 << 20), ("bytes=70000-900000", 70000, 900001)],
)
def test_a_range_of_a_large_file(host: Host, wanted: str, start: int, stop: int) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("GET", "/static/large.bin", f"Range: {wanted}"))
        assert (answer.status, answer.body) == (206, LARGE[start:stop])
        assert answer.fields["content-range"] == f"bytes {start}-{stop - 1}/{1 << 20}"
        assert talk.ask(request("GET", "/static/large.bin")).body == LARGE


def test_several_ranges_at_once(host: Host) -> None:
    spans = [(0, 10), (100_000, 200_000), (1 << 19, (1 << 19) + 1)]
    wanted = ",".join(f"{start}-{stop - 1}" for start, stop in spans)
    with host.talk() as talk:
        answer = talk.ask(request("GET", "/static/large.bin", f"Range: bytes={wanted}"))
        assert answer.status == 206
        kind = answer.fields["content-type"].encode()
        parts = message_from_bytes(b"Content-Type: " + kind + b"\r\n\r\n" + answer.body).get_payload()
        assert isinstance(parts, list)
        for part, (start, stop) in zip(parts, spans, strict=True):
            assert isinstance(part, Message)
            assert part["Content-Range"] == f"bytes {start}-{stop - 1}/{1 << 20}"
        for start, stop in spans:
            assert b"\r\n\r\n" + LARGE[start:stop] + b"\r\n--" in answer.body
        assert talk.ask(request("GET", "/static/small.txt")).status == 200


def test_a_range_beyond_the_end(host: Host) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("GET", "/static/large.bin", "Range: bytes=1048576-"))
        assert (answer.status, answer.fields["content-range"]) == (416, "bytes */1048576")
        assert talk.ask(request("GET", "/static/small.txt")).status == 200


def test_a_file_larger_than_all_buffers(host: Host) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("GET", "/static/huge.bin"))
        assert len(answer.body) == HUGE
        assert answer.body.startswith(b"beginning\0")
        assert answer.body.count(b"\0") == HUGE - 9
        half = talk.ask(request("GET", "/static/huge.bin", f"Range: bytes={HUGE // 2}-"))
        assert len(half.body) == HUGE // 2


def test_what_the_client_has_already_is_not_sent(host: Host) -> None:
    with host.talk() as talk:
        for name in ["small.txt", "large.bin"]:
            whole = talk.ask(request("GET", f"/static/{name}"))
            for field in [
                f"If-None-Match: {whole.fields['etag']}",
                f"If-Modified-Since: {whole.fields['last-modified']}",
            ]:
                answer = talk.ask(request("GET", f"/static/{name}", field))
                assert (answer.status, answer.fields["etag"]) == (304, whole.fields["etag"])


def test_a_compressed_neighbour_is_sent_to_who_can_read_it(host: Host) -> None:
    with host.talk() as talk:
        plain = talk.ask(request("GET", "/static/style.css"))
        packed = talk.ask(request("GET", "/static/style.css", "Accept-Encoding: gzip"))
        assert "content-encoding" not in plain.fields
        assert packed.fields["content-encoding"] == "gzip"
        assert packed.body == (host.site / "style.css.gz").read_bytes()
        assert plain.fields["vary"] == packed.fields["vary"] == "Accept-Encoding"
        assert plain.fields["etag"] != packed.fields["etag"]


def test_a_folder_is_redirected_to_its_slash(host: Host) -> None:
    with host.talk() as talk:
        assert talk.ask(request("GET", "/static?a=b")).fields["location"] == "/static/?a=b"
        assert talk.ask(request("GET", "/static/")).body.endswith(b"home")


def test_a_file_that_gets_shorter_ends_its_connection_only(host: Host) -> None:
    path = host.site / "shrinking.bin"
    put(path, b"")
    os.truncate(path, HUGE)
    with host.talk() as talk:
        talk.send(request("GET", "/static/shrinking.bin") + request("GET", "/static/small.txt"))
        status, items = talk.head()
        assert (status, dict(items)["content-length"]) == (200, str(HUGE))
        os.truncate(path, 1000)
        assert len(talk.rest()) < HUGE
    with host.talk() as talk:
        answer = talk.ask(request("GET", "/static/shrinking.bin"))
        assert (answer.status, len(answer.body)) == (200, 1000)


def test_a_new_content_is_seen_soon(host: Host) -> None:
    """Not at once: a file may be remembered for a second, and so may a reply.  Never a mixture of both."""
    path = host.site / "changing.txt"
    with host.talk() as talk:
        for number in range(3):
            content = b"content %d\n" % number * (number + 1)
            put(path, content, OLD + number)
            limit = time.monotonic() + 20
            while (answer := talk.ask(request("GET", "/static/changing.txt"))).body != content:
                assert time.monotonic() < limit
                assert answer.status == 404 if number == 0 else answer.body == b"content %d\n" % (number - 1) * number
        path.unlink()
        while talk.ask(request("GET", "/static/changing.txt")).status != 404:
            assert time.monotonic() < limit


SECRETS = [
    "/static/../secret.txt",
    "/static/..%2fsecret.txt",
    "/static/%2e%2e/secret.txt",
    "/static/%2E%2E%2Fsecret.txt",
    "/static/.%2e/secret.txt",
    "/static/%252e%252e/secret.txt",
    "/static/%252e%252e%252fsecret.txt",
    "/static/..\\secret.txt",
    "/static/..%5csecret.txt",
    "/static/%5c..%5c..%5csecret.txt",
    "/static/..%00/secret.txt",
    "/static/small.txt%00.html",
    "/static/%c0%ae%c0%ae/secret.txt",
    "/static/%c0%ae%c0%ae%c0%afsecret.txt",
    "/static/%e0%80%ae%e0%80%ae/secret.txt",
    "/static/%f0%80%80%ae/secret.txt",
    "/static/..;/secret.txt",
    "/static/....//secret.txt",
    "/static/.../secret.txt",
    "/static/one/../../secret.txt",
    "/static/./../secret.txt",
    "/static/small.txt/../../secret.txt",
    "/static//../secret.txt",
    "/static/%2f%2e%2e%2fsecret.txt",
    "/static//etc/passwd",
    "/static/%2fetc/passwd",
    "/static/proc/self/environ",
    "/../static/secret.txt",
    "/..",
    "/%2e%2e",
    "//evil.example/",
    "//evil.example/%2e%2e",
    "/static/small.txt/",
    "/static/small.txt/index.html",
    "http://test/static/../secret.txt",
    "http://test/static/%2e%2e/secret.txt",
    "/static/" + "%2e%2e/" * 50 + "etc/passwd",
    "/static/\\\\evil.example\\share",
    "/static/~root/.profile",
    "/static/.git/config",
]


@pytest.mark.parametrize("target", SECRETS)
def test_no_path_leads_out(host: Host, target: str) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("GET", target))
        assert answer.status in (400, 404)
        assert b"a secret" not in answer.body
        assert b"root:" not in answer.body
        assert "location" not in answer.fields


def test_no_redirect_leads_to_another_host(host: Host) -> None:
    with host.talk() as talk:
        for target in ["/static//one?", "/static/one?//evil.example/", "/static/%2fevil.example/..?"]:
            answer = talk.ask(request("GET", target))
            assert not answer.fields.get("location", "/static").startswith(("//", "http"))
