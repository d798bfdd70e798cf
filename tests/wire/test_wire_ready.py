"""What is repeated is answered from memory; on the wire that must show in nothing but speed."""

from __future__ import annotations

import time

from tests.wire.hosts import OLD, Host, put
from tests.wire.talk import request


def test_repeated_requests_get_the_same_answer_with_the_date_of_the_moment(host: Host) -> None:
    with host.talk() as talk:
        first = talk.ask(request("GET", "/static/style.css"))
        dates = set()
        limit = time.monotonic() + 20
        while len(dates) < 3:  # seconds pass, each request is a wait for its answer
            answer = talk.ask(request("GET", "/static/style.css"))
            dates.add(answer.fields.pop("date"))
            again = [one for one in answer.items if one[0] != "date"]
            assert (again, answer.body) == ([one for one in first.items if one[0] != "date"], first.body)
            assert time.monotonic() < limit


def test_hosts_and_mounts_do_not_share_replies(host: Host) -> None:
    asked = [
        ("/who.txt", "one.test", b"one"),
        ("/who.txt", "two.test", b"two"),
        ("/static/one/who.txt", "test", b"one"),
    ]
    with host.talk() as talk:
        for _ in range(10):
            for target, name, body in asked:
                assert talk.ask(request("GET", target, host=name)).body == body
            assert talk.ask(request("GET", "/who.txt")).status == 404


def test_a_reply_in_memory_is_given_to_whole_requests_and_not_once_the_file_is_gone(host: Host) -> None:
    path = host.site / "leaving.txt"
    put(path, b"still here", OLD)
    data = request("GET", "/static/leaving.txt", "Connection: keep-alive", version="1.0", host=None)
    limit = time.monotonic() + 20
    with host.talk() as talk:
        dates = set()
        while len(dates) < 4:  # so long that it is surely kept
            answer = talk.ask(data)
            assert answer.status == 200
            dates.add(answer.fields["date"])
        talk.send(b"GET /nowhere HTTP/1.1\r\nHost: test\r\nX: ")
        assert host.status()["ok"]  # so that what follows comes by itself: the same bytes, but the rest of a field
        assert talk.ask(data).status == 404
        path.unlink()
        while talk.ask(data).status != 404:
            assert time.monotonic() < limit


def test_other_bytes_are_another_request(host: Host) -> None:
    plain, packed = request("GET", "/static/style.css"), request("GET", "/static/style.css", "Accept-Encoding: gzip")
    with host.talk() as talk:
        for _ in range(20):
            assert "content-encoding" not in talk.ask(plain).fields
            assert talk.ask(packed).fields["content-encoding"] == "gzip"
            assert talk.ask(request("HEAD", "/static/style.css"), "HEAD").body == b""


def test_a_repeated_request_may_come_in_any_company(host: Host) -> None:
    data = request("GET", "/static/small.txt")
    with host.talk() as talk:
        for _ in range(10):
            assert talk.ask(data).body == b"small\n"
        talk.send(data * 3)  # three at once are other bytes than one
        assert [talk.reply().body for _ in range(3)] == [b"small\n"] * 3
        talk.send(data[:20])
        talk.send(data[20:])
        assert talk.reply().body == b"small\n"
        talk.send(b"\r\n")
        assert talk.ask(data).body == b"small\n"
        talk.send(request("POST", "/echo?back", f"Content-Length: {len(data)}"))
        talk.send(data)  # the same bytes, and now they are a body
        assert talk.reply().body == data
