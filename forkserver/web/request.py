"""What a handler is given: a request as it came, each part of it read when it is first asked for.

Knows how the parts are read; nothing of what becomes of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from io import BytesIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, urlencode

from forkserver.http.request import Request as Call
from forkserver.web import cookies, forms
from forkserver.web.errors import BadRequest, UnsupportedMediaType
from forkserver.web.forms import NOTHING, Form, Uploads
from forkserver.web.sessions import Session
from forkserver.web.values import Headers, Values

if TYPE_CHECKING:
    from forkserver.web.site import Site

_IN_PATH = "!$&'()*+,;=:@/~"  # besides letters and digits (RFC 3986 section 3.3)


class Request:
    """One request.

    What a client may send wrongly raises an HTTPError, which answers it, unless the handler catches it.
    """

    opened: Form | None = None  # to be closed
    session_used: Session | None = None  # to be looked at when the answer is there

    def __init__(self, call: Call, site: Site, arguments: Mapping[str, Any]) -> None:
        """`call` is the server's."""
        self.call, self.site, self._arguments = call, site, arguments

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target}>"

    # What is asked, and by whom.

    @property
    def method(self) -> str:
        """As sent: `GET`, in capitals."""
        return self.call.asked.head.line.method

    @property
    def target(self) -> str:
        """The path and the query as they were sent, encoded."""
        return self.call.asked.head.line.target

    @cached_property
    def path(self) -> str:
        """Decoded, below the site's mount; it begins with a slash.  BadRequest when it is not UTF-8."""
        return text_of(self.call.asked.path)

    @property
    def params(self) -> Mapping[str, Any]:
        """What the path has for the handler, by the names in its route."""
        return MappingProxyType(self._arguments)

    @cached_property
    def script(self) -> str:
        """The mount of the site: "" or, decoded, as "/shop"."""
        return text_of(self.call.asked.script)

    @property
    def scheme(self) -> str:
        """http, or https where the server was told so by a proxy that it trusts."""
        return self.call.asked.scheme

    @property
    def host(self) -> str:
        """The host that was asked for, with its port if the client told one; "" when it told none."""
        line, fields = self.call.asked.head[:2]
        return line.authority or fields.host or ""

    @property
    def client(self) -> str:
        """The address of whoever asks."""
        return self.call.peer[0]

    @property
    def user(self) -> str:
        """The name that whoever asks has signed in with, where the server asks for one (`auth`); else ""."""
        return self.call.asked.user

    @cached_property
    def headers(self) -> Headers:
        """The header fields, by name."""
        return Headers(self.call.asked.head.fields.values)

    @cached_property
    def query(self) -> Values:
        """What stands after the question mark."""
        return forms.parse_query(self.call.asked.head.line.query, self.site.limits)

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """The cookies that the client has of us."""
        lines = [value for name, value in self.call.asked.head.fields.items if name == "cookie"]
        return cookies.parse(lines)

    # What was sent with it.

    @property
    def type(self) -> str:
        """The media type of the body, in lower case and without parameters; "" when it is not told."""
        return self.headers.get("content-type", "").partition(";")[0].strip(" \t").lower()

    @cached_property
    def body(self) -> bytes:
        """All of the body."""
        body = self.call.body
        return body if isinstance(body, bytes) else self.file.read()

    @property
    def file(self) -> BinaryIO:
        """The body from its beginning, to be read in portions.

        Where another server calls the site it comes but once: either here, or in `body`, `form` and `json`.
        """
        body: bytes | BinaryIO = self.__dict__.get("body", self.call.body)
        if isinstance(body, bytes):
            return BytesIO(body)
        if body.seekable():
            body.seek(0)
        return body

    @cached_property
    def json(self) -> Any:
        """The body as JSON.  UnsupportedMediaType when it is said to be something else, BadRequest when it is none.

        No page of another site can send this type without asking first, so it is insisted upon.
        """
        if self.type != "application/json" and not self.type.endswith("+json"):
            raise UnsupportedMediaType("This address takes JSON: Content-Type: application/json.")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise BadRequest("The body is not JSON.") from None

    @property
    def form(self) -> Values:
        """The values of a form; there are none when no form was sent.  BadRequest, ContentTooLarge."""
        return self._form.values

    @property
    def uploads(self) -> Uploads:
        """The files of a form, until the handler has returned."""
        return self._form.uploads

    @cached_property
    def _form(self) -> Form:
        if self.type == forms.URLENCODED:
            return forms.parse_urlencoded(self.body, self.site.limits)
        if self.type == forms.MULTIPART:
            self.opened = forms.parse_multipart(self.headers["content-type"], self.file, self.site.limits)
            return self.opened
        return NOTHING

    # What belongs to the visit.

    @cached_property
    def session(self) -> Session:
        """What the site keeps of the visitor, in a signed cookie.  RuntimeError when the site has no secret."""
        sessions = self.site.sessions
        self.session_used = sessions.open(self.cookies.get(sessions.name))
        return self.session_used

    @cached_property
    def state(self) -> dict[str, Any]:
        """A place for what hooks have to tell the handler."""
        return {}

    def url(self, path: str, **query: object) -> str:
        """The address of a path of this site, wherever that is mounted; for links, forms and redirects."""
        address = quote(self.script + path, safe=_IN_PATH)
        return f"{address}?{urlencode(query)}" if query else address

    def extend(self, seconds: float = 0.0) -> float:
        """Have at least `seconds` from now on, within what the server allows; give how many there are."""
        return self.call.extend(seconds)


def text_of(path: str) -> str:
    """Text of a part of a path, which is UTF-8 bytes as latin-1 (PEP 3333).  BadRequest when they are not UTF-8."""
    if path.isascii():
        return path
    try:
        return path.encode("latin-1").decode()
    except UnicodeDecodeError:
        raise BadRequest("The path is not UTF-8.") from None
