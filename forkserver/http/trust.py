"""Who is believed when it speaks for others: addresses and networks, compiled to one question.

Knows addresses and their spellings; knows nothing of what is said, of sockets and of names.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from forkserver.http.memo import Memo

UNIX = "unix:"  # among the words: whoever connects to a unix socket
UNIX_PEER = "unix"  # the address of such a client, see `Ends`


def plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The same; an IPv4 address in IPv6 clothes (RFC 4291 section 2.5.5.2) without them."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def spelled(text: str) -> str | None:
    """An IP address in its one usual spelling; None for what is none.

    One with a zone (RFC 4007 section 11) is none: that means something to the machine alone that has the zone.
    """
    try:
        return None if "%" in text else str(plain(ip_address(text)))
    except ValueError:
        return None


class Trust:
    """The peers that are believed: `address in trust`.  True when there are any at all."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        """`words` are addresses and networks without host bits, IPv4 and IPv6, and "unix:"; ValueError for others."""
        given = tuple(words)
        self._networks = tuple(ip_network(word) for word in given if word != UNIX)
        self._known: Memo[str, bool] = Memo(2048, 64 << 10)
        self._unix = UNIX in given
        self._some = bool(given)

    def __bool__(self) -> bool:
        return self._some

    def __contains__(self, peer: str) -> bool:
        """Whether `peer` is believed: an address as the kernel writes it, or "unix"; ValueError for others."""
        known = self._known.find(peer) if self._some else False
        if known is None:
            known = self._ask(peer)
            self._known.put(peer, known)
        return known

    def _ask(self, peer: str) -> bool:
        if peer == UNIX_PEER:
            return self._unix
        found = plain(ip_address(peer))
        return any(found in network for network in self._networks)


NOBODY = Trust()
