"""Who may come in by address: the smallest network decides."""

from __future__ import annotations

import pytest

from forkserver.policy.access import Access


@pytest.mark.parametrize(
    ("allow", "deny", "inside", "outside"),
    [
        ("10.0.0.0/8", "", "10.1.2.3 ::ffff:10.1.2.3", "11.0.0.1 ::1 unix"),
        ("", "10.0.0.0/8", "11.0.0.1 ::1 unix", "10.1.2.3 ::ffff:10.1.2.3"),
        ("10.0.0.5", "10.0.0.0/8", "10.0.0.5", "10.0.0.4 11.0.0.1"),
        ("10.0.0.0/8", "10.0.0.5", "10.0.0.4", "10.0.0.5 11.0.0.1"),
        ("0.0.0.0/0 ::/0", "10.0.0.0/8", "11.0.0.1 2001:db8::1", "10.0.0.4 unix"),
        ("unix: 2001:db8::/32", "", "unix 2001:db8::7", "127.0.0.1 2001:db9::1"),
        ("", "unix:", "127.0.0.1", "unix"),
    ],
)
def test_the_smallest_network_decides(allow: str, deny: str, inside: str, outside: str) -> None:
    access = Access(allow.split(), deny.split())
    for _ in range(2):  # asked for the first time, and known
        assert [client for client in inside.split() if client not in access] == []
        assert [client for client in outside.split() if client in access] == []


def test_nobody_is_in_both_lists() -> None:
    with pytest.raises(ValueError, match=r"allow and deny both name 10\.0\.0\.0/8"):
        Access(["10.0.0.0/8", "::1"], ["10.0.0.0/8"])
