"""What a handler answers with, and what is made of things that are none: a text, a dict, a generator.

Knows bodies and header fields; nothing of requests, but that a cookie and a file wait for theirs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote, urlsplit

from forkserver.http.response import FIELD_NAME, FIELD_VALUE, OWNED, Body, ErrorPage, Fields, value_of, without
from forkserver.http.response import Response as Answer
from forkserver.web.cookies import Cookie
from forkserver.web.events import Event, encoded_events
from forkserver.web.files import File

Pieces = Iterable[bytes] | Iterable[str]

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
BYTES = "application/octet-stream"
_SAFE = "!#$%&'()*+,/:;=?@[]~"  # stays as it is in the target of a redirect (RFC 3986 section 2.2)

_FIELDS: dict[str, Fields] = {"": (), **{kind: (("Content-Type", kind),) for kind in (TEXT, HTML, JSON, BYTES)}}


class ResponseHeaders(MutableMapping[str, str]):
    """The header fields of a response by name, whichever way that is spelt."""

    __slots__ = ("_response",)

    def __init__(self, response: Answer) -> None:
        self._response = response

    def __getitem__(self, name: str) -> str:
        value = value_of(self._response.fields, name.lower())
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        """Put in place of what there is.  ValueError for what cannot be sent (RFC 9110 section 5)."""
        self._response.fields = (*without(self._response.fields, name), checked(name, value))

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self._response.fields = without(self._response.fields, name)

    def __iter__(self) -> Iterator[str]:
        return iter({name.lower(): name for name, _ in self._response.fields}.values())

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._response.fields})

    def add(self, name: str, value: str) -> None:
        """Put beside what there is, in a line of its own.  ValueError as above."""
        self._response.fields = (*self._response.fields, checked(name, value))


def checked(name: str, value: str) -> tuple[str, str]:
    """A header field that may be sent; ValueError otherwise, so that no text of a client's can begin another field."""
    if not FIELD_NAME.fullmatch(name) or name.lower() in OWNED:
        raise ValueError(f"{name!r} cannot be the name of a header: it is none, or the server itself writes it")
    if not FIELD_VALUE.fullmatch(value):
        raise ValueError(f"{value!r} cannot be the value of {name}")
    return name, value


