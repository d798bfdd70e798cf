"""What every answer has in its head, whatever gives it: HEAD, OPTIONS *, absolute targets, Date, Server."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import pytest

from tests.wire.hosts import Host, Kind
from tests.wire.talk import request

# IMF-fixdate, RFC 9110 section 5.6.7
DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)
ANYTHING = ["/static/small.txt", "/static/huge.bin", "/static", "/static/none", "/nowhere", "/bad/raise", "/bad/split"]


def test_head_is_get_without_the_body(host: Host, kind: Kind) -> None:
    for target in [kind.good, "/static/huge.bin", "/static", "/nowhere", "/bad/raise", "/bad/split"]:
        with host.talk() as talk:
            talk.send(request("GET", target))
            status, items = talk.head()
        with host.talk() as talk:
            answer = talk.ask(request("HEAD", target), "HEAD")
            assert answer.status == status
            unstable = ("date", "content-length") if target.startswith("/echo") else ("date",)  # the method is told
            assert [one for one in answer.items if one[0] not in unstable] == [
                one for one in items if one[0] not in unstable
            ]
            assert talk.ask(request("HEAD", kind.good), "HEAD").status == 200
            assert talk.ask(request("GET", kind.good)).status == 200


def test_head_of_a_stream_sends_nothing_of_it(host: Host) -> None:
    with host.talk() as talk:
        assert talk.ask(request("HEAD", "/bad/stream"), "HEAD").status == 200
        assert talk.ask(request("GET", "/static/small.txt")).status == 200


def test_date_and_server_are_in_every_answer(host: Host, kind: Kind) -> None:
    with host.talk() as talk:
        for target in [kind.good, *ANYTHING]:
            fields = talk.ask(request("HEAD", target), "HEAD").fields
            assert DATE.fullmatch(fields["date"])
            assert parsedate_to_datetime(fields["date"]).strftime("%a, %d %b %Y %H:%M:%S GMT") == fields["date"]
            assert fields["server"] == "forkserver"


def test_the_server_field_can_be_switched_off(hasty: Host, kind: Kind) -> None:
    with hasty.talk() as talk:
        for target in [kind.good, *ANYTHING]:
            assert "server" not in talk.ask(request("HEAD", target), "HEAD").fields
        assert "server" not in talk.ask(b"nonsense\r\n\r\n").fields


@pytest.mark.parametrize("target", ["*", "http://test"])
def test_options_for_the_server_as_a_whole(host: Host, target: str) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("OPTIONS", target))
        assert (answer.status, answer.framing) == (204, "none")
        assert answer.fields["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
        assert talk.ask(request("GET", "/static/small.txt")).status == 200


def test_options_for_one_address(host: Host, kind: Kind) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("OPTIONS", kind.good))
        assert answer.status == (204 if kind.allow else 200)
        assert answer.fields.get("allow") == kind.allow


def test_an_absolute_target_is_as_good_as_a_path(host: Host, kind: Kind) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("GET", f"http://test:8080{kind.good}"))
        assert (answer.status, answer.framing) == (200, "length")
        assert talk.ask(request("GET", f"HTTP://TEST{kind.good}")).status == 200


def test_the_host_of_an_absolute_target_counts(host: Host) -> None:
    with host.talk() as talk:
        assert talk.ask(request("GET", "http://two.test/who.txt", host="one.test")).body == b"two"
        assert talk.ask(request("GET", "http://ONE.test:80/who.txt", host="two.test")).body == b"one"


def test_hosts_have_their_own_mounts(host: Host) -> None:
    with host.talk() as talk:
        for name, status, body in [("one.test", 200, b"one"), ("TWO.test:8080", 200, b"two"), ("three.test", 404, b"")]:
            answer = talk.ask(request("GET", "/who.txt", host=name))
            assert answer.status == status
            assert body in answer.body


def test_a_query_may_have_stray_percent_signs(host: Host, kind: Kind) -> None:
    with host.talk() as talk:
        assert talk.ask(request("GET", kind.good.partition("?")[0] + "?discount=100%&a=%zz")).status == 200
