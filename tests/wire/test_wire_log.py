"""The access log of all that is said on the wire: one line a request, right, and not to be forged."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest

from tests.wire.hosts import HUGE, Host, Kind, Run
from tests.wire.talk import request

COMBINED = re.compile(
    r"(?P<peer>\S+) - - \[(?P<when>[^\]]+)\] \"(?P<line>(?:[^\"\\]|\\.)*)\" (?P<status>\d{3}) (?P<size>\d+|-) "
    r"\"(?P<referer>(?:[^\"\\]|\\.)*)\" \"(?P<agent>(?:[^\"\\]|\\.)*)\""
)


class Watcher:
    """The lines of one client, which gives a name of its own; by a last request it knows that all have come."""

    def __init__(self, host: Host) -> None:
        self.host, self.name = host, uuid.uuid4().hex

    @property
    def agent(self) -> str:
        return f"User-Agent: {self.name}"

    def lines(self, pattern: str, count: int) -> list[str]:
        """So many lines with `pattern`, as they came."""
        found = [self.host.daemon.output.wait_for(f"^.*{pattern}.*$")[0] for _ in range(count)]
        assert all(COMBINED.fullmatch(line) for line in found)
        return found

    def said(self, count: int) -> list[tuple[str, str, str]]:
        """(request line, status, size) of its own lines."""
        return [parsed(line) for line in self.lines(self.name, count)]


def parsed(line: str) -> tuple[str, str, str]:
    found = COMBINED.fullmatch(line)
    assert found, line
    assert re.fullmatch(r"\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}", found["when"])
    assert found["peer"] == "127.0.0.1"
    return found["line"], found["status"], found["size"]


@pytest.fixture
def watcher(host: Host) -> Watcher:
    return Watcher(host)


def test_one_line_a_request(watcher: Watcher, kind: Kind) -> None:
    with watcher.host.talk() as talk:
        sizes = [str(len(talk.ask(request("GET", kind.good, watcher.agent)).body)) for _ in range(20)]
        talk.send(request("GET", "/nowhere", watcher.agent))
        missing = str(len(talk.reply().body))
        talk.ask(request("HEAD", kind.good, watcher.agent), "HEAD")
        talk.ask(request("OPTIONS", "*", watcher.agent))
    assert watcher.said(23) == [
        *((f"GET {kind.good} HTTP/1.1", "200", size) for size in sizes),
        ("GET /nowhere HTTP/1.1", "404", missing),
        (f"HEAD {kind.good} HTTP/1.1", "200", "-"),
        ("OPTIONS * HTTP/1.1", "204", "-"),
    ]


def test_pipelined_requests_have_a_line_each(watcher: Watcher, kind: Kind) -> None:
    with watcher.host.talk() as talk:
        talk.send(request("GET", kind.good, watcher.agent) * 50)
        for _ in range(50):
            talk.reply()
    assert {status for _, status, _ in watcher.said(50)} == {"200"}


def test_large_files_bodies_and_streams_are_counted_without_framing(watcher: Watcher) -> None:
    with watcher.host.talk() as talk:
        talk.ask(request("GET", "/static/huge.bin", watcher.agent))
        talk.ask(request("GET", "/static/huge.bin", "Range: bytes=5-14", watcher.agent))
        talk.ask(request("POST", "/echo?back", watcher.agent, body=bytes(100_000)))
        talk.ask(request("GET", "/bad/stream", watcher.agent))
        talk.ask(request("GET", "/bad/raise", watcher.agent))
    assert [(status, size) for _, status, size in watcher.said(4)] == [
        ("200", str(HUGE)),
        ("206", "10"),
        ("200", "100000"),
        ("200", "24"),
    ]


def test_refused_requests_are_logged_as_they_came(watcher: Watcher) -> None:
    name = watcher.name
    for data in [
        b"\r\nGET /%s HTTP/1.1\r\n\r\n" % name.encode(),
        b'GET /%s\x00\x1b[31m"\\ HTTP/1.1\r\nHost: test\r\n\r\n' % name.encode(),
        request("GET", f"/{name}", "Content-Length: 1", "Content-Length: 2"),
        request("POST", f"/echo/{name}", "Content-Length: 999999999"),
    ]:
        with watcher.host.talk() as talk:
            talk.ask(data)
    assert sorted((line, status) for line, status, _ in watcher.said(4)) == [  # of several workers, so in any order
        (f"GET /{name} HTTP/1.1", "400"),
        (f"GET /{name} HTTP/1.1", "400"),
        (f"GET /{name}" + r"\x00\x1b[31m\"\\ HTTP/1.1", "400"),
        (f"POST /echo/{name} HTTP/1.1", "413"),
    ]


FORGERIES = [
    '" 200 0 "-" "',
    "\\",
    '\\" 200 1',
    '\t"tab',
    "\x80\x9b\xff",
    '127.0.0.1 - - [01/Jan/2030:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-"',
]


@pytest.mark.parametrize("value", FORGERIES)
def test_no_field_can_break_or_forge_a_line(watcher: Watcher, value: str) -> None:
    field = f"{watcher.name}{value}{watcher.name}"
    with watcher.host.talk() as talk:
        assert talk.ask(request("GET", "/static/small.txt", f"User-Agent: {field}")).status == 200
        assert talk.ask(request("GET", "/static/small.txt", f"Referer: {field}")).status == 200
        assert talk.ask(request("GET", f"/static/small.txt?{watcher.name}%0a%22%00", watcher.agent)).status == 200
    lines = watcher.lines(watcher.name, 3)
    assert [parsed(line)[1:] for line in lines] == [("200", "6")] * 3
    assert all(line.isascii() and line.isprintable() for line in lines)


@pytest.mark.parametrize("byte", [b"\n", b"\r", b"\0", b"\x0b", b"\x1b", b"\x7f"])
def test_control_bytes_are_refused_and_logged_in_one_line(watcher: Watcher, byte: bytes) -> None:
    data = request("GET", f"/{watcher.name}").replace(b"Host: test", b"Host: test\r\nX: a" + byte + b"b")
    with watcher.host.talk() as talk:
        assert talk.ask(data).status == 400
    assert [status for _, status, _ in watcher.said(1)] == ["400"]


def test_json_lines_with_numbers_as_numbers(run: Run) -> None:
    with run(log="format = json") as own:
        with own.talk() as talk:
            length = len(talk.ask(request("GET", "/static/large.bin", 'User-Agent: a"\\\xff')).body)
            talk.ask(b'nonsense "\\\x1b\r\n\r\n')
        lines: list[dict[str, Any]] = [json.loads(own.daemon.output.wait_for(r"^\{.*\}$")[0]) for _ in range(2)]
    good, bad = lines
    assert (good["method"], good["status"], good["bytes"]) == ("GET", 200, length)
    assert good["user_agent"] == 'a"\\\xff'
    assert type(good["duration_us"]) is int
    assert good["duration_us"] >= 0
    assert (bad["status"], bad["line"], bad["method"]) == (400, 'nonsense "\\\x1b', None)


def facts(host: Host, mark: str) -> dict[str, str]:
    """The letters at the end of the hasty server's line with this mark."""
    line = host.daemon.output.wait_for(f"^.*{mark}.*$")[0]
    return dict(part.split("=") for part in line.split()[-4:])


def test_bytes_on_the_wire_and_what_became_of_the_connection(hasty: Host) -> None:
    data = request("POST", "/echo?back", body=bytes(100_000))
    with hasty.talk() as talk:
        assert len(talk.ask(data).body) == 100_000
        told = facts(hasty, r"echo\?back")
        assert told["X"] == "+"
        assert int(told["I"]) == len(data)
        assert int(told["O"]) > 100_000
        assert int(told["D"]) >= 0
        talk.ask(request("GET", "/static/small.txt?closing", "Connection: close"))
    assert facts(hasty, "closing")["X"] == "-"


def test_an_answer_that_was_not_wanted_to_its_end(hasty: Host) -> None:
    with hasty.talk() as talk:
        talk.send(request("GET", "/static/huge.bin?aborted"))
        assert talk.head()[0] == 200
    told = facts(hasty, r"huge.bin\?aborted")
    assert told["X"] == "X"
    assert 0 < int(told["O"]) < HUGE
