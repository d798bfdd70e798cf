"""Who is believed: networks of both families, unix sockets, and the spellings of one address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.http.trust import NOBODY, Trust, spelled

TRUST = Trust(("10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "fe80::/10", "unix:"))


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("10.0.0.1", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("::ffff:10.0.0.1", True),  # of a socket that takes both families
        ("::ffff:11.0.0.1", False),
        ("::10.0.0.1", False),
        ("2001:db8:ffff::1", True),
        ("2001:db9::", False),
        ("fe80::1%eth0", True),
        ("::1", False),
        ("unix", True),
    ],
)
def test_who_is_trusted(peer: str, expected: bool) -> None:
    for _ in range(2):  # found out, and remembered
        assert (peer in TRUST) is expected


def test_nobody_is_trusted_unless_said() -> None:
    assert not NOBODY
    assert "127.0.0.1" not in NOBODY
    assert "unix" not in NOBODY
    assert Trust(("unix:",))
    assert Trust(("127.0.0.1",))
    assert "unix" not in Trust(("127.0.0.1",))


def test_what_is_remembered_is_bounded() -> None:
    trust = Trust(("10.0.0.0/8",))
    for number in range(10_000):
        assert f"10.0.{number >> 8}.{number & 255}" in trust
        assert f"11.0.{number >> 8}.{number & 255}" not in trust
    memo = trust._known
    assert len(memo) + len(memo.old) <= 4096


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("192.0.2.01", None),
        ("192.0.2", None),
        ("192.0.2.256", None),
        ("3221225985", None),
        ("0xc0.0.2.1", None),
        (" 192.0.2.1", None),
        ("192.0.2.1/32", None),
        ("[::1]", None),
        ("fe80::1%eth0", None),
        ("\u0661.0.2.1", None),
        ("unix", None),
        ("", None),
    ],
)
def test_the_one_spelling_of_an_address(text: str, expected: str | None) -> None:
    assert spelled(text) == expected


@given(st.ip_addresses())
def test_an_address_is_trusted_in_a_network_of_itself_alone(address: object) -> None:
    text = spelled(str(address))
    assert text
    assert text in Trust((text,))
    assert text not in Trust(("198.18.5.0/32" if text != "198.18.5.0" else "198.18.5.1",))
