"""Cookies: what a client sends back, and what it is given (RFC 6265).

Knows their grammar; nothing of requests and responses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# RFC 6265 section 4.1.1, and token of RFC 9110 section 5.6.2
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_ATTRIBUTE = re.compile(r"[\x20-\x3a\x3c-\x7e]*")  # of Path and Domain: any character but controls and ";"
SAME_SITE = ("Lax", "Strict", "None")
LARGEST = 4096  # bytes of name, value and attributes that browsers keep at least (RFC 6265 section 6.1)


def parse(lines: Iterable[str]) -> dict[str, str]:
    """The cookies of Cookie field lines (RFC 6265 section 4.2.1).

    Of several with one name the first counts: browsers send the one for the longer path first.  What breaks the grammar
    is left out, since whoever set it was not us.
    """
    found: dict[str, str] = {}
    for line in lines:
        for pair in line.split(";"):
            name, equals, value = pair.strip(" \t").partition("=")
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            if equals and _NAME.fullmatch(name) and _VALUE.fullmatch(value):
                found.setdefault(name, value)
    return found


@dataclass(frozen=True)
class Cookie:
    """A cookie to be set; what is None depends on the request that it answers."""

    name: str
    value: str
    max_age: int | None = None  # seconds; None: as long as the browser runs; 0: forget it
    path: str | None = None  # None: below the site's mount
    domain: str = ""  # "": this very host alone
    secure: bool | None = None  # None: when the request came by https
    http_only: bool = True  # no script may read it
    same_site: str = "Lax"  # sent with requests that other sites cause: "Strict" none, "Lax" links, "None" all

    def __post_init__(self) -> None:
        """ValueError for what cannot be sent."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot be the name of a cookie")
        if not _VALUE.fullmatch(self.value):
            raise ValueError(
                f"the value of the cookie {self.name} has a character that cookies cannot have, such as a space, a "
                "comma or an umlaut; urllib.parse.quote encodes it"
            )
        for text in (self.path or "", self.domain):
            if not _ATTRIBUTE.fullmatch(text):
                raise ValueError(f"{text!r} cannot be an attribute of the cookie {self.name}")
        if self.same_site not in SAME_SITE:
            raise ValueError(f"SameSite is one of {', '.join(SAME_SITE)}, not {self.same_site!r}")

    def line(self, *, https: bool, path: str) -> str:
        """The value of a Set-Cookie field for a request that came by https or not, to a site below `path`."""
        secure = (https or self.same_site == "None") if self.secure is None else self.secure
        parts = (
            f"{self.name}={self.value}",
            f"Path={self.path or path}",
            f"Domain={self.domain}" if self.domain else "",
            f"Max-Age={self.max_age:d}" if self.max_age is not None else "",
            "HttpOnly" if self.http_only else "",
            "Secure" if secure else "",
            f"SameSite={self.same_site}",
        )
        line = "; ".join(filter(None, parts))
        if len(line) > LARGEST:
            raise ValueError(f"the cookie {self.name} has {len(line)} bytes, and browsers keep {LARGEST}")
        return line
