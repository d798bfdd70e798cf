"""A client for tests: asks a site as a visitor would, without a socket.

What is asked goes through the server's own parser, and what is answered through its own composer: neither can be what
the wire would not bear.  Knows both ends; nothing of what a site does in between.
"""

from __future__ import annotations

import json as jsons
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from forkserver.http.request import Asked, Ends, Parser
from forkserver.http.request import Request as Call
from forkserver.http.response import FileSlice, has_body, head_parts
from forkserver.web.values import Headers

if TYPE_CHECKING:
    from forkserver.web.site import Site

Files = Mapping[str, tuple[str, bytes, str]]  # by field: name of the file, content, type

_IN_TARGET = "!$%&'()*+,;=:@/?~"


class TestCall(Call):
    """A request that may take its time."""

    __test__ = False  # to pytest, no tests
    __slots__ = ()

    def extend(self, seconds: float = 0.0) -> float:
        return seconds


class Reply:
    """What a client was answered."""

    def __init__(self, status: int, fields: Iterable[tuple[str, str]], body: bytes) -> None:
        self.status, self.body = status, body
        self.fields = tuple(fields)
        joined: dict[str, str] = {}
        for name, value in self.fields:
            joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
        self.headers = Headers(joined)

    def __repr__(self) -> str:
        return f"<Reply {self.status}, {len(self.body)} bytes>"

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return jsons.loads(self.body)


class Client:
    """A visitor of a site: keeps cookies from one request to the next, follows no redirect.

    An exception that the server would have to answer is raised here.
    """

    def __init__(
        self,
        site: Site,
        *,
        script: str = "",
        host: str = "localhost",
        scheme: str = "http",
        address: str = "127.0.0.1",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`script` is where the site is mounted; `address` is the client's; `headers` go with every request."""
        self.site, self.script, self.host, self.scheme = site, script, host, scheme
        self.cookies: dict[str, str] = {}
        self._ends = Ends((address, 40000), ("127.0.0.1", 80))
        self._headers = dict(headers or {})
        self._parser = Parser()

    def get(self, path: str, **sent: Any) -> Reply:
        """GET; `sent` as of `request`, in all of these."""
        return self.request("GET", path, **sent)

    def head(self, path: str, **sent: Any) -> Reply:
        """HEAD."""
        return self.request("HEAD", path, **sent)

    def post(self, path: str, **sent: Any) -> Reply:
        """POST."""
        return self.request("POST", path, **sent)

    def put(self, path: str, **sent: Any) -> Reply:
        """PUT."""
        return self.request("PUT", path, **sent)

    def patch(self, path: str, **sent: Any) -> Reply:
        """PATCH."""
        return self.request("PATCH", path, **sent)

    def delete(self, path: str, **sent: Any) -> Reply:
        """DELETE."""
        return self.request("DELETE", path, **sent)

    def options(self, path: str, **sent: Any) -> Reply:
        """OPTIONS."""
        return self.request("OPTIONS", path, **sent)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        form: Mapping[str, object] | None = None,
        files: Files | None = None,
        json: Any = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Ask for a path of the site, below its mount, and give the answer.

        `form` and `files` are sent as a form, `json` as JSON, `body` as it is.  The BadRequest of `forkserver.http` is
        raised for what no server would take.
        """
        kind = ""
        if files is not None:
            kind, body = multipart_of(form or {}, files)
        elif form is not None:
            kind, body = "application/x-www-form-urlencoded", urlencode(form, doseq=True).encode()
        elif json is not None:
            kind, body = "application/json", jsons.dumps(json).encode()
        fields = {"Host": self.host, **({"Content-Type": kind} if kind else {})}
        if body or method not in ("GET", "HEAD", "OPTIONS", "DELETE"):
            fields["Content-Length"] = str(len(body))
        if self.cookies:
            fields["Cookie"] = "; ".join([f"{name}={value}" for name, value in self.cookies.items()])
        target = quote(self.script + path, safe=_IN_TARGET)
        if query:
            target += f"?{urlencode(query, doseq=True)}"
        return self._ask(method, target, {**fields, **self._headers, **(headers or {})}, body)

    def _ask(self, method: str, target: str, fields: Mapping[str, str], body: bytes) -> Reply:
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        head = self._parser.parse("\r\n".join(lines).encode("latin-1"))
        assert head is not None
        mount = self.script.encode().decode("latin-1")
        asked = Asked(head, mount, head.line.path[len(mount) :], self.scheme)
        answer = self.site.respond(TestCall(asked, self._ends, body, time.time()))
        head_parts(answer.status, answer.fields)  # raises for what cannot be sent
        content = taken(answer.body, wanted=has_body(method, answer.status))
        self._keep([value for name, value in answer.fields if name.lower() == "set-cookie"])
        return Reply(answer.status, answer.fields, content)

    def _keep(self, lines: Iterable[str]) -> None:
        for line in lines:
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.coded_value


def taken(body: Any, *, wanted: bool) -> bytes:
    """The bytes of a body, which is closed; b"" where none are wanted."""
    if isinstance(body, bytes):
        return body if wanted else b""
    if isinstance(body, FileSlice):
        with closing(body.file) as file:
            return os.pread(file.fileno(), body.length, body.offset) if wanted else b""
    try:
        return b"".join(body) if wanted else b""
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()


def multipart_of(form: Mapping[str, object], files: Files) -> tuple[str, bytes]:
    """(Content-Type, body) of a form with files, as a browser sends it (RFC 7578)."""
    boundary = secrets.token_hex(12)
    parts = [
        *((f'name="{name}"', str(value).encode()) for name, value in form.items()),
        *(
            (f'name="{name}"; filename="{_quoted(filename)}"\r\nContent-Type: {kind}', content)
            for name, (filename, content, kind) in files.items()
        ),
    ]
    pieces = [
        f"--{boundary}\r\nContent-Disposition: form-data; {about}\r\n\r\n".encode() + content + b"\r\n"
        for about, content in parts
    ]
    return f"multipart/form-data; boundary={boundary}", b"".join([*pieces, f"--{boundary}--\r\n".encode()])


def _quoted(name: str) -> str:
    """A file's name in a Content-Disposition (WHATWG HTML section 4.10.21.8)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
