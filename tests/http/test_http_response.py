"""Heads, pages and chunks of answers."""

from __future__ import annotations

import html.parser
import http

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.http.fields import split_line
from forkserver.http.response import LAST_CHUNK, OWNED, REASONS, chunk, error_response, has_body, head_parts
from forkserver.http.status import EXPLANATIONS

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"


def join(parts: tuple[bytes, bytes]) -> bytes:
    return parts[0] + DATE + parts[1]


def read(head: bytes) -> tuple[str, list[tuple[str, str]]]:
    """Status line and fields, by the rules that requests are held to."""
    assert head.endswith(b"\r\n\r\n")
    status, *lines = head[:-4].split(b"\r\n")
    return status.decode("ascii"), [(name, value.decode("latin-1")) for name, value in map(split_line, lines)]


def test_a_whole_head() -> None:
    fields = (("Content-Type", "text/plain"), ("ETag", '"1"'))
    head = join(head_parts(200, fields, length=12, connection="close", server="forkserver"))
    assert head == (
        b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: forkserver\r\n"
        b'Content-Length: 12\r\nContent-Type: text/plain\r\nETag: "1"\r\nConnection: close\r\n\r\n'
    )


def test_the_least_head() -> None:
    assert join(head_parts(299)) == b"HTTP/1.1 299 \r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"length": 0}, ("content-length", "0")),
        ({"chunked": True}, ("transfer-encoding", "chunked")),
        ({"connection": "keep-alive"}, ("connection", "keep-alive")),
        ({"server": "a b"}, ("server", "a b")),
    ],
)
def test_an_option_is_a_field(options: dict[str, object], field: tuple[str, str]) -> None:
    _, fields = read(join(head_parts(200, **options)))  # type: ignore[arg-type]  # a table of mixed types
    assert fields == [("date", DATE.decode()), field]


@pytest.mark.parametrize("status", [100, 101, 103, 199, 204, 304])
def test_an_answer_without_a_body_announces_none(status: int) -> None:
    for head in (head_parts(status, length=5), head_parts(status, chunked=True)):
        assert [name for name, _ in read(join(head))[1]] == ["date"]
    assert not has_body("GET", status)


def test_a_205_announces_that_there_is_nothing() -> None:
    """RFC 9110 section 15.3.6; RFC 9112 section 6.3 has clients wait for its body otherwise."""
    for head in (head_parts(205, length=5), head_parts(205, chunked=True), head_parts(205)):
        assert read(join(head))[1] == [("date", DATE.decode()), ("content-length", "0")]
    assert not has_body("GET", 205)


def test_a_body_follows_unless_it_is_head() -> None:
    assert has_body("GET", 200)
    assert has_body("POST", 404)
    assert not has_body("HEAD", 200)


@pytest.mark.parametrize("text", ["a\r\nB: c", "a\nb", "a\rb", "a\0b", "\x7f", "\x1b[m", "\u0100", "\u4e2d", "\ud800"])
def test_nothing_splits_an_answer(text: str) -> None:
    for fields, server in [((("A", text),), ""), (((text, "a"),), ""), ((), text)]:
        with pytest.raises(ValueError, match="cannot be"):
            head_parts(200, fields, server=server)


@pytest.mark.parametrize("name", ["", " ", "A B", "A:", "A ", "(A)", "\xe4"])
def test_a_name_is_a_token(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        head_parts(200, ((name, "a"),))


@pytest.mark.parametrize("name", sorted(OWNED))
def test_what_the_server_writes_is_not_the_applications(name: str) -> None:
    with pytest.raises(ValueError, match="the server itself"):
        head_parts(200, ((name.title(), "0"),))


@pytest.mark.parametrize("status", [-1, 0, 99, 1000])
def test_a_status_has_three_digits(status: int) -> None:
    with pytest.raises(ValueError, match="no status"):
        head_parts(status)


def test_contradictions_are_refused() -> None:
    with pytest.raises(ValueError, match="not both"):
        head_parts(200, length=1, chunked=True)
    with pytest.raises(ValueError, match="no length"):
        head_parts(200, length=-1)
    with pytest.raises(ValueError, match="Connection cannot be"):
        head_parts(200, connection="close\r\nA: b")


NAMES = st.text("abcXYZ019-_.!", min_size=1, max_size=12).filter(lambda name: name.lower() not in OWNED)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"))


@given(st.integers(200, 599), st.lists(st.tuples(NAMES, VALUES), max_size=6).map(tuple), st.integers(0, 1 << 60))
def test_what_is_written_is_readable(status: int, fields: tuple[tuple[str, str], ...], length: int) -> None:
    for _ in range(2):  # made, then remembered
        line, found = read(join(head_parts(status, fields, length=length, server="s")))
        assert line == f"HTTP/1.1 {status} {REASONS.get(status, '')}"
        ours = [pair for pair in found if pair[0] in OWNED]
        wanted = [] if status in (204, 304) else [("content-length", str(0 if status == 205 else length))]
        assert ours == [("date", DATE.decode()), ("server", "s"), *wanted]
        assert found[len(ours) :] == [(name.lower(), value.strip(" \t")) for name, value in fields]


@given(st.text(), st.text())
def test_any_text_is_written_or_refused(name: str, value: str) -> None:
    try:
        head = join(head_parts(200, ((name, value),)))
    except ValueError:
        return
    assert len(read(head)[1]) == 2


def test_reasons_know_every_status_of_the_standard_library() -> None:
    assert {int(status) for status in http.HTTPStatus} - {418, 306} <= set(REASONS)
    assert {status for status in REASONS if status >= 400} == {status for status in EXPLANATIONS if status >= 400}


class Outline(html.parser.HTMLParser):
    """Checks that every element is closed in order, and notes texts by element."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: dict[str, str] = {}
        self.attributes: dict[str, list[dict[str, str | None]]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.setdefault(tag, []).append(dict(attrs))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data


def outline(page: object) -> Outline:
    assert isinstance(page, bytes)
    reader = Outline()
    reader.feed(page.decode("utf-8"))
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("status", [*sorted(EXPLANATIONS), 299, 599])
def test_an_error_is_a_small_page(status: int) -> None:
    response = error_response(status)
    assert response.status == status
    assert response.fields == (("Content-Type", "text/html; charset=utf-8"),)
    page = outline(response.body)
    title = f"{status} {REASONS.get(status, '')}".strip()
    assert page.texts["title"] == page.texts["h1"] == title
    assert page.texts["p"].endswith(".")
    assert page.attributes["html"] == [{"lang": "en"}]
    assert {"charset": "utf-8"} in page.attributes["meta"]
    assert isinstance(response.body, bytes)
    assert response.body.startswith(b"<!DOCTYPE html>\n")
    assert len(response.body) < 1024


def test_a_detail_is_text_and_fields_are_added() -> None:
    detail = "<script>alert('{x}')</script> & \u4e2d \ud800"
    response = error_response(405, detail, (("Allow", "GET, HEAD"),))
    assert response.fields[1:] == (("Allow", "GET, HEAD"),)
    page = outline(response.body)
    assert "script" not in page.attributes
    assert page.texts["p"].endswith("<script>alert('{x}')</script> & \u4e2d ?")


def test_chunks() -> None:
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert chunk(b"") == b""
    assert LAST_CHUNK == b"0\r\n\r\n"
