"""What a folder answers with: its index, its listing, the way to its slash, or nothing."""

from __future__ import annotations

import pytest


@pytest.fixture
def folders(root):
    """Folders with an index, without one, and with odd names."""
    for name in ("full", "bare", "with space", "50%", "evil.example", "a&b=c"):
        (root / name).mkdir()
    for name in ("full", "with space", "50%", "evil.example", "a&b=c"):
        (root / name / "index.html").write_text(f"index of {name}")
    (root / "index.html").write_text("front")
    return root


def test_a_folder_gives_its_index(ask, site, folders):
    got = ask(site(), "GET", "/full/")
    assert (got.status, got.body, got["Content-Type"]) == (200, b"index of full", "text/html; charset=utf-8")


def test_the_root_gives_its_index(ask, site, folders):
    assert ask(site(), "GET", "/").body == b"front"


def test_the_first_index_found_counts(ask, site, folders):
    (folders / "full" / "start.htm").write_text("start")
    assert ask(site(index=("none.html", "start.htm", "index.html")), "GET", "/full/").body == b"start"


def test_a_folder_called_like_an_index_is_none(ask, site, folders):
    (folders / "bare" / "index.html").mkdir()
    assert ask(site(), "GET", "/bare/").status == 404


@pytest.mark.parametrize(
    ("target", "script", "location"),
    [
        ("/full", "", "/full/"),
        ("/full?a=1&b=%20", "", "/full/?a=1&b=%20"),
        ("/with%20space", "", "/with%20space/"),
        ("/50%25", "", "/50%25/"),
        ("/a&b=c", "", "/a%26b%3Dc/"),
        ("//evil.example", "", "/evil.example/"),
        ("///evil.example", "", "/evil.example/"),
        ("//full", "", "/full/"),
        ("/site/full", "/site", "/site/full/"),
        ("/site//evil.example?x", "/site", "/site/evil.example/?x"),
        ("/site", "/site", "/site/"),
        ("/site?q", "/site", "/site/?q"),
        ("?q", "", "/?q"),
        ('/full?"<\r\nX:y>', "", "/full/?%22%3C%0D%0AX:y%3E"),
    ],
)
def test_the_slash_of_a_folder_is_added(ask, site, folders, target, script, location):
    for method in ("GET", "HEAD"):
        got = ask(site(), method, target, script=script)
        assert (got.status, got["Location"]) == (301, location)


@pytest.mark.parametrize("target", ["/bare", "/bare/"])
def test_a_folder_with_nothing_to_show_is_missing(ask, site, folders, target):
    assert ask(site(), "GET", target).status == 404


def test_a_folder_with_a_listing_has_a_slash_too(ask, site, folders):
    app = site(listing=True)
    assert ask(app, "GET", "/bare")["Location"] == "/bare/"
    assert ask(app, "GET", "/bare/").status == 200


def test_an_index_goes_before_the_listing(ask, site, folders):
    assert ask(site(listing=True), "GET", "/full/").body == b"index of full"
