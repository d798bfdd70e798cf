"""The listing of a folder, read as a browser would: links, order, escaping."""

from __future__ import annotations

import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.apps import listing
from forkserver.apps.listing import asked_order
from forkserver.apps.listingpage import Entry, Order, human, page


class Page(HTMLParser):
    """The links of a page with their texts, and the tags that it is made of."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(body.decode())
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag == "a":
            self.links.append((dict(attrs)["href"], ""))

    def handle_data(self, data):
        self.text += data
        if self.links and not self.links[-1][1]:
            self.links[-1] = (self.links[-1][0], data)

    @property
    def entries(self) -> list[str]:
        """The links of the lines, without the breadcrumb, the heads and the parent folder."""
        return [href for href, _ in self.links if "?" not in href and not href.startswith("../")]


def spoken(name, folder=False):
    return page("", b"", [Entry(name, folder, 1, 0)], Order("name", False), cut=False)


@pytest.fixture
def shelf(root):
    """A folder with things of all kinds."""
    for name, length, moment in (("b10.txt", 5, 300), ("b9.txt", 5000, 100), ("A.jpg", 50, 200)):
        (root / name).write_bytes(bytes(length))
        os.utime(root / name, (moment, moment))
    for name, moment in (("zoo", 10), ("art", 20)):
        (root / name).mkdir()
        os.utime(root / name, (moment, moment))
    (root / ".secret").write_text("")
    (root / "back\\slash").write_text("")
    (root / "line\nbreak").write_text("")
    (root / "out").symlink_to("..")
    (root / "lost").symlink_to("gone")
    (root / "in").symlink_to("zoo")
    os.utime(root / "zoo", (10, 10))
    os.mkfifo(root / "pipe")
    return root


ORDERS = {
    "": ["art/", "in/", "zoo/", "A.jpg", "b9.txt", "b10.txt"],
    "?sort=name": ["art/", "in/", "zoo/", "A.jpg", "b9.txt", "b10.txt"],
    "?sort=name&order=desc": ["zoo/", "in/", "art/", "b10.txt", "b9.txt", "A.jpg"],
    "?sort=size": ["art/", "in/", "zoo/", "b10.txt", "A.jpg", "b9.txt"],
    "?sort=size&order=desc": ["zoo/", "in/", "art/", "b9.txt", "A.jpg", "b10.txt"],
    "?sort=date": ["in/", "zoo/", "art/", "b9.txt", "A.jpg", "b10.txt"],
    "?sort=date&order=desc": ["art/", "zoo/", "in/", "b10.txt", "A.jpg", "b9.txt"],
    "?sort=colour&order=sideways": ["art/", "in/", "zoo/", "A.jpg", "b9.txt", "b10.txt"],
}


@pytest.mark.parametrize(("query", "expected"), ORDERS.items())
def test_what_may_be_asked_for_is_listed_in_order(ask, site, shelf, query, expected):
    got = ask(site(listing=True), "GET", "/" + query)
    assert got.status == 200
    assert Page(got.body).entries == expected


def test_every_link_leads_somewhere(ask, site, shelf):
    app = site(listing=True)
    for target in ("/", "/zoo/"):
        for href, _ in Page(ask(app, "GET", target).body).links:
            assert ask(app, "GET", urljoin(target, href)).status == 200


def test_it_is_a_page_that_runs_nothing(ask, site, shelf):
    got = ask(site(listing=True), "GET", "/")
    assert got["Content-Type"] == "text/html; charset=utf-8"
    assert got["Content-Security-Policy"].startswith("default-src 'none';")
    assert got["X-Content-Type-Options"] == "nosniff"
    assert got.still is None
    shown = Page(got.body)
    assert "script" not in shown.tags
    assert not [name for name in shown.attributes if name.startswith("on")]
    assert "3 folders, 3 files, 4.9 KiB" in shown.text


def test_the_heads_turn_the_order_round(ask, site, shelf):
    links = [href for href, _ in Page(ask(site(listing=True), "GET", "/?sort=size").body).links]
    assert links[:3] == ["?sort=name", "?sort=size&order=desc", "?sort=date"]
    links = [href for href, _ in Page(ask(site(listing=True), "GET", "/?sort=size&order=desc").body).links]
    assert links[:3] == ["?sort=name", "?sort=size", "?sort=date"]


def test_the_path_is_a_row_of_links(ask, site, root):
    (root / "a b" / "c").mkdir(parents=True)
    shown = Page(ask(site(listing=True), "GET", "/shop/a%20b/c/", script="/shop").body)
    assert shown.links[:2] == [("../../", "shop"), ("../", "a b")]
    assert ("../", "Parent folder") in shown.links
    assert "/shop/a b/c/" in shown.text
    assert "This folder is empty." in shown.text


def test_a_folder_behind_a_link_is_listed(ask, site, shelf):
    (shelf / "zoo" / "lion").write_text("")
    assert Page(ask(site(listing=True), "GET", "/in/").body).entries == ["lion"]


def test_hidden_names_are_listed_where_they_are_served(ask, site, shelf):
    assert ".secret" in Page(ask(site(listing=True, hidden=True), "GET", "/").body).entries


def test_links_out_are_listed_where_they_are_followed(ask, site, shelf):
    assert "out/" in Page(ask(site(listing=True, symlinks="all"), "GET", "/").body).entries
    assert "in/" not in Page(ask(site(listing=True, symlinks="none"), "GET", "/").body).entries


def test_a_folder_that_holds_too_much_is_shown_in_part(ask, site, shelf, monkeypatch):
    monkeypatch.setattr(listing, "MOST", 2)
    shown = Page(ask(site(listing=True), "GET", "/").body)
    assert len(shown.entries) == 2
    assert "Only a part" in shown.text


@pytest.mark.parametrize(
    "name",
    [
        '<script>alert(1)</script>"',
        "'onmouseover='x",
        "&amp;",
        "javascript:alert(1)",
        "http:",
        "?query#fragment",
        "50%",
        "..x",
        "{0}{title}",
        "x y+z",
        "größe 图片",
        "\u202etxt.exe",
    ],
)
def test_a_name_is_only_ever_a_name(name):
    shown = Page(spoken(name.encode()))
    ((href, text),) = [link for link in shown.links if "?" not in link[0]]
    assert text == name
    assert unquote_to_bytes(href) == name.encode()
    assert urljoin("http://host/folder/", href).startswith("http://host/folder/")
    assert "script" not in shown.tags
    assert "onmouseover" not in shown.attributes


@given(st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b"..")))
def test_any_name_survives(name):
    links = [href for href, _ in Page(spoken(name, folder=True)).links if "?" not in href]
    assert [unquote_to_bytes(href) for href in links] == [name + b"/"]


def test_a_name_that_is_not_utf8_can_be_followed(ask, site, root):
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.txt")).write_bytes(b"latin")
    app = site(listing=True)
    (href,) = Page(ask(app, "GET", "/").body).entries
    assert href == "caf%E9.txt"
    assert ask(app, "GET", "/" + href).body == b"latin"


@given(st.text())
def test_any_query_gives_an_order(query):
    assert asked_order(query).key in listing.KEYS


@pytest.mark.parametrize("moment", [-1e18, -1, 0, 1e10, 1e18])
def test_any_date_can_be_shown(moment):
    assert b"<time" in page("", b"", [Entry(b"x", False, 1, moment)], Order("date", True), cut=False)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (10_240, "10 KiB"),
        (1_048_576, "1.0 MiB"),
        (5 * 2**30, "5.0 GiB"),
        (2**70, "1048576 PiB"),
    ],
)
def test_sizes_are_for_people(size, text):
    assert human(size) == text
