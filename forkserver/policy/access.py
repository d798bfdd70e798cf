"""Who may come in, by address.

Knows networks; knows nothing of requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from forkserver.http.memo import Memo
from forkserver.http.trust import UNIX, UNIX_PEER, plain


class Access:
    """The rule of one mount: `address in access`."""

    def __init__(self, allow: Iterable[str], deny: Iterable[str]) -> None:
        """Both are addresses and networks without host bits, IPv4 and IPv6, and "unix:".

        The smallest network that knows a client decides.  Whom none knows may come in unless there is a list of those
        who may.  ValueError for what stands in both.
        """
        allowed, denied = set(allow), set(deny)
        if both := sorted(allowed & denied):
            raise ValueError(f"allow and deny both name {both[0]}")
        self._stranger = not allowed
        self._unix = UNIX in allowed or (self._stranger and UNIX not in denied)
        rules: list[tuple[IPv4Network | IPv6Network, bool]] = [
            (ip_network(word), word in allowed) for word in allowed | denied if word != UNIX
        ]
        self._rules = sorted(rules, key=lambda rule: rule[0].prefixlen, reverse=True)
        self._known: Memo[str, bool] = Memo(2048, 64 << 10)

    def __contains__(self, client: str) -> bool:
        """Whether `client` may come in: an address as the kernel writes it, or "unix"."""
        known = self._known.get(client)
        if known is None:
            known = self._ask(client)
            self._known.put(client, known)
        return known

    def _ask(self, client: str) -> bool:
        if client == UNIX_PEER:
            return self._unix
        found = plain(ip_address(client))
        return next((allowed for network, allowed in self._rules if found in network), self._stranger)
