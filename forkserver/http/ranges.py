"""Which bytes a Range field asks for, and the frame around several of them (RFC 9110 section 14).

Pure arithmetic on text and sizes; knows nothing of files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

MOST = 16  # ranges answered one by one; whoever asks for more gets the whole
UNSORTED = 4  # ranges that may stand in any order; more must ascend

_RANGES = re.compile(r"bytes=([\d \t,-]+)", re.ASCII | re.IGNORECASE)
_RANGE = re.compile(r"(\d*)-(\d*)", re.ASCII)
_HUGE = 1 << 63  # more than any file holds


class Span(NamedTuple):
    """The bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int


def wanted(text: str, size: int) -> list[Span] | None:
    """The spans of a representation of `size` bytes that the Range field `text` asks for, in its order.

    None: the field is to be ignored and the whole sent, because its unit is unknown, it breaks the grammar,
    or it is one of those that RFC 9110 section 14.2 lets a server ignore: overlapping, very many, or thrown
    together.  An empty representation is always sent whole: no Content-Range could describe its parts.  An
    empty list: nothing of what is asked for exists (416).
    """
    matched = _RANGES.fullmatch(text)
    if matched is None or size == 0 or matched[1].count(",") > 2 * MOST:
        return None
    spans = []
    for member in filter(None, (part.strip(" \t") for part in matched[1].split(","))):
        bounds = _RANGE.fullmatch(member)
        if bounds is None or not _is_range(first := _number(bounds[1]), last := _number(bounds[2])):
            return None
        spans.append(_span(first, last, size))
    existing = [span for span in spans if span.start < span.stop]
    return existing if spans and not _abusive(existing) else None


def _number(digits: str) -> int | None:
    significant = digits.lstrip("0")
    if len(significant) > 18:
        return _HUGE
    return int(significant or "0") if digits else None


def _is_range(first: int | None, last: int | None) -> bool:
    return last is not None if first is None else last is None or first <= last


def _span(first: int | None, last: int | None, size: int) -> Span:
    if first is None:
        return Span(max(0, size - (last or 0)), size)
    return Span(first, size if last is None else min(last + 1, size))


def _abusive(spans: list[Span]) -> bool:
    ascending = sorted(spans)
    overlap = any(one.stop > other.start for one, other in pairwise(ascending))
    return overlap or len(spans) > MOST or (len(spans) > UNSORTED and spans != ascending)


def content_range(span: Span, size: int) -> str:
    """The Content-Range of one span of `size` bytes (RFC 9110 section 14.4)."""
    return f"bytes {span.start}-{span.stop - 1}/{size}"


def separators(spans: Iterable[Span], size: int, kind: str, boundary: str) -> list[bytes]:
    """What stands before each of the spans, and behind the last, in a multipart/byteranges body.

    `kind` is the Content-Type of the whole.
    """
    heads = [
        f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {content_range(span, size)}\r\n\r\n" for span in spans
    ]
    return [
        text.encode("latin-1") for text in (heads[0], *("\r\n" + head for head in heads[1:]), f"\r\n--{boundary}--\r\n")
    ]
