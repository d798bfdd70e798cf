"""The kind that sends everything below its mount elsewhere."""

from __future__ import annotations

import pytest

from forkserver.apps import KINDS, AppError
from forkserver.apps.redirect import Redirect, RedirectOptions, patterns

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


PATTERNS = "/([0-9]+)\\.html /posts/$1\n/feed https://feeds.example.org/$host?all\n/(?:a|(b))/.* /c$1$$\n/go(.*) /$1"


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/old/17.html", "/posts/17"),
        ("/old/17.html?x=1", "/posts/17?x=1"),
        ("/old/17.htm", "/new/17.htm"),
        ("/old/feed", "https://feeds.example.org/localhost?all"),
        ("/old/feed?b", "https://feeds.example.org/localhost?all&b"),
        ("/old/a/1", "/c$"),
        ("/old/b/1", "/cb$"),
        ("/old/go//elsewhere.example", "/elsewhere.example"),
        ("/old/go%2f%2felsewhere.example", "/%2f%2felsewhere.example"),
        ("/old", "/new"),
    ],
)
def test_patterns_are_exceptions(ask, target, location):
    app = made("/new", patterns=patterns(PATTERNS, "."))
    assert ask(app, "GET", target, script="/old")["Location"] == location


def test_the_host_that_was_asked_for(ask):
    app = made("https://$host")
    assert ask(app, "GET", "/old/a?b", script="/old")["Location"] == "https://localhost/a?b"


def test_who_asks_for_no_host_is_sent_nowhere(ask):
    app = made("https://$host", patterns=patterns("/a /b", "."))
    assert ask(app, "GET", "/old/c", script="/old", host="").status == 400
    assert ask(app, "GET", "/old/a", script="/old", host="")["Location"] == "/b"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("/a", "not a regular expression and a target"),
        ("/a /b /c", "not a regular expression and a target"),
        ("/(a /b", "no regular expression: missing \\)"),
        ("/(a) /$2", "has no group for \\$2"),
    ],
)
def test_wrong_patterns(line, why):
    with pytest.raises(ValueError, match=why):
        patterns(line, ".")


def test_the_target_of_a_pattern_leads_somewhere():
    with pytest.raises(AppError, match="not a path such as /new"):
        made("/new", patterns=(("/a", "javascript:alert(1)"),))
