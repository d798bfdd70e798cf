"""Which content codings a client takes, from its Accept-Encoding field (RFC 9110 section 12.5.3).

Knows the field and nothing of how anything is encoded.
"""

from __future__ import annotations

import re
from functools import lru_cache

CODINGS = ("br", "zstd", "gzip")  # the smallest result first

_MEMBER = re.compile(
    r"(?P<coding>[!#$%&'*+.^_`|~0-9A-Za-z-]+)"
    r"(?:[ \t]*;[ \t]*[qQ]=(?P<weight>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?",
    re.ASCII,
)
_ALIASES = {"x-gzip": "gzip"}  # RFC 9110 section 8.4.1.3


@lru_cache(maxsize=512)
def acceptable(text: str | None) -> tuple[str, ...]:
    """The codings of CODINGS that may be sent to a client with Accept-Encoding `text`, the best one first.

    A higher weight goes first; among equal weights the order of CODINGS decides.  What the client likes less
    than the plain file is left out.  Without the field any coding would be allowed, but who does not ask may
    not know how to decode.  Members that break the grammar count for nothing.
    """
    weights = _weights(text or "")
    others = weights.get("*", 0.0)
    plain = weights.get("identity", others)
    offered = {coding: weights.get(coding, others) for coding in CODINGS}
    wanted = [coding for coding, weight in offered.items() if weight > 0 and weight >= plain]
    return tuple(sorted(wanted, key=lambda coding: -offered[coding]))


def _weights(text: str) -> dict[str, float]:
    found = {}
    for member in text.split(","):
        if matched := _MEMBER.fullmatch(member.strip(" \t")):
            coding = matched["coding"].lower()
            found[_ALIASES.get(coding, coding)] = float(matched["weight"] or 1)
    return found
