"""Where a server listens: addresses as a person writes them, and what each of them means.

Knows the spelling of addresses; opens no socket and asks no name server.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field, replace
from typing import Literal

from forkserver.config.converters import path, pieces, quoted, suggestion

Kind = Literal["tcp4", "tcp6", "unix", "systemd"]

WITH_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*):(?P<port>[0-9]{1,5})")
SYSTEMD_NAME = re.compile(r"[!-9;-~]{1,255}")  # sd_listen_fds_with_names(3): ASCII without controls and colons
UNIX_BYTES = 107  # unix(7): sun_path holds 108 with its closing NUL
HIGHEST_PORT = 65535
SEVERAL = {"": ("0.0.0.0", "[::]"), "localhost": ("127.0.0.1", "[::1]")}  # noqa: S104 - asked for by its writer
WORDS = ("proxy",)  # that may follow an address
EVERY = {"tcp4": "0.0.0.0", "tcp6": "::"}  # noqa: S104 - compared with, not bound


@dataclass(frozen=True)
class Address:
    """One place to listen at; what its kind does not use is empty."""

    text: str  # normalised: "127.0.0.1:8080", "[::1]:8080", "unix:/run/x.sock", "systemd:NAME"
    kind: Kind
    host: str = ""  # tcp: a literal address, without brackets
    port: int = 0  # tcp: 0 lets the kernel choose
    path: str = ""  # unix: absolute
    name: str = ""  # systemd: as in LISTEN_FDNAMES
    optional: bool = field(default=False, compare=False)  # left out where the machine has no such address
    proxy: bool = False  # who connects there says first whose connection it is, by the PROXY protocol
    datagram: bool = False  # datagrams are received there, not connections

    def __str__(self) -> str:
        """As a person writes it; `text` alone is what the kernel binds."""
        return f"{self.text} proxy" if self.proxy else self.text

    @property
    def place(self) -> str:
        """What only one listener can have: connections and datagrams of one port are two things."""
        return f"udp {self.text}" if self.datagram else self.text


def addresses(text: str, folder: str) -> tuple[Address, ...]:
    """A list of addresses, none of which takes what another one has; ValueError with the reason."""
    found: list[Address] = []
    for piece in pieces(text):
        for address in expand(piece, folder):
            refuse_overlap(address, found)
            found.append(address)
    if not found:
        raise ValueError("an address is expected, such as :8080 or 127.0.0.1:8080")
    return tuple(found)


def addresses_or_none(text: str, folder: str) -> tuple[Address, ...]:
    """The same, or no address at all, which is written `none`."""
    return () if text == "none" else addresses(text, folder)


def addresses_text(found: tuple[Address, ...]) -> str:
    """Addresses as `addresses_or_none` reads them."""
    return ", ".join(map(str, found)) or "none"


def expand(piece: str, folder: str) -> tuple[Address, ...]:
    """What one piece means: an address, and the words behind it."""
    address, *words = piece.split()
    for word in words:
        if word not in WORDS:
            why = f"{quoted(word)} is no word that may follow an address, as proxy may"
            raise ValueError(f"{why}{suggestion(word, WORDS)}")
    return tuple(replace(one, proxy="proxy" in words) for one in places(address, folder))


def places(piece: str, folder: str) -> tuple[Address, ...]:
    """`:8080` and `localhost:8080` are an IPv4 address and, where there is IPv6, one of that."""
    scheme, _, rest = piece.partition(":")
    if scheme == "unix":
        return (unix(rest, folder),)
    if scheme == "systemd":
        return (systemd(rest),)
    found = WITH_PORT.fullmatch(piece)
    if not found:
        raise ValueError(f"{quoted(piece)} is not an address; {advice(piece)}")
    host, port = found["host"], int(found["port"])
    if port > HIGHEST_PORT:
        raise ValueError(f"{quoted(piece)}: a port is at most {HIGHEST_PORT}")
    first, *others = [tcp(name, port) for name in SEVERAL.get(host, (host,))]
    return (first, *(replace(other, optional=True) for other in others))


def advice(piece: str) -> str:
    """What the writer of a wrong address probably wanted."""
    if "://" in piece:
        return "write it without the scheme, as 127.0.0.1:8080"
    if piece.isdecimal():
        return f"did you mean :{piece}?"
    if piece.count(":") > 1 and "[" not in piece:
        return "IPv6 stands in brackets, as [::1]:8080"
    if ":" not in piece or piece.endswith("]"):
        return f"a port is missing, as in {piece}:8080"
    return "write :8080, 127.0.0.1:8080, [::1]:8080, unix:PATH or systemd:NAME"


def tcp(host: str, port: int) -> Address:
    """A literal address and a port."""
    if host == "*":
        raise ValueError(f"for every address of this machine, write :{port}")
    try:
        literal = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        hint = "names are not looked up; give the address itself, or localhost"
        raise ValueError(f"{quoted(host)} is not an IP address; {hint}") from None
    if isinstance(literal, ipaddress.IPv4Address):
        if host.startswith("["):
            raise ValueError(f"only IPv6 stands in brackets; write {literal}:{port}")
        return Address(f"{literal}:{port}", "tcp4", host=str(literal), port=port)
    if literal.ipv4_mapped:  # an IPv6 listener takes IPv6 alone, so that 0.0.0.0 and [::] can stand side by side
        raise ValueError(f"write {literal.ipv4_mapped}:{port}")
    return Address(f"[{literal}]:{port}", "tcp6", host=str(literal), port=port)


def unix(text: str, folder: str) -> Address:
    """The path of a unix socket."""
    place = path(text, folder)
    if len(os.fsencode(place)) > UNIX_BYTES:
        raise ValueError(f"the path of a unix socket has at most {UNIX_BYTES} bytes: {place}")
    return Address(f"unix:{place}", "unix", path=place)


def systemd(name: str) -> Address:
    """A socket handed over by systemd, by its FileDescriptorName (systemd.socket(5))."""
    if not SYSTEMD_NAME.fullmatch(name):
        wrong = "is not the name" if name else "lacks the name"
        raise ValueError(f"systemd:{name} {wrong} of a socket, as in systemd:web")
    return Address(f"systemd:{name}", "systemd", name=name)


def refuse_overlap(new: Address, others: list[Address]) -> None:
    """Raise ValueError when the kernel could not bind both."""
    for old in others:
        if new.place == old.place or (new.kind == "unix" and new.path == old.path):
            raise ValueError(f"{new.text} is given twice")
        same_port = new.port == old.port != 0 and new.kind == old.kind and new.datagram == old.datagram
        if same_port and EVERY.get(new.kind) in (new.host, old.host):
            wide, narrow = (new, old) if new.host == EVERY[new.kind] else (old, new)
            raise ValueError(f"{wide.text} contains {narrow.text} already; keep one of them")
