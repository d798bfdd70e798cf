"""Whether another site has a visitor's browser change something here (cross-site request forgery).

Browsers say where a request comes from, in Sec-Fetch-Site (Fetch Metadata) or in Origin (RFC 6454 section 7), and no
page can make them lie.  So there is no token that every form would have to carry; that session cookies are SameSite=Lax
is a second wall.  What sends neither is no browser, and has no cookies of a visitor's.  Knows header fields alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110 section 9.2.1: these change nothing


def is_foreign(method: str, fields: Mapping[str, str], host: str, trusted: Collection[str]) -> bool:
    """Whether a request that may change something was caused by a page of another origin.

    `fields` by lower-case name; `host` as the request names it; `trusted` are origins such as `https://example.org`
    which may all the same, or "*".
    """
    if method in SAFE or "*" in trusted:
        return False
    origin = fields.get("origin", "")
    if origin in trusted:
        return False
    site = fields.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")  # none: typed, or from a bookmark
    # Without the scheme: a proxy that nobody told us to trust may have taken TLS off.
    return bool(origin) and origin.partition("://")[2].lower() != host.lower()
