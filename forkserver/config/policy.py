"""What a section may say beside its kind: who may come in, how often, and how answers are dressed.

The options that every mount has, whatever is hosted there.  Knows how they are written and nothing of how they are
kept; that is the room `policy`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from forkserver.config.converters import boolean, existing_file, integer, listing, optional, pieces, quoted, size, text
from forkserver.config.networks import trusted
from forkserver.config.options import MANY, option

_RATE = re.compile(r"([0-9]{1,9})[ ]*/[ ]*(s|m|h)")
_PERIODS = {"s": 1, "m": 60, "h": 3600}
_CHANGE = re.compile(r"(?P<sign>[-+]?)(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?P<colon>:?)[ \t]*(?P<value>.*)")
_CODINGS = ("zstd", "br", "gzip")


class Rate(NamedTuple):
    """So many requests in so long."""

    requests: int
    period: int  # seconds

    def __str__(self) -> str:
        unit = next(unit for unit, seconds in _PERIODS.items() if seconds == self.period)
        return f"{self.requests}/{unit}"


def rate(text: str, folder: str) -> Rate | None:
    """`10/s`, `100/m` or `1000/h`; None for nothing."""
    if not text:
        return None
    found = _RATE.fullmatch(text)
    if not found or not int(found[1]):
        raise ValueError(f"{quoted(text)} is not a rate such as 10/s, 100/m or 1000/h")
    return Rate(int(found[1]), _PERIODS[found[2]])


class Change(NamedTuple):
    """What is done to one field of an answer: set, added beside others of its name ("+"), or removed ("-")."""

    sign: str
    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.sign}{self.name}: {self.value}" if self.sign != "-" else f"-{self.name}"


def changes(text: str, folder: str) -> tuple[Change, ...]:
    """One change a line: `Name: value`, `+Name: value` or `-Name`."""
    return tuple(_change(line) for line in text.split("\n") if line)


def _change(line: str) -> Change:
    found = _CHANGE.fullmatch(line)
    if not found or (found["sign"] == "-") is bool(found["colon"]):
        raise ValueError(f"{quoted(line)} is neither Name: value, nor +Name: value to add it, nor -Name to remove it")
    return Change(found["sign"], found["name"], found["value"].rstrip())


def changes_text(given: tuple[Change, ...]) -> str:
    return "\n".join(map(str, given))


def codings(text: str, folder: str) -> tuple[str, ...]:
    """`yes`, `no`, or some of zstd, br and gzip; of `yes` those that this installation has are meant."""
    words = pieces(text)
    if words in (["yes"], ["no"]):
        return tuple(words) if words == ["yes"] else ()
    for word in words:
        if word not in _CODINGS:
            raise ValueError(f"{quoted(word)} is neither yes nor no, nor a list of {', '.join(_CODINGS)}")
    return tuple(dict.fromkeys(words))


def codings_text(given: tuple[str, ...]) -> str:
    return ", ".join(given) or "no"


def page(status: int) -> str:
    """The option `error_STATUS`."""
    return option("", optional(existing_file), f"File to show in place of the server's own page for a {status}.")


@dataclass(frozen=True)
class PolicyOptions:
    """The options of every section that mounts something."""

    allow: tuple[str, ...] = option(
        "",
        listing(trusted),
        "Clients that may come in: addresses, networks such as 10.0.0.0/8, unix: for whoever comes by a unix socket; "
        "all others get 403. Empty: everybody. Where both allow and deny know a client, the smaller network decides.",
    )
    deny: tuple[str, ...] = option("", listing(trusted), "Clients that get 403: addresses and networks, as for allow.")
    auth: str = option(
        "",
        optional(existing_file),
        "File of users and passwords as htpasswd writes it (bcrypt, apr1, SHA): who does not give one of them gets "
        "401. Needs forkserverd[auth].",
    )
    auth_realm: str = option("Restricted", text, "What a browser calls the place when it asks for the password.")
    rate: Rate | None = option(  # noqa: RUF009 - declares the field
        "",
        rate,
        "Requests of one client's address to all workers together: 10/s, 100/m or 1000/h; beyond, 429. Empty: any.",
        write=lambda given: str(given or ""),
    )
    rate_burst: int = option(
        "0", integer(0, MANY), "Requests that may come at once after a rest; 0: as many as rate names."
    )
    headers: tuple[Change, ...] = option(
        "",
        changes,
        "Fields of every answer, one a line: Name: value sets it, +Name: value adds another one, -Name removes it.",
        write=changes_text,
    )
    compress: tuple[str, ...] = option(
        "no",
        codings,
        "Whether answers are compressed for clients that can take it: no, yes, or some of zstd, br and gzip. "
        "zstd and br need forkserverd[compress].",
        write=codings_text,
    )
    compress_types: tuple[str, ...] = option(
        "text/*, application/javascript, application/json, application/xml, application/*+json, application/*+xml, "
        "application/wasm, image/svg+xml, image/bmp, image/x-icon, image/vnd.microsoft.icon, font/ttf, font/otf",
        listing(text),
        "Media types that are worth it; a star stands for any part.",
    )
    compress_least: int = option("1k", size, "Bytes that a body must have to be compressed, where that is known.")
    access_log: bool = option("yes", boolean, "Whether requests to this mount are written to the access log.")
    error_400: str = page(400)
    error_401: str = page(401)
    error_403: str = page(403)
    error_404: str = page(404)
    error_405: str = page(405)
    error_413: str = page(413)
    error_429: str = page(429)
    error_500: str = page(500)
    error_502: str = page(502)
    error_503: str = page(503)
    error_504: str = page(504)

    @property
    def pages(self) -> Mapping[int, str]:
        """Paths of error pages by status."""
        named = {one.name: getattr(self, one.name) for one in fields(self) if one.name.startswith("error_")}
        return {int(name.removeprefix("error_")): path for name, path in named.items() if path}
