"""Raw requests and what becomes of them: whole, byte by byte, and with more bytes behind.

`corpus/valid/NAME.http` has its facts in `NAME.expect` (JSON; only what is named is compared),
`corpus/invalid/NAME.http` the status it is refused with.  Line ends of a request file count for nothing: the
bytes of the wire are spelled out, with the escapes of `ESCAPES`, `\\xHH`, and `{text*COUNT}` for repetition.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from forkserver.http.request import BadRequest, Head, Parser

CORPUS = Path(__file__).parent / "corpus"
VALID = sorted(path.stem for path in CORPUS.glob("valid/*.http"))
INVALID = sorted(path.stem for path in CORPUS.glob("invalid/*.http"))

NEXT = b"GET /next HTTP/1.1\r\nHost: example.org\r\n\r\n"
ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


def wire(name: str) -> bytes:
    text = (CORPUS / f"{name}.http").read_text("ascii").replace("\n", "")
    text = re.sub(r"\{(.+?)\*([0-9]+)\}", lambda found: found[1] * int(found[2]), text)
    text = re.sub(r"\\x([0-9a-f]{2})|\\(.)", unescape, text)
    return text.encode("latin-1")


def unescape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else ESCAPES[found[2]]


def expected(name: str) -> Any:
    return json.loads((CORPUS / f"{name}.expect").read_text("utf-8"))


def outcome(parser: Parser, data: bytes) -> Head | int | None:
    try:
        return parser.parse(data)
    except BadRequest as refusal:
        return refusal.status


def outcome_byte_by_byte(parser: Parser, data: bytes) -> Head | int | None:
    results = (outcome(parser, data[:size]) for size in range(len(data) + 1))
    return next((result for result in results if result is not None), None)


def facts(head: Head) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in (head.line, head.fields, head):  # the head last: its host is the one that counts
        found |= {name: getattr(part, name) for name in part._fields if name not in ("line", "fields")}
    return found | {"items": [list(item) for item in head.fields.items]}


@pytest.mark.parametrize("name", VALID)
def test_valid_request_gives_its_facts_however_it_is_cut(name: str) -> None:
    data, facts_wanted = wire(f"valid/{name}"), expected(f"valid/{name}")
    head = Parser().parse(data)
    assert head is not None
    found = facts(head)
    assert {fact: found[fact] for fact in facts_wanted} == facts_wanted
    assert data[: head.size].endswith(b"\r\n\r\n")
    assert outcome_byte_by_byte(Parser(), data) == head
    assert outcome(Parser(), data + NEXT) == head


@pytest.mark.parametrize("name", INVALID)
def test_invalid_request_is_refused_with_its_status_however_it_is_cut(name: str) -> None:
    data, status = wire(f"invalid/{name}"), expected(f"invalid/{name}")
    assert outcome(Parser(), data) == status
    assert outcome_byte_by_byte(Parser(), data) == status
    assert outcome(Parser(), data + NEXT) == status


def test_one_parser_gives_what_a_fresh_one_gives() -> None:
    parser = Parser()
    names = [f"valid/{name}" for name in VALID] + [f"invalid/{name}" for name in INVALID]
    for name in names * 2 + names[::-1]:
        data = wire(name)
        assert outcome(parser, data) == outcome(Parser(), data), name


def test_every_request_has_a_twin() -> None:
    requests = {path.with_suffix("") for path in CORPUS.glob("*/*.http")}
    assert requests == {path.with_suffix("") for path in CORPUS.glob("*/*.expect")}
    assert len(INVALID) >= 80
