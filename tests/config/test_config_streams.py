"""Sections of streams: how they are named, what may stand in them, and which addresses they may have."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from fakekinds import KINDS

from forkserver.config import Config, ConfigError, describe, parse
from forkserver.config.addresses import Address
from forkserver.config.options import integer, option, text


class Spoken:
    transports = ("tcp", "udp")

    @dataclass(frozen=True)
    class Options:
        spoken: str = option(None, text, "What is said.")
        at_once: int = option("8", integer(1, 99), "How many speak.")


class Streamed:
    transports = ("tcp",)

    @dataclass(frozen=True)
    class Options:
        streamed: str = option(None, text, "What flows.")


BOTH = {**KINDS, "spoken": Spoken, "streamed": Streamed}


def made(text: str) -> Config:
    return parse(text, "/etc/server.ini", BOTH, environ={})


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        made(text)
    return str(caught.value).replace("/etc/server.ini:", "").splitlines()


def test_streams_beside_mounts():
    config = made("[tcp :7000]\nspoken = a\n[/]\nredirect = /x\n[udp 127.0.0.1:7000]\nspoken = b\nat_once = 3\n")
    assert [(one.name, one.kind, one.options, one.origin) for one in config.streams] == [
        ("tcp 0.0.0.0:7000, [::]:7000", "spoken", Spoken.Options("a"), "/etc/server.ini:1"),
        ("udp 127.0.0.1:7000", "spoken", Spoken.Options("b", 3), "/etc/server.ini:5"),
    ]
    assert [address.place for address in config.addresses] == [
        *("127.0.0.1:8080", "0.0.0.0:7000", "[::]:7000", "udp 127.0.0.1:7000"),
    ]
    assert config.origins["udp 127.0.0.1:7000", "at_once"] == "/etc/server.ini:7"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("tcp [::1]:70", Address("[::1]:70", "tcp6", host="::1", port=70)),
        ("udp\t[::1]:70", Address("[::1]:70", "tcp6", host="::1", port=70, datagram=True)),
        ("tcp  unix:run/x.sock", Address("unix:/etc/run/x.sock", "unix", path="/etc/run/x.sock")),
        ("udp systemd:time", Address("systemd:time", "systemd", name="time", datagram=True)),
    ],
)
def test_addresses_are_written_as_for_listen(name, address):
    (stream,) = made(f"[{name}]\nspoken = a\n").streams
    assert stream.addresses == (address,)


def test_with_streams_alone_nothing_speaks_http_unless_it_is_asked_for():
    alone = "[tcp 127.0.0.1:7000]\nspoken = a\n"
    assert made(alone).server.listen == ()
    assert [str(one) for one in made("[server]\nlisten = 127.0.0.1:81\n" + alone).server.listen] == ["127.0.0.1:81"]
    assert made("[server]\nlisten = none\n[/]\nredirect = /\n").server.listen == ()


PROXY = (
    "1: [tcp 127.0.0.1:1 proxy]: 127.0.0.1:1: the PROXY protocol is understood where HTTP is spoken, and nowhere else"
)


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("[tcp]\nspoken = a\n", ["1: [tcp]: an address is expected, such as :8080 or 127.0.0.1:8080"]),
        ("[tcp 70]\nspoken = a\n", ['1: [tcp 70]: "70" is not an address; did you mean :70?']),
        (
            "[udp x:1]\n",
            ['1: [udp x:1]: "x" is not an IP address; names are not looked up; give the address itself, or localhost'],
        ),
        (
            "[tcp 127.0.0.1:1 proxy]\nspoken = a\n",
            [PROXY],
        ),
        ("[tcp :1]\n", ["1: [tcp :1]: nothing is served here; give one of spoken, streamed"]),
        ("[udp :1]\n", ["1: [udp :1]: nothing is served here; give one of spoken"]),
        ("[udp :1]\nstreamed = a\n", ["2: [udp :1] streamed: this section cannot serve streamed; it knows spoken"]),
        (
            "[tcp :1]\nredirect = /\n",
            ["2: [tcp :1] redirect: this section cannot serve redirect; it knows spoken, streamed"],
        ),
        ("[/]\nspoken = a\n", ["2: [/] spoken: this section cannot serve spoken; it knows paired, redirect, static"]),
        (
            "[tcp :1]\nspoken = a\nstreamed = b\n",
            ["1: [tcp :1]: spoken and streamed exclude each other; a section serves one thing"],
        ),
        (
            "[tcp 127.0.0.1:1]\nspoken = a\nat_one = 1\n",
            ["3: [tcp 127.0.0.1:1] at_one: unknown option; did you mean at_once?"],
        ),
        (
            "[tcp 127.0.0.1:8080]\nspoken = a\n[/]\nredirect = /\n",
            ["1: [tcp 127.0.0.1:8080]: 127.0.0.1:8080 is taken already, by [server] listen, which has its default"],
        ),
        (
            "[server]\nlisten = :90\n[tcp 127.0.0.1:90]\nspoken = a\n",
            ["3: [tcp 127.0.0.1:90]: 127.0.0.1:90 is taken already, by [server] listen, /etc/server.ini:2"],
        ),
        (
            "[tcp 127.0.0.1:1]\nspoken = a\n[tcp 127.0.0.1:2,127.0.0.1:1]\nspoken = a\n",
            ["3: [tcp 127.0.0.1:2,127.0.0.1:1]: 127.0.0.1:1 is taken already, by /etc/server.ini:1"],
        ),
        (
            "[tcp unix:/x]\nspoken = a\n[udp unix:/x]\nspoken = a\n",
            ["3: [udp unix:/x]: unix:/x is taken already, by /etc/server.ini:1"],
        ),
    ],
)
def test_what_is_wrong_is_told(text, complaints):
    assert refused(text) == [line.replace("/etc/server.ini:", "") for line in complaints]


def test_what_is_shown_is_the_same_again():
    config = made("[tcp :7000]\nspoken = a\n[udp unix:x.sock]\nspoken = b ;c\n[tcp [::1]:9]\nstreamed = x\n")
    shown = describe.show(config)
    assert "[tcp 0.0.0.0:7000, [::]:7000]\nspoken = a   ; /etc/server.ini:2" in shown
    assert made(shown) == config
    assert describe.diff(config, made(shown)) == []


def test_what_changes_is_told():
    old = made("[tcp 127.0.0.1:1]\nspoken = a\n[tcp 127.0.0.1:2]\nspoken = a\n")
    new = made("[tcp 127.0.0.1:1]\nspoken = b\n[udp 127.0.0.1:2]\nspoken = a\n")
    assert describe.diff(old, new) == [
        "[tcp 127.0.0.1:1] spoken: a -> b",
        "[tcp 127.0.0.1:2]: removed, spoken = a",
        "[udp 127.0.0.1:2]: added, spoken = a",
    ]
