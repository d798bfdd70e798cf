"""The kind that sends everything below its mount elsewhere."""

from __future__ import annotations

import pytest

from forkserver.apps import KINDS, AppError
from forkserver.apps.redirect import Redirect, RedirectOptions

CASES = [  # (redirect, target of the request below /old, Location)
    ("/new", "/old", "/new"),
    ("/new", "/old/", "/new/"),
    ("/new/", "/old", "/new/"),
    ("/new/", "/old/a/b", "/new/a/b"),
    ("/new", "/old/a%2Fb%20c", "/new/a%2Fb%20c"),
    ("/new", "/old/%c3%a9", "/new/%c3%a9"),
    ("/new", "/%6fld/x", "/new/x"),
    ("/new", "/old/a?b=c&d=%2F", "/new/a?b=c&d=%2F"),
    ("/new?from=old", "/old/a?b=c", "/new/a?from=old&b=c"),
    ("/new#part", "/old/a", "/new/a#part"),
    ("https://example.org", "/old", "https://example.org"),
    ("https://example.org", "/old/a?b", "https://example.org/a?b"),
    ("https://example.org/shop/", "/old/a", "https://example.org/shop/a"),
    ("https://example.org", "/old//elsewhere.example/", "https://example.org/elsewhere.example/"),
    ("/", "/old//elsewhere.example/", "/elsewhere.example/"),
    ("/", "/old/\\elsewhere.example/", "/%5Celsewhere.example/"),
    ("/", "/old", "/"),
    ("/new", "/old/%0d%0aSet-Cookie:x", "/new/%0d%0aSet-Cookie:x"),
]


def made(target, **options):
    app = Redirect(RedirectOptions(redirect=target, **options), "/old")
    app.load()
    return app


def test_the_table_of_kinds_knows_it():
    assert KINDS["redirect"] is Redirect


@pytest.mark.parametrize(("target", "asked", "location"), CASES)
def test_the_rest_of_the_path_and_the_query_are_kept(ask, target, asked, location):
    got = ask(made(target), "GET", asked, script="/old")
    assert (got.status, got["Location"], got.body) == (301, location, b"")


def test_a_mount_at_the_root(ask):
    assert (
        ask(made("https://example.org/"), "GET", "//evil.example/x")["Location"] == "https://example.org/evil.example/x"
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_status_is_an_option(ask, status):
    app = made("/new", status=str(status))
    assert ask(app, "POST", "/old/a", script="/old").status == status
    app.close()


@pytest.mark.parametrize(
    "target", ["", "new", "//evil.example", "ftp://x/", "javascript:x", "/a b", "/a\r\nX: y", "https://"]
)
def test_a_target_that_is_none_is_told_when_loading(target):
    with pytest.raises(AppError, match="not a path"):
        made(target)


def test_every_method_is_redirected():
    assert Redirect.methods is None
