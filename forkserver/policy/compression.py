"""Answers made smaller on their way, for clients that can decode them (RFC 9110 sections 8.4 and 12.5.3).

Knows which answers are worth it and what becomes of their fields; how bytes are encoded is known to `encoders.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import translate
from functools import partial

from forkserver.http.codings import CODINGS, acceptable
from forkserver.http.request import Head
from forkserver.http.response import Fields, FileSlice, Response, value_of, without
from forkserver.policy.encoders import ENCODERS, Encoder, available

Encode = Callable[[Iterable[bytes]], Iterator[bytes]]

AT_ONCE = 256 << 10  # bytes of a body that is encoded whole, so that its length is known
_VARY = "Accept-Encoding"
_PLAIN = ("Content-MD5", "Digest", "Content-Digest", "Repr-Digest", "Accept-Ranges")  # of the plain representation
_NO_TRANSFORM = re.compile(r"(?:^|[ ,])no-transform(?:$|[ ,])", re.IGNORECASE)


class Compression:
    """The rule of one mount."""

    def __init__(self, codings: Sequence[str], types: Iterable[str], least: int) -> None:
        """`codings` as in the option: ("yes",) for all that there are.  ValueError for one that is not there.

        `types` are media types with stars; `least` bytes a body must have, where that is known.
        """
        wanted = [coding for coding in CODINGS if available(coding)] if tuple(codings) == ("yes",) else codings
        if missing := [coding for coding in wanted if not available(coding)]:
            raise ValueError(f"{missing[0]} needs a library that is not here: pip install forkserverd[compress]")
        self._codings = frozenset(wanted)
        self._type = re.compile("|".join(map(translate, types)) or r"\Z.", re.IGNORECASE)
        self._least = least

    def __call__(self, head: Head, response: Response, *, flows: bool) -> Encode | None:
        """See to it that `response` is encoded, if that is worth it; its fields are changed in place.

        A small body is encoded here; for any other what is given makes encoded pieces of plain ones, where b"" stands
        for nothing at present.  `flows`: the response's own body is not what will be sent.
        """
        if not self._suits(response):
            return None
        response.fields = _varying(response.fields)
        coding = self._chosen(head)
        length = response.length if flows else _length(response)
        if not coding or (length is not None and length < self._least and response.status != 304):
            return None
        response.fields = _weakened(response.fields)
        if response.status == 304:
            return None
        response.fields = (*without(response.fields, *_PLAIN), ("Content-Encoding", coding))
        encoder, body = ENCODERS[coding](), response.body
        if isinstance(body, bytes) and len(body) == length and length <= AT_ONCE and not flows:
            response.body, response.length = encoder.feed(body) + encoder.finish(), None
            return None
        return partial(_encoded, encoder)

    def _suits(self, response: Response) -> bool:
        """Whether answers of this kind are encoded for those who ask for it."""
        fields = response.fields
        if response.status == 304:  # what holds of it holds of the answer that the client has (RFC 9110 section 15.4.5)
            return True
        if response.status < 200 or response.status in (204, 205, 206):
            return False
        if value_of(fields, "content-encoding") or value_of(fields, "content-range"):
            return False
        if _NO_TRANSFORM.search(value_of(fields, "cache-control") or ""):  # RFC 9111 section 5.2.2.6
            return False
        media_type = (value_of(fields, "content-type") or "").partition(";")[0].strip()
        return self._type.fullmatch(media_type) is not None

    def _chosen(self, head: Head) -> str:
        wanted = acceptable(head.fields.values.get("accept-encoding"))
        return next((coding for coding in wanted if coding in self._codings), "")


def _length(response: Response) -> int | None:
    """Bytes of a body that is at hand."""
    body = response.body
    if response.length is None and isinstance(body, (bytes, FileSlice, tuple)):
        parts = body if isinstance(body, tuple) else (body,)
        return sum(len(part) if isinstance(part, bytes) else part.length for part in parts)
    return response.length


def _varying(fields: Fields) -> Fields:
    """With Accept-Encoding in Vary (RFC 9110 section 12.5.5)."""
    vary = value_of(fields, "vary")
    if vary and (vary.strip() == "*" or _VARY.lower() in map(str.strip, vary.lower().split(","))):
        return fields
    return (*without(fields, "vary"), ("Vary", f"{vary}, {_VARY}" if vary else _VARY))


def _weakened(fields: Fields) -> Fields:
    """With an entity tag that does not promise the same bytes (RFC 9110 section 8.8.1)."""
    return tuple(
        (name, f"W/{value}") if name.lower() == "etag" and not value.startswith("W/") else (name, value)
        for name, value in fields
    )


def _encoded(encoder: Encoder, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces, encoded; before there is nothing at present, all that there was goes out."""
    held = False
    for piece in pieces:
        if piece:
            made = encoder.feed(piece)
            held = True
        else:
            made = encoder.flush() if held else b""
            held = False
        if made or not piece:
            yield made
    yield encoder.finish()
