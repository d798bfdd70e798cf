"""The format of an access log, compiled once: `combined`, `json` or an Apache LogFormat string to a function.

Knows how a format is written (Apache mod_log_config, "Custom Log Formats") and what can be said of the
compiled one; the values themselves stand in `letters.py`.  Knows nothing of files: a rendered line is
text that ends with its only line feed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from forkserver.log.dates import iso_date
from forkserver.log.letters import LETTERS, MAKERS, Exchange, Getter, Value, escape, is_safe, microseconds

__all__ = ["AccessFormat", "Exchange", "compile_format"]

COMMON = r"%h %l %u %t \"%r\" %>s %b"
NAMED = {"common": COMMON, "combined": COMMON + r" \"%{Referer}i\" \"%{User-Agent}i\""}
JSON = "json"


@dataclass(frozen=True, slots=True)
class AccessFormat:
    """A compiled format; two are equal when they were written alike.

    `render(exchange)` gives one line of ASCII with a line feed at its end and no other control character
    (but a tab that the format itself asks for); no exchange makes it raise.
    `repeatable`: within one second of `began`, the same request bytes from the same peer host with the same
    reply (status, size, fields, user) give the same line, by whatever listener and connection they came.
    `timed`: `ended` is read; otherwise it may hold anything.
    """

    text: str  # as the user wrote it
    render: Callable[[Exchange], str] = field(compare=False, repr=False)
    repeatable: bool = field(compare=False)
    timed: bool = field(compare=False)

    def __str__(self) -> str:
        return self.text


def compile_format(text: str) -> AccessFormat:
    """`common`, `combined`, `json` or a LogFormat string to its AccessFormat.

    Raises ValueError with what is wrong, the position (from 1) and, for an unknown letter, all that are
    known.
    """
    if text == JSON:
        return AccessFormat(text, render_json, repeatable=False, timed=True)
    pieces = list(split(NAMED.get(text, text)))
    values = [piece for piece in pieces if isinstance(piece, Value)]
    if not values:
        raise ValueError(f"a log format is {', '.join([*NAMED, JSON])}, or holds a value such as %h")
    literal = ["%s" if isinstance(piece, Value) else piece.replace("%", "%%") for piece in pieces]
    return AccessFormat(
        text,
        render=renderer("".join(literal), [value.get for value in values]),
        repeatable=all(value.repeatable for value in values),
        timed=any(value.timed for value in values),
    )


def renderer(template: str, getters: list[Getter]) -> Callable[[Exchange], str]:
    """The hot function: every getter once, then one formatting; only a line that is not safe is taken apart."""
    quotes = template.count('"')

    def render(exchange: Exchange) -> str:
        values = tuple([get(exchange) for get in getters])
        line = template % values
        if not is_safe(line, quotes):
            line = template % tuple([escape(value) if isinstance(value, str) else value for value in values])
        return line + "\n"

    return render


# --- reading a LogFormat string ---

# < and > choose the first or last of several internal redirects; there are none here, so they mean nothing.
TOKEN = re.compile(
    r"""  [^%\\]+
        | \\ (?P<escaped> . )
        | % (?: (?P<never> ! )? (?P<statuses> [0-9]{3} (?: , [0-9]{3} )* ) )?
            [<>]?
            (?: \{ (?P<argument> [ -|~]+ ) \} )?
            (?P<letter> [A-Za-z%] )
    """,
    re.VERBOSE,
)
ESCAPED = {'"': '"', "\\": "\\", "t": "\t"}
KNOWN = " ".join([*("%" + name for name in LETTERS), "%{Name}i", "%{Name}o", "%{strftime}t"])


def split(text: str) -> Iterator[Value | str]:
    """The values of a LogFormat string and the literal text between them, in order."""
    position = 0
    while position < len(text):
        token = TOKEN.match(text, position)
        if token is None:
            raise wrong(text[position : position + 12], position, f"no whole value; known are {KNOWN}")
        yield piece_of(token)
        position = token.end()


def wrong(what: str, position: int, why: str) -> ValueError:
    """The complaint about a part of a format that begins at `position`, counted from 0."""
    return ValueError(f"{what!a} at position {position + 1}: {why}")


def piece_of(token: re.Match[str]) -> Value | str:
    """One token as a value or as literal text."""
    if token["letter"] is not None:
        return when(value_of(token), token["statuses"], wanted=token["never"] is None)
    if token["escaped"] is not None:
        if token["escaped"] not in ESCAPED:
            raise wrong(token[0], token.start(), 'after a backslash stands one of " \\ t')
        return ESCAPED[token["escaped"]]
    if not (token[0].isascii() and token[0].replace("\t", " ").isprintable()):
        raise wrong(token[0], token.start(), "a log line is printable ASCII")
    return token[0]


def value_of(token: re.Match[str]) -> Value | str:
    """What a letter with its argument stands for."""
    letter, argument = token["letter"], token["argument"]
    name = letter if argument is None else f"{{{argument}}}{letter}"
    if name in LETTERS:
        return LETTERS[name]
    if argument is None or letter not in MAKERS:
        raise wrong(token[0], token.start(), f"unknown; known are {KNOWN}")
    return MAKERS[letter](argument)


def when(piece: Value | str, statuses: str | None, wanted: bool) -> Value | str:
    """`%404,500{Referer}i`, `%!200h`: the value for replies with, or without, such a status, else "-"."""
    if statuses is None:
        return piece
    codes = frozenset(int(code) for code in statuses.split(","))
    value = piece if isinstance(piece, Value) else Value(lambda _: piece)
    get = value.get
    return Value(lambda e: get(e) if (e.status in codes) == wanted else "-", value.repeatable, value.timed)


# --- JSON ---

encode_json = json.JSONEncoder(ensure_ascii=True, check_circular=False).encode  # json.dumps, set up once


def render_json(exchange: Exchange) -> str:
    """One JSON object a line (RFC 8259): numbers as numbers, what is missing as null, a character for each
    byte.

    `line`, the request line as sent, is there only when the request could not be parsed.
    """
    head = exchange.head
    asked = head.fields.values if head else {}
    record = {
        "time": iso_date(exchange.began),
        "peer": exchange.peer,
        "method": head.line.method if head else None,
        "target": head.line.target if head else None,
        "protocol": f"HTTP/1.{head.line.minor}" if head else None,
        "status": exchange.status,
        "bytes": exchange.body_sent,
        "duration_us": microseconds(exchange),
        "referer": asked.get("referer"),
        "user_agent": asked.get("user-agent"),
        "host": head.host if head else None,
        "pid": os.getpid(),
    }
    if head is None:
        record["line"] = exchange.line
    # DEL is the one control character of ASCII that JSON lets stand.
    return encode_json(record).replace("\x7f", "\\u007f") + "\n"
