"""The guestbook: what it takes, shows, changes and refuses."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from types import ModuleType

import pytest

from forkserver.web.testing import Client, Reply
from tests.daemons import ROOT

JPEG = (ROOT / "conf/site/test.jpg").read_bytes()
PACKAGE = "forkserver.web.guestbook"


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, with a book of its own."""
    monkeypatch.setenv("GUESTBOOK", str(tmp_path / "book"))
    before = {name for name in sys.modules if name.startswith(PACKAGE)}
    assert not before
    yield importlib.import_module(f"{PACKAGE}.pages")
    sys.modules[f"{PACKAGE}.pages"].book._connection.close()
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]


@pytest.fixture
def ann(pages: ModuleType) -> Client:
    pages.site.check()
    client: Client = pages.site.test(script="/guestbook")
    return client


@pytest.fixture
def bob(pages: ModuleType) -> Client:
    client: Client = pages.site.test(script="/guestbook")
    return client


def write(
    client: Client, name: str = "Ann", text: str = "Hello!", picture: bytes | None = None, kind: str = "a/b"
) -> Reply:
    files = {} if picture is None else {"picture": ("../x.exe", picture, kind)}
    return client.post("/", form={"name": name, "text": text}, files=files)


def pictures(pages: ModuleType) -> list[str]:
    return os.listdir(pages.book.pictures)


def test_an_entry_is_written_and_seen_by_everybody(ann: Client, bob: Client) -> None:
    assert "Nobody has written anything yet" in ann.get("/").text
    reply = write(ann, "Ann <b>", "Hello & 'welcome'\r\n<script>")
    assert (reply.status, reply.headers["location"]) == (303, "/guestbook/")
    assert "Your entry is in the book." in ann.get("/").text
    assert "Your entry is in the book." not in ann.get("/").text  # said once
    seen = bob.get("/").text
    assert "Ann &lt;b&gt;" in seen
    assert "Hello &amp; &#39;welcome&#39;\n&lt;script&gt;" in seen
    assert "<script" not in seen
    assert "Change or delete" in ann.get("/").text
    assert "Change or delete" not in seen


