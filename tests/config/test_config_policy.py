"""What every section may say beside its kind: read, shown, compared, and complained of."""

from __future__ import annotations

import pytest
from fakekinds import KINDS, made, refused

from forkserver.config.describe import diff, show
from forkserver.config.options import declared
from forkserver.config.policy import Change, PolicyOptions, Rate

SECTION = "[/]\nredirect = /a\n"


def policy(text: str, name: str = "server.ini") -> PolicyOptions:
    return made(SECTION + text, name).mounts[0].policy


def test_without_a_word_there_is_no_rule() -> None:
    assert policy("") == PolicyOptions()
    assert PolicyOptions().pages == {}


def test_no_kind_has_an_option_of_that_name() -> None:
    from forkserver.apps import KINDS as SHIPPED  # noqa: PLC0415 - beside those of the tests

    common = declared(PolicyOptions).keys()
    mounted = {name: kind for name, kind in {**KINDS, **SHIPPED}.items() if not getattr(kind, "transports", ())}
    assert [name for name, kind in mounted.items() if common & declared(kind.Options).keys()] == []


def test_all_of_them(tmp_path) -> None:
    (tmp_path / "page.html").write_text("")
    found = policy(
        "allow = 10.0.0.0/8, unix:\ndeny = ::1\nauth = page.html\nauth_realm = a  place\nrate = 100 / m\n"
        "rate_burst = 7\nheaders =\n    A: b; c\n    -D\ncompress = gzip, br\ncompress_types = text/*\n"
        "compress_least = 2k\naccess_log = no\nerror_404 = page.html\nerror_500 = page.html\n",
        str(tmp_path / "server.ini"),
    )
    page = str(tmp_path / "page.html")
    assert (found.allow, found.deny) == (("10.0.0.0/8", "unix:"), ("::1",))
    assert (found.auth, found.auth_realm) == (page, "a  place")
    assert (found.rate, found.rate_burst) == (Rate(100, 60), 7)
    assert found.headers == (Change("", "A", "b; c"), Change("-", "D", ""))
    assert (found.compress, found.compress_types, found.compress_least) == (("gzip", "br"), ("text/*",), 2048)
    assert found.access_log is False
    assert found.pages == {404: page, 500: page}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("allow = 10.0.0.1/8", 'server.ini:3: [/] allow: "10.0.0.1/8" is neither an address nor a network'),
        ("rate = 10", 'server.ini:3: [/] rate: "10" is not a rate such as 10/s'),
        ("rate = 0/s", 'server.ini:3: [/] rate: "0/s" is not a rate'),
        ("headers = X", 'server.ini:3: [/] headers: "X" is neither Name: value, nor'),
        (
            "compress = deflate",
            'server.ini:3: [/] compress: "deflate" is neither yes nor no, nor a list of zstd, br, gzip',
        ),
        ("compress = yes, gzip", 'server.ini:3: [/] compress: "yes" is neither yes nor no'),
        ("error_404 = none.html", "server.ini:3: [/] error_404: no such file: "),
        ("error_404 = /", "server.ini:3: [/] error_404: not a file: /"),
        ("error_418 = x", "server.ini:3: [/] error_418: unknown option; did you mean error_41"),
        ("alow = ::1", "server.ini:3: [/] alow: unknown option; did you mean allow?"),
    ],
)
def test_complaints(text: str, complaint: str) -> None:
    (told,) = refused(SECTION + text + "\n")
    assert told.startswith(complaint)


def test_what_is_given_is_shown_and_can_be_parsed_again() -> None:
    text = SECTION + "rate = 9/h\nheaders =\n    A: b \\; c\n    +D: \\# e\n    -F\ncompress = yes\nallow = ::1\n"
    config = made(text)
    shown = show(config)
    assert made(shown) == config
    assert "rate = 9/h" in shown
    assert "rate_burst" not in shown


def test_differences_are_told() -> None:
    new = made(SECTION + "rate = 9/h\nheaders =\n    A: b\n    -C\n")
    assert diff(made(SECTION), new) == ['[/] rate: "" -> 9/h', '[/] headers: "" -> A: b, -C']
