"""The examples of docs/web.md do what is said of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import forkserver.web
from forkserver.web import Request, Response, Site, Values
from tests.daemons import ROOT

TEXT = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")
CODE = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the examples define, one after the other in one module."""
    made: dict[str, Any] = {"__name__": "pages"}
    for code in CODE:
        exec(compile(code, "docs/web.md", "exec", dont_inherit=True), made)
    return made


def test_the_routes(names: dict[str, Any]) -> None:
    client = names["site"].test(script="/shop")
    assert client.get("/").text == "<h1>Hello</h1>"
    assert client.get("/entry/7").json == {"number": 7}
    assert client.put("/entry/7").text == "7 is changed"
    assert client.get("/search", query={"words": "a b"}).text == client.post("/search", form={"words": "a b"}).text
    assert client.get("/diary/2026-11-25").text == "Wednesday"
    assert client.get("/page/one").text == "The first page."
    assert client.get("/page/secret").status == 418
    assert (client.get("/page/two").status, client.get("/page/two").text) == (404, "<h1>Nothing here</h1>")
    assert client.get("/").headers["x-content-type-options"] == "nosniff"
    assert names["site"].test(address="192.0.2.1").get("/admin").status == 403
    assert client.get("/admin").status == 404


def test_the_test(names: dict[str, Any]) -> None:
    names["test_hello"]()


def test_sessions_and_cookies(names: dict[str, Any]) -> None:
    client = names["members"].test()
    assert [client.get("/visits").text[-1] for _ in range(2)] == ["1", "2"]
    assert client.post("/language", form={"language": "zh"}).headers["location"] == "/visits"
    assert client.cookies["language"] == "zh"


def test_templates(names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (markup,) = re.findall(r"^```html\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "wares.html").write_text(markup)
    monkeypatch.chdir(tmp_path)
    text = names["shop"].test(script="/s").get("/").text
    assert '<li><a href="/s/ware/%3Cmilk%3E">&lt;milk&gt;</a></li>' in text


def test_what_is_named_is_there() -> None:
    request = {
        row.strip("`") for row in re.findall(r"`(\w+)", TEXT.partition("\n## Requests\n")[2].partition("\nA val")[0])
    }
    known = {name for kind in (Request, Values, forkserver.web.Upload) for name in dir(kind)}
    instance = {"name", "type", "size", "file"}
    assert request - known - instance - {"https", "request_timeout", "form", "uploads"} == set()
    for method in re.findall(r"`Response\.(\w+)\(", TEXT):
        assert hasattr(Response, method)
    for name in re.findall(r"`site\.(\w+)", TEXT):
        assert hasattr(Site(), name)
