"""Precompressed neighbours: which coding a client takes, and which files may stand for another."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.apps.codings import SUFFIXES, acceptable

ALL = ("br", "zstd", "gzip")

TAKEN = {
    None: (),
    "": (),
    "gzip": ("gzip",),
    "x-gzip": ("gzip",),
    "GZIP": ("gzip",),
    "gzip, deflate, br, zstd": ALL,
    "br;q=0.5, gzip;q=0.9": ("gzip", "br"),
    "br;q=1.000,gzip ; q=1": ("br", "gzip"),
    "gzip;Q=0.5": ("gzip",),
    "gzip;q=0": (),
    "gzip;q=0.000, br": ("br",),
    "*": ALL,
    "*;q=0": (),
    "*;q=0, gzip": ("gzip",),
    "*;q=0.1, br;q=0": ("zstd", "gzip"),
    "gzip;q=0.3, *;q=0.8": ("br", "zstd"),
    "identity": (),
    "identity;q=1, gzip;q=0.5": (),
    "identity;q=0.5, gzip;q=1": ("gzip",),
    "identity;q=0": (),
    "deflate": (),
    "gzip;q=2, br;q=-1, zstd;q=x": (),
    "gzip;q=0.1234": (),
    "gzip;level=9": (),
    "gzip br": (),
    ",, gzip ,": ("gzip",),
}


@pytest.mark.parametrize(("text", "codings"), TAKEN.items())
def test_what_a_client_takes(text, codings):
    assert acceptable(text) == codings


@given(st.one_of(st.text(), st.lists(st.sampled_from(["gzip", "br", "*", ";q=", "0", ".5", ",", " "])).map("".join)))
def test_any_text_gives_known_codings_once(text):
    codings = acceptable(text)
    assert set(codings) <= set(SUFFIXES)
    assert len(set(codings)) == len(codings)


@pytest.fixture
def packed(root):
    """A style sheet with a neighbour of each coding, as old as itself."""
    for suffix in ("", ".br", ".zst", ".gz"):
        path = root / f"a.css{suffix}"
        path.write_bytes(b"style" + suffix.encode())
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return root


@pytest.mark.parametrize(
    ("accept", "coding", "body"),
    [
        ("gzip", "gzip", b"style.gz"),
        ("br", "br", b"style.br"),
        ("zstd", "zstd", b"style.zst"),
        ("gzip, deflate, br, zstd", "br", b"style.br"),
        ("br;q=0.1, gzip", "gzip", b"style.gz"),
        ("identity", None, b"style"),
        ("gzip;q=0", None, b"style"),
    ],
)
def test_the_neighbour_that_is_liked_best_is_sent(ask, site, packed, accept, coding, body):
    got = ask(site(), "GET", "/a.css", accept_encoding=accept)
    assert (got.status, got["Content-Encoding"], got.body) == (200, coding, body)
    assert got["Content-Type"] == "text/css; charset=utf-8"
    assert got["Vary"] == "Accept-Encoding"


def test_each_has_a_tag_of_its_own(ask, site, packed):
    app = site()
    answers = [ask(app, "GET", "/a.css", accept_encoding=coding) for coding in ("", *ALL)]
    assert len({got["ETag"] for got in answers}) == 4
    again = ask(app, "GET", "/a.css", accept_encoding="br", if_none_match=answers[1]["ETag"])
    assert (again.status, again["Vary"]) == (304, "Accept-Encoding")
    other = ask(app, "GET", "/a.css", accept_encoding="br", if_none_match=answers[0]["ETag"])
    assert other.status == 200


def test_a_range_is_one_of_the_coded_bytes(ask, site, packed):
    got = ask(site(), "GET", "/a.css", accept_encoding="gzip", range="bytes=-3")
    assert (got.status, got["Content-Encoding"], got["Content-Range"], got.body) == (
        206,
        "gzip",
        "bytes 5-7/8",
        b".gz",
    )


def test_a_neighbour_asked_for_by_name_is_a_file_like_others(ask, site, packed):
    got = ask(site(), "GET", "/a.css.gz", accept_encoding="gzip")
    assert (got["Content-Type"], got["Content-Encoding"], got["Vary"]) == ("application/gzip", None, None)


def test_without_neighbours_nothing_varies(ask, site, root):
    (root / "b.css").write_text("b")
    assert ask(site(), "GET", "/b.css", accept_encoding="gzip")["Vary"] is None


def test_the_option_switches_it_off(ask, site, packed):
    got = ask(site(precompressed=False), "GET", "/a.css", accept_encoding="gzip")
    assert (got["Content-Encoding"], got["Vary"], got.body) == (None, None, b"style")


def test_an_index_has_neighbours_too(ask, site, root):
    (root / "index.html").write_text("plain")
    (root / "index.html.gz").write_text("packed")
    assert ask(site(), "GET", "/", accept_encoding="gzip").body == b"packed"


def test_large_neighbours(ask, site, root):
    (root / "a.svg").write_bytes(b"a" * 300_000)
    (root / "a.svg.gz").write_bytes(b"b" * 200_000)
    got = ask(site(), "GET", "/a.svg", accept_encoding="gzip")
    assert (got.body, got.from_file) == (b"b" * 200_000, True)


def older(root):
    os.utime(root / "a.css.gz", (1_600_000_000, 1_600_000_000))


def folder(root):
    (root / "a.css.gz").unlink()
    (root / "a.css.gz").mkdir()


def link_out(root):
    (root.parent / "out.gz").write_text("secret")
    (root / "a.css.gz").unlink()
    (root / "a.css.gz").symlink_to("../out.gz")


def dangling(root):
    (root / "a.css.gz").unlink()
    (root / "a.css.gz").symlink_to("gone")


@pytest.mark.parametrize("spoil", [older, folder, link_out, dangling])
def test_what_may_not_stand_for_the_file(ask, site, packed, spoil):
    spoil(packed)
    assert ask(site(), "GET", "/a.css", accept_encoding="gzip").body == b"style"
