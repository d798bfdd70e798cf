"""Whom a server believes: addresses and networks as a person writes them.

Knows their spelling; knows nothing of what is believed, and asks no name server.
"""

from __future__ import annotations

import ipaddress
import re

from forkserver.config.converters import quoted

UNIX = "unix:"
WITH_PORT = re.compile(r"([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]+")
EVERYBODY = "0.0.0.0/0, ::/0"


def trusted(text: str, folder: str) -> str:
    """One address or network, normalised, or `unix:`; ValueError with the reason."""
    if text == UNIX:
        return text
    try:
        found = ipaddress.ip_network(text if "%" not in text else "")  # a zone is of no account here
    except ValueError:
        raise ValueError(f"{quoted(text)} is neither an address nor a network; {advice(text)}") from None
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= 96 and found.network_address.ipv4_mapped:
        narrow = ipaddress.IPv4Network((found.network_address.ipv4_mapped, found.prefixlen - 96))
        raise ValueError(f"write {short(narrow)}")
    return short(found)


def short(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    """A network of one address as that address."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def advice(text: str) -> str:
    """What the writer of a wrong one probably wanted."""
    if text.startswith("unix"):
        return "whoever connects to a unix socket is written unix:"
    if text == "*":
        return f"whoever connects could be anybody then; write {EVERYBODY} if that is meant"
    if text == "localhost":
        return "names are not looked up; write 127.0.0.1, ::1"
    if found := WITH_PORT.fullmatch(text):
        return f"a port does not matter here; write {found[1].strip('[]')}"
    try:
        meant = ipaddress.ip_network(text.strip("[]").partition("%")[0], strict=False)
    except ValueError:
        return "write 127.0.0.1, ::1, 10.0.0.0/8 or unix:; names are not looked up"
    return f"did you mean {short(meant)}?"
