"""What is served at an address of its own, without HTTP: the sections `[tcp ADDRESS]` and `[udp ADDRESS]`.

Knows how such a section is named; knows no kind, and nothing of what is said there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from forkserver.config.addresses import Address, addresses, refuse_overlap

STREAM = re.compile(r"(tcp|udp)(?:[ \t]+(.*))?")


@dataclass(frozen=True)
class Stream:
    """One section: something that is served at some addresses."""

    transport: str  # "tcp" or "udp"
    addresses: tuple[Address, ...]
    kind: str
    options: Any  # an instance of its kind's `Options`
    origin: str = field(default="", compare=False)  # file:line

    @property
    def name(self) -> str:
        """The name of the section: `tcp 0.0.0.0:7000, [::]:7000`."""
        return f"{self.transport} {', '.join(address.text for address in self.addresses)}"


def is_stream(name: str) -> bool:
    """Whether a section of this name is one of a stream, be it well written or not."""
    return STREAM.fullmatch(name) is not None


def place_of(name: str, folder: str) -> tuple[str, tuple[Address, ...]]:
    """Transport and addresses of a stream's section; ValueError with the reason."""
    transport, text = STREAM.fullmatch(name).groups("")  # type: ignore[union-attr]  # as `is_stream` has it
    found = addresses(text, folder)
    if spoken := [address for address in found if address.proxy]:
        raise ValueError(f"{spoken[0].text}: the PROXY protocol is understood where HTTP is spoken, and nowhere else")
    return transport, tuple(replace(address, datagram=transport == "udp") for address in found)


def refuse_taken(wanted: Iterable[Address], taken: Iterable[tuple[Address, str]]) -> None:
    """ValueError when one of the addresses cannot be bound beside those that are `taken`, each with who has it."""
    for address in wanted:
        for other, owner in taken:
            try:
                refuse_overlap(address, [other])
            except ValueError:
                raise ValueError(f"{address.text} is taken already, by {owner}") from None