@pytest.mark.parametrize(
    ("picture", "kind"),
    [
        (JPEG, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
def test_a_picture_is_shown_as_what_it_is(ann: Client, bob: Client, picture: bytes, kind: str) -> None:
    assert write(ann, picture=picture, kind="text/html").status == 303
    found = re.search(r'src="/guestbook(/picture/[0-9a-f]{32}\.\w+)" alt="Picture by Ann"', bob.get("/").text)
    assert found
    reply = bob.get(found[1])
    assert (reply.headers["content-type"], reply.body) == (kind, picture)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert "immutable" in reply.headers["cache-control"]
    assert bob.head(found[1]).body == b""


@pytest.mark.parametrize(
    ("form", "picture", "field", "why"),
    [
        ({"name": "", "text": "x"}, None, "name", "Please enter your name."),
        ({"name": "Ann"}, None, "text", "Please write a few words."),
        ({"name": "x" * 61, "text": "x"}, None, "name", "Please use at most 60 characters."),
        ({"name": "Ann", "text": "x" * 2001}, None, "text", "Please use at most 2000 characters."),
        ({"name": "Ann", "text": "x"}, b"<svg>", "picture", "The picture is not a JPEG, PNG, GIF or WebP file."),
        ({"name": "Ann", "text": "x"}, b"", "picture", "The picture is not a JPEG, PNG, GIF or WebP file."),
        ({"name": "Ann", "text": "x"}, b"GIF89a" + bytes(5 << 20), "picture", "The picture is larger than 5 MB."),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(
    ann: Client, pages: ModuleType, form: dict[str, str], picture: bytes | None, field: str, why: str
) -> None:
    reply = ann.post("/", form=form, files={} if picture is None else {"picture": ("a.jpg", picture, "image/jpeg")})
    assert reply.status == 422
    assert f'<span class="wrong" id="{field}-wrong">{why}</span>' in reply.text
    assert f'aria-describedby="{field}-wrong"' in reply.text
    assert f'value="{form["name"]}"' in reply.text  # nothing is to be typed again
    assert pages.book.entries(1, 10) == ([], False)
    assert pictures(pages) == []


def test_only_its_writer_changes_and_removes_an_entry(ann: Client, bob: Client, pages: ModuleType) -> None:
    write(ann, picture=JPEG)
    page = ann.get("/entry/1").text
    assert 'name="method" value="PUT"' in page
    assert 'name="method" value="DELETE"' in page
    assert 'name="method"' not in bob.get("/entry/1").text
    for reply in (
        bob.put("/entry/1", form={"name": "Bob", "text": "mine"}),
        bob.delete("/entry/1"),
        bob.post("/entry/1", form={"method": "PUT", "name": "Bob", "text": "mine"}),
        bob.post("/entry/1", form={"method": "DELETE"}),
    ):
        assert reply.status == 403
        assert "Only who wrote an entry may change it." in reply.text
    (before,) = pictures(pages)
    assert ann.put("/entry/1", form={"name": "Ann", "text": "Better."}).status == 303
    assert pictures(pages) == [before]
    assert ann.post("/entry/1", form={"method": "PUT", "name": "Ann", "text": ""}).status == 422
    other = {"picture": ("b", b"GIF87a", "image/gif")}
    assert ann.post("/entry/1", form={"method": "PUT", "name": "A", "text": "Best."}, files=other).status == 303
    (after,) = pictures(pages)
    assert after.endswith(".gif")
    seen = bob.get("/").text
    assert "Best." in seen
    assert after in seen
    assert ann.delete("/entry/1").status == 303
    assert "Your entry is gone." in unescape(ann.get("/").text)
    assert bob.get("/entry/1").status == 404
    assert pictures(pages) == []


def test_a_number_is_never_given_again(ann: Client, bob: Client) -> None:
    write(ann)
    ann.delete("/entry/1")
    write(bob, "Bob")
    assert ann.get("/entry/1").status == 404
    assert ann.delete("/entry/2").status == 403


@pytest.mark.parametrize(
    ("form", "status"), [({"method": "PATCH"}, 405), ({"method": "get"}, 405), ({}, 400), ({"method": "DELETE"}, 404)]
)
def test_a_form_means_put_or_delete(ann: Client, form: dict[str, str], status: int) -> None:
    reply = ann.post("/entry/1", form=form)
    assert reply.status == status
    assert reply.headers.get("allow") == ("GET, HEAD, POST, PUT, DELETE, OPTIONS" if status == 405 else None)


def test_pages(ann: Client, pages: ModuleType) -> None:
    for number in range(1, 26):
        pages.book.add(f"No {number}.", "x", "")
    shown = [re.findall(r"No (\d+)\.</h2>", ann.get("/", query={"page": page}).text) for page in (1, 2, 3, 4)]
    assert [len(numbers) for numbers in shown] == [10, 10, 5, 0]
    assert [number for page in shown for number in page] == [str(number) for number in range(25, 0, -1)]
    assert 'href="/guestbook/?page=3"' in ann.get("/", query={"page": 2}).text
    assert 'rel="next"' not in ann.get("/", query={"page": 3}).text
    assert ann.get("/", query={"page": "x"}).status == 400
    assert ann.get("/", query={"page": -5}).status == 200


@pytest.mark.parametrize("name", ["none.jpg", "%2fetc%2fpasswd", "a%2fb"])
def test_nothing_but_pictures_is_sent(ann: Client, name: str) -> None:
    assert ann.get(f"/picture/{name}").status == 404


def test_a_page_of_another_site_writes_nothing(ann: Client, pages: ModuleType) -> None:
    reply = ann.post("/", form={"name": "x", "text": "y"}, headers={"Origin": "https://evil.example"})
    assert (reply.status, pages.book.entries(1, 10)) == (403, ([], False))


def test_the_style_and_head_and_options(ann: Client) -> None:
    assert ann.get("/style.css").headers["content-type"] == "text/css; charset=utf-8"
    assert (ann.head("/").status, ann.head("/").body) == (200, b"")
    assert ann.options("/").headers["allow"] == "GET, HEAD, POST, OPTIONS"
    assert ann.get("").headers["location"] == "/guestbook/"


def test_many_write_at_once_and_a_second_book_believes_the_first(pages: ModuleType, tmp_path: Path) -> None:
    again = pages.Guestbook(str(tmp_path / "book"))
    assert again.secret() == pages.book.secret()

    def add(number: int) -> int:
        book = (pages.book, again)[number % 2]
        try:
            return int(book.add(f"n{number}", "x", ""))
        finally:
            book._connection.close()
            del book._mine.connection

    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(add, range(60)))
    assert sorted(numbers) == list(range(1, 61))
