"""What each letter of an access log format stands for, and how its text is made safe.

Knows the facts of one answered request (`Exchange`) and Apache's names for them (mod_log_config); nothing
of files and descriptors, and nothing of how values are put together to a line (`format.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING

from forkserver.log.dates import common_date

if TYPE_CHECKING:  # options read formats, and the configuration imports no HTTP
    from forkserver.http.request import Head


@dataclass(slots=True)
class Exchange:
    """The facts of one answered request; texts from the wire are latin-1, one character a byte."""

    peer: str  # address of the client, without port
    peer_port: int
    local_port: int
    server_name: str  # of the site that answered
    head: Head | None  # None: the request could not be parsed
    line: str  # the request line as sent; "" when none came
    user: str  # as authenticated; "" for nobody
    status: int
    body_sent: int  # bytes of content, without head and chunk framing
    received: int  # bytes of the whole request
    sent: int  # bytes of the whole reply
    began: float  # seconds since the epoch
    ended: float  # likewise; read only by a format that is `timed`
    fields: tuple[tuple[str, str], ...]  # of the reply
    keep: bool  # the connection stays open
    aborted: bool = False  # the connection broke before the reply was out


Getter = Callable[[Exchange], object]


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a line: how to get it (a text is made safe later), and what that asks of the exchange."""

    get: Getter
    repeatable: bool = True  # the same request bytes, peer host and reply give the same text within a second
    timed: bool = False  # it reads `ended`


# --- making text safe, as Apache's ap_escape_logitem does: one line of printable ASCII stays one ---

ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0x100))}
ESCAPES |= {ord(raw): "\\" + name for raw, name in zip('\b\n\r\t\v"\\', 'bnrtv"\\', strict=True)}


def is_safe(line: str, quotes: int) -> bool:
    """Whether all is printable ASCII, without backslashes, and with no more than so many `quotes`.

    Four methods of str take a third of the time that one regular expression would.
    """
    return line.isascii() and line.isprintable() and line.count('"') == quotes and "\\" not in line


def escape(text: str) -> str:
    """`text` as printable ASCII, in which no quote, backslash or control character stands bare."""
    return one_byte_characters(text).translate(ESCAPES)


def one_byte_characters(text: str) -> str:
    """Text from the wire as it is; other text, such as a user's name, as its UTF-8 bytes."""
    if max(text, default="") <= "\xff":
        return text
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


# --- values with a rule of their own ---


def microseconds(exchange: Exchange) -> int:
    """%D: how long the request took; never negative, though the clock may be set back meanwhile."""
    return max(0, round((exchange.ended - exchange.began) * 1_000_000))


def path(exchange: Exchange) -> str:
    """%U: the decoded path without the query."""
    return exchange.head.line.path if exchange.head else "-"


def query(exchange: Exchange) -> str:
    """%q: the query with its question mark, or nothing."""
    return "?" + exchange.head.line.query if exchange.head and exchange.head.line.query else ""


def connection_state(exchange: Exchange) -> str:
    """%X: what becomes of the connection."""
    if exchange.aborted:
        return "X"
    return "+" if exchange.keep else "-"


def host_asked_for(exchange: Exchange) -> str:
    """%V: the client's name for this server, else our own."""
    return (exchange.head.host if exchange.head else "") or exchange.server_name


# A port and a site's name may depend on the listener, so the request's bytes do not settle them.
LETTERS: dict[str, Value | str] = {
    "%": "%",
    "a": Value(attrgetter("peer")),
    "h": Value(attrgetter("peer")),  # names are not looked up
    "l": "-",  # nobody runs identd
    "u": Value(lambda e: e.user or "-"),
    "t": Value(lambda e: common_date(int(e.began))),
    "r": Value(lambda e: e.line or "-"),
    "m": Value(lambda e: e.head.line.method if e.head else "-"),
    "U": Value(path),
    "q": Value(query),
    "H": Value(lambda e: f"HTTP/1.{e.head.line.minor}" if e.head else "-"),
    "s": Value(attrgetter("status")),
    "b": Value(lambda e: e.body_sent or "-"),
    "B": Value(attrgetter("body_sent")),
    "D": Value(microseconds, repeatable=False, timed=True),
    "T": Value(lambda e: microseconds(e) // 1_000_000, repeatable=False, timed=True),
    "{s}T": Value(lambda e: microseconds(e) // 1_000_000, repeatable=False, timed=True),
    "{ms}T": Value(lambda e: microseconds(e) // 1_000, repeatable=False, timed=True),
    "{us}T": Value(microseconds, repeatable=False, timed=True),
    "p": Value(attrgetter("local_port"), repeatable=False),
    "{canonical}p": Value(attrgetter("local_port"), repeatable=False),
    "{local}p": Value(attrgetter("local_port"), repeatable=False),
    "{remote}p": Value(attrgetter("peer_port"), repeatable=False),
    "P": Value(lambda _: os.getpid()),
    "{pid}P": Value(lambda _: os.getpid()),
    "v": Value(attrgetter("server_name"), repeatable=False),
    "V": Value(host_asked_for, repeatable=False),
    "X": Value(connection_state, repeatable=False),
    "I": Value(attrgetter("received"), repeatable=False),
    "O": Value(attrgetter("sent"), repeatable=False),
}


# --- letters with an argument of the user's choice ---


def request_field(argument: str) -> Value:
    """%{Name}i: a field of the request, "-" when it has none."""
    name = argument.lower()

    def get(exchange: Exchange) -> str:
        return exchange.head.fields.values.get(name, "-") if exchange.head else "-"

    return Value(get)


def reply_field(argument: str) -> Value:
    """%{Name}o: a field of the reply, repeated ones joined as RFC 9110 section 5.3 has it."""
    wanted = argument.lower()

    def get(exchange: Exchange) -> str:
        found = [text for name, text in exchange.fields if name.lower() == wanted]
        return ", ".join(found) if found else "-"

    return Value(get)


CLOCKS: dict[str, Callable[[float], object]] = {
    "sec": int,
    "msec": lambda now: int(now * 1_000),
    "usec": lambda now: int(now * 1_000_000),
    "msec_frac": lambda now: f"{int(now * 1_000) % 1_000:03}",
    "usec_frac": lambda now: f"{int(now * 1_000_000) % 1_000_000:06}",
}


@lru_cache(maxsize=16)
def strftime(pattern: str, second: int) -> str:
    """strftime(3) in the local zone; %n is a line feed, and names may be in any language."""
    return time.strftime(pattern, time.localtime(second))


def moment(argument: str) -> Value:
    """%{…}t: one of CLOCKS or a strftime(3) pattern, of the begin or, after `end:`, of the end."""
    at_end = argument.startswith("end:")
    pattern = argument.removeprefix("end:" if at_end else "begin:")
    read = CLOCKS.get(pattern) or (lambda now: strftime(pattern, int(now)))
    if at_end:
        return Value(lambda e: read(e.ended), repeatable=False, timed=True)
    return Value(lambda e: read(e.began), repeatable=pattern == "sec" or pattern not in CLOCKS)


MAKERS: dict[str, Callable[[str], Value]] = {"i": request_field, "o": reply_field, "t": moment}