class Response(Answer):
    """An answer: `Response("text")`, `Response(b"bytes", type="image/png")`, `Response.html("<p>…")`.

    A text is sent as UTF-8, and as plain text, so that nothing in it can be taken for markup; what is HTML is said to
    be.  An iterable of bytes or texts is sent piece by piece, as they come.
    """

    __slots__ = ("cookies",)

    def __init__(
        self,
        body: str | bytes | Pieces | File = "",
        status: int = 200,
        *,
        type: str | None = None,  # noqa: A002 - as HTTP calls it
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`type` is the Content-Type; None: by the body; "": none.  ValueError for what cannot be sent."""
        self.status, self.length, self.still = status, None, None
        self.cookies: tuple[Cookie, ...] = ()
        if body.__class__ is str:
            self.body, kind = body.encode(), TEXT
        else:
            self.body, kind = _content_of(body)
        if type is not None:
            kind = type
        elif status in (204, 304):  # which never have a body (RFC 9112 section 6.3)
            kind = ""
        fields = _FIELDS.get(kind)  # one and the same object for all replies of a type, which is found sooner
        if fields is None:
            fields = (checked("Content-Type", kind),)
        self.fields = fields
        if headers:
            self.headers.update(headers)
        if not 200 <= status <= 599:
            raise ValueError(f"{status} is no status of an answer")

    @property
    def headers(self) -> ResponseHeaders:
        """Header fields, to be read and set."""
        return ResponseHeaders(self)

    def copy(self) -> Response:
        """Another response that says the same, with the same body."""
        twin = self.__class__.__new__(self.__class__)
        twin.status, twin.fields, twin.body = self.status, self.fields, self.body
        twin.length, twin.still, twin.cookies = self.length, self.still, self.cookies
        return twin

    def set_cookie(self, name: str, value: str, **attributes: Any) -> None:
        """Have the client keep a cookie; `attributes` as of Cookie.  ValueError for what is none.

        Unless they say otherwise no script may read it, other sites cannot have it sent but by links, it is sent to
        this site alone, and only by https if this request came by it.
        """
        self.cookies = (*self.cookies, Cookie(name, value, **attributes))

    def delete_cookie(self, name: str, *, path: str | None = None, domain: str = "") -> None:
        """Have the client forget a cookie of this path and domain."""
        self.set_cookie(name, "", max_age=0, path=path, domain=domain)

    @classmethod
    def html(cls, markup: str, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
        """A page.  Whatever of it came from clients has been escaped: see html.escape, or templates, which do it."""
        return cls(markup, status, type=HTML, headers=headers)

    @classmethod
    def json(cls, value: Any, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
        """A value as JSON (RFC 8259); TypeError or ValueError for what has no such form."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return cls(text, status, type=JSON, headers=headers)

    @classmethod
    def redirect(cls, target: str, status: int = 303, *, elsewhere: bool = False) -> Response:
        """The answer is at another address, to be asked for with GET; see RFC 9110 section 15.4 for 301, 307, 308.

        ValueError when `target` is no path of this host, unless `elsewhere` says that it may lead to another: with a
        target that came from a client, anybody could send your visitors anywhere.
        """
        if not elsewhere and not is_local(target):
            raise ValueError(f"{target!r} is not a path of this host, such as /page")
        if status not in (301, 302, 303, 307, 308):
            raise ValueError(f"{status} is no status of a redirect")
        return cls(b"", status, type="", headers={"Location": quote(target, safe=_SAFE)})

    @classmethod
    def file(
        cls,
        path: str | os.PathLike[str],
        *,
        root: str | os.PathLike[str] | None = None,
        type: str | None = None,  # noqa: A002
        download: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """A file, which the kernel sends; ranges and conditional requests are answered.

        With a `root`, `path` is a name below that folder, and may come from a client: nothing else is ever sent.
        `type` is told by the name otherwise; `download` is the name under which a browser saves it.
        NotFound when there is no such file.
        """
        response = cls(File(path, root), type=type, headers=headers)
        response.headers.add("X-Content-Type-Options", "nosniff")  # it is what we say, whatever it looks like
        if download:
            response.headers["Content-Disposition"] = disposition(download)
        return response

    @classmethod
    def events(cls, events: Iterable[str | Event]) -> Response:
        """Server-sent events (WHATWG HTML section 9.2), for EventSource in a browser; each leaves when it is there."""
        return cls(encoded_events(events), type="text/event-stream", headers={"Cache-Control": "no-store"})


class PlainPage(Response, ErrorPage):
    """The server's page for an error of which the site says nothing: its section may have another one."""

    __slots__ = ()


def response_of(result: Any) -> Response:
    """What a handler returned, as a response; TypeError for what cannot be one."""
    if result.__class__ is str:  # first what costs least
        return Response(result)
    if isinstance(result, Response):
        return result
    if isinstance(result, (str, bytes)):
        markup = getattr(result, "__html__", None)
        return Response(result) if markup is None else Response.html(markup())
    if isinstance(result, (dict, list)):
        return Response.json(result)
    if isinstance(result, Iterator):
        return Response(result)
    hint = "; does it lack a return?" if result is None else ""
    raise TypeError(f"a handler returns a Response, str, bytes, dict, list or generator, not {result!r:.100}{hint}")


def is_local(target: str) -> bool:
    """Whether an address leads to a path of this host, however a browser may read it (WHATWG URL section 4.4).

    `Response.redirect(to if is_local(to) else "/")` is how to go where a client asks to be sent.
    """
    plain = target.isprintable() and "\\" not in target
    return plain and target.startswith("/") and not target.startswith("//") and not urlsplit(target).netloc


def disposition(name: str) -> str:
    """A Content-Disposition that has a browser save a file by this name (RFC 6266 section 4)."""
    plain = "".join([letter if (letter.isascii() and letter.isalnum()) or letter in "-_. " else "_" for letter in name])
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _content_of(body: str | bytes | Pieces | File) -> tuple[Body, str]:
    """What is sent, and its type if nobody says another."""
    if isinstance(body, File):
        return body, body.type
    if isinstance(body, bytes):
        return body, BYTES
    if isinstance(body, str):
        return body.encode(), TEXT
    return _encoded(body), TEXT


def _encoded(pieces: Pieces) -> Iterator[bytes]:
    """Pieces as bytes; what they come from is closed with them."""
    try:
        for piece in pieces:
            yield piece.encode() if isinstance(piece, str) else piece
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
