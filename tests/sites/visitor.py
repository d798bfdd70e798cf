"""A person with a browser, as far as tests need one: cookies, forms, uploads, over a connection that is kept.

Knows HTTP and HTML, and nothing of the server or of the applications; what the wire brings is judged by `Talk`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from socket import socket
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from tests.wire.talk import Reply, Talk

PIECE = bytes(range(256)) * 1024  # 256 KiB
BOUNDARY = "a-boundary-that-no-file-holds"


@dataclass
class Form:
    """A form of a page: where it goes and what it says if nobody fills it in."""

    action: str
    values: dict[str, str] = field(default_factory=dict)


class Forms(HTMLParser):
    """The forms of a page by their id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, Form] = {}
        self._open: Form | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self._open = self.found[given.get("id", "")] = Form(given.get("action", ""))
        elif tag == "input" and self._open and "name" in given and given.get("type") != "submit":
            self._open.values[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


@dataclass
class Page:
    """What a visitor sees."""

    path: str
    reply: Reply

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def text(self) -> str:
        return self.reply.body.decode()

    @property
    def json(self) -> Any:
        assert self.reply.status == 200, self.text
        return json.loads(self.reply.body)

    @property
    def field(self) -> dict[str, str]:
        """The fields but for those that may come more than once."""
        return {name: value for name, value in self.reply.items if name != "set-cookie"}

    @property
    def listed(self) -> list[str]:
        """The items of the page's lists."""
        return re.findall(r"<li>(.*?)</li>", self.text)

    def form(self, name: str) -> Form:
        found = Forms(self.text).found
        assert name in found, f"{self.path} has no form {name}:\n{self.text}"
        return found[name]


class Visitor:
    """One person, one connection at a time."""

    def __init__(self, connect: Callable[[], socket], port: int) -> None:
        self._connect = connect
        self._host = f"127.0.0.1:{port}"
        self._talk: Talk | None = None
        self.cookies: dict[str, str] = {}
        self.connections = 0

    def close(self) -> None:
        """Let go of the connection; the next request opens another one."""
        if self._talk:
            self._talk.sock.close()
        self._talk = None

    def get(self, path: str, *lines: str) -> Page:
        return self.ask("GET", path, *lines)

    def head(self, path: str, *lines: str) -> Page:
        return self.ask("HEAD", path, *lines)

    def ask(self, method: str, path: str, *lines: str, body: Iterator[bytes] | None = None) -> Page:
        """One request; `lines` are fields of its head, `body` is sent as it is."""
        talk = self._talk = self._talk or self._open()
        fields = [f"Host: {self._host}", *lines]
        if self.cookies:
            fields.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        talk.send("\r\n".join([f"{method} {path} HTTP/1.1", *fields, "", ""]).encode())
        for piece in body or ():
            talk.send(piece)
        page = Page(path, talk.reply(method))
        self._keep(page.reply)
        return page

    def follow(self, page: Page) -> Page:
        """Go where a redirect leads, on this server."""
        assert page.status in (302, 303), page.text
        target = urlsplit(urljoin(f"http://{self._host}{page.path}", page.field["location"]))
        assert target.netloc == self._host
        return self.get(target.path + (f"?{target.query}" if target.query else ""))

    def submit(self, page: Page, name: str, /, **values: str) -> Page:
        """Fill in a form of a page and send it."""
        form = page.form(name)
        body = urlencode({**form.values, **values}).encode()
        described = ("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}")
        return self.ask("POST", urljoin(page.path, form.action), *described, body=iter([body]))

    def upload(self, page: Page, name: str, size: int, /, *, chunked: bool = False, **values: str) -> Page:
        """Fill in a form that has a field `file` and send it with `size` bytes, a multiple of PIECE's length."""
        form = page.form(name)
        filled = {**form.values, **values}
        filled.pop("file")
        pieces = list(multipart(filled, size))
        described = [f"Content-Type: multipart/form-data; boundary={BOUNDARY}"]
        if chunked:
            described.append("Transfer-Encoding: chunked")
            pieces = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""]]
        else:
            described.append(f"Content-Length: {sum(map(len, pieces))}")
        return self.ask("POST", urljoin(page.path, form.action), *described, body=iter(pieces))

    def _open(self) -> Talk:
        self.connections += 1
        return Talk(self._connect())

    def _keep(self, reply: Reply) -> None:
        for name, value in reply.items:
            if name == "set-cookie":
                for key, cookie in SimpleCookie(value).items():
                    self.cookies[key] = cookie.value
                    if cookie["max-age"] == "0" or cookie["expires"].startswith("Thu, 01 Jan 1970"):
                        del self.cookies[key]
        if dict(reply.items).get("connection") == "close":
            self.close()


def multipart(values: dict[str, str], size: int) -> Iterator[bytes]:
    """A form's body (RFC 7578); all but the ends of the file are one and the same object in memory."""
    head = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in values.items()
    ]
    head.append(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    yield "".join(head).encode()
    assert size % len(PIECE) == 0
    for _ in range(size // len(PIECE)):
        yield PIECE
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def checksum_of(size: int) -> str:
    """The checksum of the file that `upload` sends."""
    checksum = hashlib.sha256()
    for _ in range(size // len(PIECE)):
        checksum.update(PIECE)
    return checksum.hexdigest()
