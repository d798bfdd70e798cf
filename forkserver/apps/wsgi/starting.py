"""`start_response` and `write` (PEP 3333, "The start_response() Callable"): what an application says of its reply.

All is checked when it is said, so that the trace of an error shows who said it.  Knows the rules of a head, and what
has been said so far; nothing of bodies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from forkserver.http.memo import Memo
from forkserver.http.request import Request
from forkserver.http.response import FIELD_NAME, FIELD_VALUE, HOP_BY_HOP, OURS, Response, has_body

Made = tuple[int, tuple[tuple[str, str], ...], int | None]  # status, fields to be sent, Content-Length
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

_STATUS = re.compile(r"([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")  # RFC 9112 section 4, as text
_LENGTH = re.compile(r"[0-9]{1,18}")

_MADE: Memo[tuple[str, tuple[tuple[str, str], ...]], Made] = Memo(
    512, 256 << 10, lambda key, _: len(key[0]) + sum([len(name) + len(value) for name, value in key[1]])
)
_KINDS: Memo[str, str] = Memo(512, 16 << 10)  # names that may be sent, as they are spelt: in lower case


class WsgiError(Exception):
    """The application does things in an order that PEP 3333 forbids; the text says which."""


class Unknown:
    """An empty body that says nothing of the length: what is to come, or would have come, is not known."""

    __slots__ = ()

    def __iter__(self) -> Iterator[bytes]:
        return iter(())


UNKNOWN = Unknown()


class Start:
    """The `start_response` of one request."""

    __slots__ = ("_send", "made", "out", "over", "request", "response", "wrote")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.made: Made | tuple[()] | None = None  # what was said; () once that was refused
        self.response: Response | None = None  # what was begun by `write`
        self._send: Callable[[bytes], None] | None = None
        self.wrote = False
        self.out = False  # the head is on its way
        self.over = False  # the application has returned

    def __call__(self, status: str, headers: list[tuple[str, str]], /, exc_info: Any = None) -> Callable[[bytes], None]:
        """TypeError or ValueError, which names the culprit, for what is no head; WsgiError when it is not its time.

        With `exc_info` what was said before is replaced; once that is on its way, the error is raised again.
        """
        if self.made is not None or exc_info:
            self._again(exc_info)
        try:
            made = _MADE.get((status, tuple(headers)))
        except TypeError:  # what cannot be looked up is told below
            made = None
        if made is None or type(headers) is not list:
            self.made = ()  # an application that swallows the error has called all the same, says the standard
            made = _make(status, headers)
        self.made = made
        return self.write

    def _again(self, exc_info: ExcInfo | None) -> None:
        """A second time, or with an error in hand."""
        try:
            if self.out and exc_info and exc_info[1] is not None:
                raise exc_info[1].with_traceback(exc_info[2])
            if self.out or not exc_info:
                raise WsgiError("start_response is called again, without an error that would be a reason to")
        finally:
            exc_info = None  # it holds this frame, too

    def write(self, data: bytes, /) -> None:
        """Send a piece of the body at once.  TypeError for what is not bytes; WsgiError once it is too late.

        Raises ConnectionAbortedError when there is no client any more.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"write takes bytes, not {type(data).__name__}")
        if self.over:
            raise WsgiError("write is called from within what the application returned")
        if data:
            (self._send or self._begin())(data)

    def _begin(self) -> Callable[[bytes], None]:
        if not self.made:  # nobody has `write` before; so what came since was refused
            raise WsgiError("write is called after start_response was refused")
        status, fields, length = self.made
        self.wrote = True
        if has_body(self.request.head.line.method, status):
            self.response = Response(status, fields, UNKNOWN, length)
            self._send = self.request.begin(self.response)
            self.out = True
        else:
            self._send = _swallow
        return self._send


def _swallow(data: bytes) -> None:
    """For the body of a reply that has none."""


def _make(status: str, headers: list[tuple[str, str]]) -> Made:
    """What a status and headers come to; TypeError or ValueError for what they must not be."""
    code = _code(status)
    if type(headers) is not list:
        raise TypeError(f"start_response: the headers of {status!r} are a list, not {type(headers).__name__}")
    fields, length = [], None
    for item in headers:
        name, value, kind = _checked(item)
        if kind in OURS:
            continue
        if kind != "content-length":
            # RFC 9110 section 5.5: white space around a value is no part of it.  Django's cookies begin with a space.
            fields.append((name, value.strip(" \t")))
        elif length is not None:
            raise ValueError("start_response: Content-Length is given twice")
        elif not _LENGTH.fullmatch(value):
            raise ValueError(f"start_response: Content-Length is no number of bytes: {_shown(value)}")
        else:
            length = int(value)
    made = code, tuple(fields), length
    _MADE.put((status, tuple(headers)), made)
    return made


def _code(status: str) -> int:
    if not isinstance(status, str):
        raise TypeError(f"start_response: the status is a str such as '200 OK', not {type(status).__name__}")
    found = _STATUS.fullmatch(status)
    if not found:
        raise ValueError(f"start_response: {_shown(status)} is no status such as '200 OK'")
    if status.startswith("1"):  # PEP 3333 has one reply to a request, and no word for an interim one
        raise ValueError(f"start_response: {_shown(status)} is no final status")
    return int(found[1])


def _checked(item: tuple[str, str]) -> tuple[str, str, str]:
    """(name, value, name in lower case) of a header."""
    if type(item) is tuple and len(item) == 2:
        name, value = item
        kind = _KINDS.get(name) if type(name) is str else None
        if kind and type(value) is str and value.isascii() and value.isprintable():
            return name, value, kind
    return _examined(item)


def _examined(item: tuple[str, str]) -> tuple[str, str, str]:
    """The same, of one that is not as simple as most; plain str whatever they were."""
    if not isinstance(item, tuple) or len(item) != 2:
        raise TypeError(f"start_response: a header is a tuple of name and value, not {_shown(item)}")
    name, value = item
    if not isinstance(name, str):
        raise TypeError(f"start_response: the name of a header is a str, not {_shown(name)}")
    if not FIELD_NAME.fullmatch(name):
        raise ValueError(f"start_response: {_shown(name)} cannot be the name of a header")
    if not isinstance(value, str):
        raise TypeError(f"start_response: the value of {name} is a str, not {type(value).__name__}")
    if not FIELD_VALUE.fullmatch(value):
        wrong = next(letter for letter in value if not FIELD_VALUE.fullmatch(letter))
        raise ValueError(f"start_response: {wrong!a} in the value of {name} cannot be sent in a header")
    name, value = str.__str__(name), str.__str__(value)
    kind = name.lower()
    if kind in HOP_BY_HOP:
        raise ValueError(f"start_response: {name} belongs to the connection, which is the server's")
    _KINDS.put(name, kind)
    return name, value, kind


def _shown(thing: object) -> str:
    """A thing as a message repeats it: not for ever."""
    text = repr(thing)
    return text if len(text) <= 100 else f"{text[:100]}…"
