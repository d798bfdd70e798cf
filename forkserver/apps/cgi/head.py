"""The head of a script's output, and what the script means by it (RFC 3875 sections 6.2 and 6.3).

Pure: bytes in, facts out.  Knows nothing of processes and of replies.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from forkserver.http.response import FIELD_NAME, FIELD_VALUE, HOP_BY_HOP, OURS

# Section 6.2: a head ends with an empty line; section 7.2: lines end with LF, or with CR LF.
END = re.compile(rb"\r?\n\r?\n|\A\r?\n")
_STATUS = re.compile(r"([2-5][0-9]{2})(?:[ \t].*)?")  # section 6.3.3; what comes first is final
_LENGTH = re.compile(r"[0-9]{1,18}")
_NPH = re.compile(rb"HTTP/1\.[0-9] ([2-5][0-9]{2})(?: [^\r\n]*)?\r?\n")  # RFC 9112 section 4
_CGI_FIELDS = ("content-type", "location", "status")


class BadHead(Exception):  # noqa: N818 - as BadRequest
    """What a script has said is no head; the text says why, without repeating what the script said."""


class Said(NamedTuple):
    """What a script has said."""

    status: int
    fields: tuple[tuple[str, str], ...]  # for the client, Location among them
    length: int | None  # of the body, where it is told
    local: str  # a path of this server, which is to answer instead (section 6.2.2); else ""
    redirects: bool  # a redirect without a document (section 6.2.3)


def split(output: bytes) -> tuple[bytes, bytes] | None:
    """The head and what follows; None when it is not whole yet."""
    found = END.search(output)
    return (output[: found.start()], output[found.end() :]) if found else None


def parse(head: bytes) -> Said:
    """What the head means; BadHead when it is none."""
    fields: list[tuple[str, str]] = []
    own: dict[str, str] = {}
    length = None
    for line in head.split(b"\n"):
        name, value = _field(line.removesuffix(b"\r"))
        kind = name.lower()
        if not value or kind in HOP_BY_HOP or kind in OURS or kind.startswith("x-cgi-"):  # sections 6.3, 6.3.4, 6.3.5
            continue
        if kind in own:
            raise BadHead(f"{name} is given twice")
        if kind in _CGI_FIELDS:
            own[kind] = value
        if kind == "content-length":
            if not _LENGTH.fullmatch(value) or length is not None:
                raise BadHead("Content-Length is not one number of bytes")
            length = int(value)
        elif kind != "status":
            fields.append((name, value))
    return _meant(own, tuple(fields), length)


def _field(line: bytes) -> tuple[str, str]:
    """Name and value of one line; section 6.3: there are no continuation lines, nor white space before the colon."""
    name, colon, value = line.decode("latin-1").partition(":")
    value = value.strip(" \t")
    if not colon or not FIELD_NAME.fullmatch(name):
        raise BadHead("a line of its head is not written as Name: value")
    if not FIELD_VALUE.fullmatch(value):
        raise BadHead(f"the value of {name} has a control byte")
    return name, value


def _meant(own: dict[str, str], fields: tuple[tuple[str, str], ...], length: int | None) -> Said:
    if not own:
        raise BadHead("it has none of Content-Type, Location and Status")
    found = _STATUS.fullmatch(own.get("status", "200"))
    if not found:
        raise BadHead("its Status is not a final one of three digits")
    status, location = int(found[1]), own.get("location", "")
    # A fragment is for the client, so a path that has one is not for us.
    if location.startswith("/") and "#" not in location and status == 200:
        return Said(status, fields, None, location, redirects=False)
    if location and "status" not in own:
        status = 302
    return Said(status, fields, length, "", redirects=bool(location) and "content-type" not in own)


def status_of(output: bytes) -> int | None:
    """The status in the first line of a whole message (section 5.2); None when it is not whole yet.

    BadHead when that is no status line.
    """
    if b"\n" not in output:
        return None
    found = _NPH.match(output)
    if not found:
        raise BadHead("its first line is no status line of HTTP")
    return int(found[1])
