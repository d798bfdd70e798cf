"""What the preconditions of a request come to (RFC 9110 section 13).

Pure comparison of field values with the validators of the selected representation; knows nothing of files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from forkserver.http.response import parse_date

# The names of all the fields that this file reads: a request without any of them needs no judgement.
FIELDS = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"})

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'  # RFC 9110 section 8.8.3
_ONE_TAG = re.compile(_TAG)
_TAGS = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")


def judge(values: Mapping[str, str], etag: str, modified: int) -> int:
    """The status that a GET or HEAD comes to: 200, 304 or 412, in the order of RFC 9110 section 13.2.2.

    `values` are the request's fields by lower-case name; `etag` is the strong tag and `modified` the
    Last-Modified in seconds since the epoch of what would be sent.
    """
    if "if-match" in values:
        if not _among(etag, values["if-match"], strong=True):
            return 412
    elif _newer(modified, values.get("if-unmodified-since")):
        return 412
    if "if-none-match" in values:
        return 304 if _among(etag, values["if-none-match"], strong=False) else 200
    return 304 if _newer(modified, values.get("if-modified-since")) is False else 200


def range_holds(values: Mapping[str, str], etag: str, modified: int, now: float) -> bool:
    """Whether a Range counts: there is no If-Range, or it names this very state (RFC 9110 section 13.1.5).

    A weak tag never does, nor a date within the last second, in which the file may have changed once more.
    """
    condition = values.get("if-range")
    if condition is None:
        return True
    if _ONE_TAG.fullmatch(condition):
        return condition == etag
    return parse_date(condition) == modified and now - modified >= 1


def _among(etag: str, text: str, *, strong: bool) -> bool:
    """Whether a list of tags, or "*", names `etag`; where `strong` comparison is due no weak tag does."""
    if text == "*":
        return True
    if not _TAGS.fullmatch(text):
        return False
    tags = _ONE_TAG.findall(text)
    return etag in (tags if strong else [tag.removeprefix("W/") for tag in tags])


def _newer(modified: int, text: str | None) -> bool | None:
    """Whether `modified` is later than the date in `text`; None where that is no date, and so ignored."""
    date = None if text is None else parse_date(text)
    return None if date is None else modified > date
