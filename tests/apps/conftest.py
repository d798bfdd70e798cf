"""Requests made by hand, and a folder to ask for: what every test of an application kind needs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from forkserver.apps.static import Static, StaticOptions
from forkserver.http.request import Asked, Ends, Fields, Head, Request, RequestLine
from forkserver.http.response import FileSlice, Response
from tests.apps.wsgi_calls import SPOOLED

LATER = 60.0  # seconds: so long after the files were made, nothing about them is new any more


def request_of(method: str, target: str, *, script: str = "", now: float | None = None, **fields: str) -> Request:
    """A request as the parser and the routing would make it; `if_match` stands for If-Match and so on."""
    raw_path, _, query = target.partition("?")
    path = unquote_to_bytes(raw_path).decode("latin-1")
    line = RequestLine(f"{method} {target} HTTP/1.1", method, target, raw_path, path, query, 1, None)
    items = tuple((name.replace("_", "-"), value) for name, value in fields.items())
    block = Fields(items, dict(items), None, False, False, 0, False, False)
    head = Head(line, block, fields.get("host", "localhost"), 0, True, 0)
    assert path.startswith(script)
    moment = time.time() + LATER if now is None else now
    asked = Asked(head, script, path[len(script) :])
    return Request(asked, Ends(("127.0.0.1", 1), ("127.0.0.1", 80)), b"", moment)


class Answer:
    """A response whose body has been taken, and its files closed."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.status = response.status
        self.fields = {name.lower(): value for name, value in response.fields}
        self.still = response.still
        body: Any = response.body
        self.from_file = isinstance(body, FileSlice) or (
            isinstance(body, tuple) and any(isinstance(piece, FileSlice) for piece in body)
        )
        pieces = [body] if isinstance(body, bytes | FileSlice) else list(body)
        self.body = b"".join(map(taken, pieces))

    def __getitem__(self, name: str) -> str | None:
        return self.fields.get(name.lower())


def taken(piece: bytes | FileSlice) -> bytes:
    """The bytes of one piece of a body."""
    if isinstance(piece, bytes):
        return piece
    with closing(piece.file) as file:
        return os.pread(file.fileno(), piece.length, piece.offset)


@pytest.fixture(autouse=True)
def _no_spooled_bodies_left() -> Iterator[None]:
    yield
    while SPOOLED:
        SPOOLED.pop().close()


@pytest.fixture(scope="session")
def request_for() -> Callable[..., Request]:
    """`request_for(method, target, script=, now=, **fields)` is a request."""
    return request_of


@pytest.fixture
def give() -> Callable[..., Response]:
    """`give(app, method, target, script=, now=, **fields)` is the response of an application, untouched."""

    def call(app: Any, method: str, target: str, **circumstances: Any) -> Response:
        return app.respond(request_of(method, target, **circumstances))

    return call


@pytest.fixture
def ask(give: Callable[..., Response]) -> Callable[..., Answer]:
    """The same, with its body taken."""
    return lambda *request, **circumstances: Answer(give(*request, **circumstances))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that `site` serves, in a folder that it must not."""
    folder = tmp_path / "root"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def site(root: Path) -> Iterator[Callable[..., Static]]:
    """Makes a loaded Static of `root` with the options given."""
    made = []

    def make(**options: Any) -> Static:
        app = Static(StaticOptions(static=str(root), **options), "")
        app.load()
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()
