"""Which handler answers: patterns, converters, 404, 405 with Allow, HEAD and OPTIONS."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from forkserver.web import Request, Response, Site


def named(name: str) -> Any:
    """A handler that tells its name and its arguments."""
    return lambda request, **arguments: {"handler": name, **arguments}


@pytest.fixture
def site() -> Site:
    site = Site()
    site.converter("date", r"\d{4}-\d\d-\d\d", date.fromisoformat)
    site.get("/")(named("home"))
    site.get("/page/<name>")(named("page"))
    site.get("/page/new")(named("new"))
    site.post("/page/<name>")(named("write"))
    site.get("/entry/<int:id>")(named("entry"))
    site.get("/files/<path:rest>")(named("files"))
    site.get("/day/<date:when>")(lambda request, when: when.strftime("%A"))
    site.route("/many", ("GET", "PUT", "BREW"))(named("many"))
    site.delete("/<int:a>-<int:b>/x.y")(named("two"))
    return site


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", {"handler": "home"}),
        ("/page/one", {"handler": "page", "name": "one"}),
        ("/page/new", {"handler": "new"}),
        ("/page/größe 1", {"handler": "page", "name": "größe 1"}),
        ("/entry/0042", {"handler": "entry", "id": 42}),
        ("/files/a/b.txt", {"handler": "files", "rest": "a/b.txt"}),
        ("/many", {"handler": "many"}),
    ],
)
def test_a_path_leads_to_its_handler(site: Site, path: str, found: dict[str, Any]) -> None:
    assert site.test().get(path).json == found


@pytest.mark.parametrize(
    "path",
    [
        *("/none", "/page/", "/page/a/b", "/page/a/", "//", "/PAGE/one", "/page/a%2Fb", "/files/", "/many/"),
        *("/entry/", "/entry/x", "/entry/-1", "/entry/1234567890123456789", "/entry/٣", "/day/2026-02-30"),
        *("/1-2/xzy", "/1-2/x.y/"),
    ],
)
def test_what_nobody_answers_for_is_404(site: Site, path: str) -> None:
    reply = site.test().get(path)
    assert reply.status == 404
    assert "There is nothing at this address." in reply.text


def test_a_path_that_is_no_utf8_is_400(site: Site) -> None:
    assert site.test().get("/page/%ff").status == 400


def test_own_converters_give_what_they_make_of_the_text(site: Site) -> None:
    assert site.test().get("/day/2026-11-25").text == "Wednesday"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/page/one", "GET, HEAD, POST, OPTIONS"),
        ("GET", "/1-2/x.y", "DELETE, OPTIONS"),
        ("POST", "/many", "GET, HEAD, PUT, OPTIONS, BREW"),
        ("FOO", "/", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_is_405_and_told_which_there_are(site: Site, method: str, path: str, allow: str) -> None:
    reply = site.test().request(method, path)
    assert (reply.status, reply.headers["Allow"]) == (405, allow)


def test_head_is_get_without_its_body(site: Site) -> None:
    reply = site.test().head("/entry/1")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Content-Type"] == "application/json"
    assert site.test().head("/1-2/x.y").status == 405


def test_options_is_answered_for_what_is_there(site: Site) -> None:
    reply = site.test().options("/page/one")
    assert (reply.status, reply.body, reply.headers["allow"]) == (204, b"", "GET, HEAD, POST, OPTIONS")
    assert "content-type" not in reply.headers
    assert site.test().options("/none").status == 404


def test_a_handler_of_its_own_for_head_and_options_goes_first() -> None:
    site = Site()
    site.get("/")(lambda request: "get")
    site.route("/", ("HEAD", "OPTIONS"))(lambda request: Response("", headers={"X-Own": request.method}))
    assert site.test().head("/").headers["x-own"] == "HEAD"
    assert site.test().options("/").headers["x-own"] == "OPTIONS"


def test_a_pattern_answers_where_the_path_that_is_written_out_has_no_such_method(site: Site) -> None:
    assert site.test().post("/page/new").json == {"handler": "write", "name": "new"}


def test_the_first_pattern_that_has_the_method_answers() -> None:
    site = Site()
    site.get("/<a>")(lambda request, a: f"a {a}")
    site.route("/<b>", ("GET", "PUT"))(lambda request, b: f"b {b}")
    assert site.test().get("/1").text == "a 1"
    assert site.test().put("/1").text == "b 1"


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("page", "is not written as /path"),
        ("", "is not written as /path"),
        ("/<a", "is not written as /path"),
        ("/<a>>", "is not written as /path"),
        ("/<9>", "is not written as /path"),
        ("/<a>/<a>", "<a> is there twice"),
        ("/<no:a>", "there is no converter no; known are str, int, path"),
    ],
)
def test_what_is_no_pattern_is_told_at_once(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Site().get(pattern)(named("x"))


def test_one_handler_for_a_method_of_a_pattern() -> None:
    site = Site()
    site.get("/")(named("x"))
    with pytest.raises(ValueError, match="GET / has a handler already"):
        site.route("/", ("POST", "GET"))(named("x"))
    with pytest.raises(ValueError, match="'get' is no method"):
        site.route("/b", ("get",))(named("x"))


def test_letters_that_mean_something_in_expressions_are_letters() -> None:
    site = Site()
    site.get("/a.b+c(<x>)$")(lambda request, x: x)
    assert site.test().get("/a.b+c(1)$").text == "1"
    assert site.test().get("/aXb+c(1)$").status == 404


def test_below_a_mount_the_path_is_the_rest_and_links_have_the_mount(site: Site) -> None:
    @site.get("/link")
    def link(request: Request) -> dict[str, str]:
        return {"path": request.path, "script": request.script, "url": request.url("/ä b", q="x y&z", n=1)}

    reply = site.test(script="/shöp").get("/link")
    assert reply.json == {"path": "/link", "script": "/shöp", "url": "/sh%C3%B6p/%C3%A4%20b?q=x+y%26z&n=1"}
    assert site.test().get("/link").json["url"] == "/%C3%A4%20b?q=x+y%26z&n=1"


def test_the_mount_without_its_slash_leads_to_the_page_with_it(site: Site) -> None:
    reply = site.test(script="/shop").get("", query={"a": "b c"})
    assert (reply.status, reply.headers["location"]) == (308, "/shop/?a=b+c")
