"""Whom a server believes: every spelling, and what the writer of a wrong one is told."""

from __future__ import annotations

import pytest

from forkserver.config.build import ConfigError, parse
from forkserver.config.describe import show
from forkserver.config.networks import trusted
from forkserver.http.trust import UNIX, Trust
from tests.config.fakekinds import KINDS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("10.0.0.1/32", "10.0.0.1"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::1", "::1"),
        ("2001:DB8:0::/32", "2001:db8::/32"),
        ("::/0", "::/0"),
        ("unix:", "unix:"),
    ],
)
def test_one_of_them(text, expected):
    assert trusted(text, "") == expected
    assert Trust((expected,))


def test_the_word_for_unix_sockets_is_the_same_on_both_sides():
    assert trusted("unix:", "") == UNIX


NEITHER = "is neither an address nor a network"
EXAMPLES = "write 127.0.0.1, ::1, 10.0.0.0/8 or unix:; names are not looked up"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10.0.0.1/8", f'"10.0.0.1/8" {NEITHER}; did you mean 10.0.0.0/8?'),
        ("[::1]", f'"[::1]" {NEITHER}; did you mean ::1?'),
        ("fe80::1%eth0", f'"fe80::1%eth0" {NEITHER}; did you mean fe80::1?'),
        ("127.0.0.1:80", f'"127.0.0.1:80" {NEITHER}; a port does not matter here; write 127.0.0.1'),
        ("[::1]:80", f'"[::1]:80" {NEITHER}; a port does not matter here; write ::1'),
        ("unix", f'"unix" {NEITHER}; whoever connects to a unix socket is written unix:'),
        ("unix:/run/x", f'"unix:/run/x" {NEITHER}; whoever connects to a unix socket is written unix:'),
        ("localhost", f'"localhost" {NEITHER}; names are not looked up; write 127.0.0.1, ::1'),
        ("*", f'"*" {NEITHER}; whoever connects could be anybody then; write 0.0.0.0/0, ::/0 if that is meant'),
        ("::ffff:10.0.0.0/104", "write 10.0.0.0/8"),
        ("::ffff:192.0.2.1", "write 192.0.2.1"),
        ("cdn.example.org", f'"cdn.example.org" {NEITHER}; {EXAMPLES}'),
        ("10.0.0.0/33", f'"10.0.0.0/33" {NEITHER}; {EXAMPLES}'),
        ("10.0.0.0/ 8", f'"10.0.0.0/ 8" {NEITHER}; {EXAMPLES}'),
    ],
)
def test_wrong_ones(text, reason):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        trusted(text, "")
    assert str(caught.value) == reason


def complaints(*lines):
    with pytest.raises(ConfigError) as caught:
        parse("\n".join(["[server]", *lines]), "/etc/server.ini", KINDS)
    return str(caught.value).splitlines()


def test_nobody_is_trusted_unless_said():
    assert parse("", "/etc/server.ini", KINDS).server.trusted == ()


def test_it_is_shown_as_it_is_read():
    text = "[server]\ntrusted = 10.0.0.0/8,\n 2001:db8::/32, unix:\nlisten = :80 proxy, unix:/run/x proxy\n"
    config = parse(text, "/etc/server.ini", KINDS)
    assert config.server.trusted == ("10.0.0.0/8", "2001:db8::/32", "unix:")
    shown = show(config)
    assert "trusted = 10.0.0.0/8, 2001:db8::/32, unix:" in shown
    assert "listen = 0.0.0.0:80 proxy, [::]:80 proxy, unix:/run/x proxy" in shown
    assert parse(shown, "/etc/server.ini", KINDS) == config


def test_where_a_proxy_speaks_somebody_must_be_trusted():
    why = "only who is trusted may connect there, and nobody is; name your proxies, as trusted = 10.0.0.0/8"
    assert complaints("workers = 1", "listen = :80, 127.0.0.1:81 proxy") == [
        f"/etc/server.ini:3: [server] listen: 127.0.0.1:81 proxy: {why}"
    ]


def test_one_mistake_is_not_told_twice():
    assert complaints("listen = 127.0.0.1:81 proxy", "trusted = 10.0.0.1/8") == [
        f'/etc/server.ini:3: [server] trusted: "10.0.0.1/8" {NEITHER}; did you mean 10.0.0.0/8?'
    ]
