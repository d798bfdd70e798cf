"""The kind `web`: how its site is found, told of the server, and refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkserver.apps import KINDS, loading
from forkserver.apps.app import AppError
from forkserver.apps.web import Web, WebOptions
from forkserver.config import parse
from tests.apps.wsgi_calls import Taken, call_of

SITE = """
import os
from forkserver.web import Site
site = Site()
other = Site(secret=os.environ.get("SECRET", ""))
@site.get("/<name>")
def page(request, name):
    return f"{name} of {__name__} below {request.script}"
@other.error(500)
def broken(request, error):
    return "sorry"
@other.get("/")
def fails(request):
    raise RuntimeError("broken")
def make():
    return other
def application(environ, start_response):
    pass
"""


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of what a test imports or sets is there for the next."""
    modules, variables = set(sys.modules), dict(os.environ)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(loading, "_GIVEN", {})
    yield
    os.environ.clear()
    os.environ.update(variables)
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "pages_site.py").write_text(SITE)
    return str(tmp_path)


def loaded(web: str, *path: str, env: tuple[tuple[str, str], ...] = ()) -> Web:
    app = Web(WebOptions(web=web, path=path, env=env), "/m")
    app.load()
    return app


def test_the_table_of_kinds_knows_it() -> None:
    assert KINDS["web"] is Web
    assert (Web.methods, Web.reads_body, Web.blocking) == (None, True, True)
    (mount,) = parse("[/]\nweb = pages\nenv = A=1", "server.ini", KINDS, environ={}).mounts
    assert (mount.options.web, mount.options.path, mount.options.env) == ("pages", (), (("A", "1"),))


@pytest.mark.parametrize("web", ["pages_site", "pages_site:site"])
def test_a_site_answers_without_anything_in_between(folder: str, web: str) -> None:
    app = loaded(web, folder)
    assert app.respond == app.site.respond
    call = call_of("GET /m/one", script="/m")
    assert Taken(call, app.respond(call)).body == b"one of pages_site below /m"
    assert Taken(call, app.respond(call)).body == b"one of pages_site below /m"
    assert call.asked.note is not None


def test_a_factory_and_the_error_log(folder: str) -> None:
    app = loaded("pages_site:make()", folder, env=(("SECRET", "0123456789abcdef"),))
    lines: list[str] = []
    app.employ(threads=8, errors=lines.append)
    call = call_of("GET /m/", script="/m")
    assert Taken(call, app.respond(call)).body == b"sorry"
    assert lines[0].startswith("[/m]: GET /m/ failed:\nTraceback")
    app.close()


@pytest.mark.parametrize(
    ("web", "env", "why"),
    [
        ("none_such_site", (), "there is no module none_such_site"),
        ("pages_site:sit", (), r"has no attribute sit; did you mean site\?"),
        (
            "pages_site:application",
            (),
            "is a thing of type function, not a Site .*; to be served .*, write wsgi = pages",
        ),
        ("pages_site:__name__", (), "is a thing of type str, not a Site of forkserver.web$"),
        ("pages_site:other", (("SECRET", "short"),), "(?s)cannot serve:.*a secret has at least 16 characters"),
    ],
)
def test_what_cannot_be_served_is_told(folder: str, web: str, env: tuple[tuple[str, str], ...], why: str) -> None:
    with pytest.raises(AppError, match=why):
        loaded(web, folder, env=env)


def test_what_is_no_target_is_told_with_its_line() -> None:
    with pytest.raises(Exception, match="pages:site, and path tells its folder"):
        parse("[/]\nweb = pages.py", "server.ini", KINDS, environ={})
