"""A request that another path answers (RFC 3875 section 6.2.2)."""

from __future__ import annotations

import pytest

from forkserver.http.detour import turned
from forkserver.http.grammar import BadRequest
from forkserver.http.request import Head, Parser


def head_of(text: str) -> Head:
    head = Parser().parse(text.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    assert head is not None
    return head


POST = """POST /a/b?c HTTP/1.0
Host: Some.Host:80
Content-Length: 5
Content-Type: text/plain
Connection: keep-alive
X-Kept: yes"""


def test_it_is_a_get_without_a_body_and_the_rest_stays() -> None:
    head = head_of(POST)
    there = turned(head, "/x%20y/z?q=%41")
    assert (there.line.method, there.line.path, there.line.query, there.line.minor) == ("GET", "/x y/z", "q=%41", 0)
    assert (there.line.text, there.line.target) == ("POST /a/b?c HTTP/1.0", "/x%20y/z?q=%41")
    assert (there.length, there.fields.length, there.fields.sized) == (0, 0, False)
    assert there.fields.values == {"host": "Some.Host:80", "connection": "keep-alive", "x-kept": "yes"}
    assert [name for name, _ in there.fields.items] == ["host", "connection", "x-kept"]
    assert (there.host, there.keep_alive, there.turns) == ("some.host", True, 1)
    assert head == head_of(POST)  # which others may share


def test_a_head_stays_one_and_turns_are_counted() -> None:
    there = head_of("HEAD http://a.test/b HTTP/1.1\nHost: a.test\nTransfer-Encoding: chunked\nExpect: 100-continue")
    for turns in (1, 2, 3):
        there = turned(there, f"/{turns}")
        assert (there.line.method, there.line.path, there.turns) == ("HEAD", f"/{turns}", turns)
    assert there.line.authority == "a.test"
    assert (there.fields.expects_continue, there.fields.values) == (False, {"host": "a.test"})


@pytest.mark.parametrize(
    "target", ["", "a", "http://a/b", "*", "/a b", "/a#b", "/%", "/../a", "/%2e", "/\xe4", "/\u0416", "/a\r\nX: y"]
)
def test_what_is_no_path_is_refused(target: str) -> None:
    with pytest.raises(BadRequest):
        turned(head_of("GET / HTTP/1.1\nHost: a"), target)
