"""What handlers return and raise, and what becomes of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forkserver.web import Event, HTTPError, MissingValue, NotFound, Request, Response, Site, is_local
from forkserver.web.testing import Reply


def answer(result: Any, method: str = "GET", **circumstances: Any) -> Reply:
    """What a visitor is told when a handler returns this, or what it returns when it is called."""
    site = Site()
    site.route("/", (method,))(lambda request: result(request) if callable(result) else result)
    return site.test(**circumstances).request(method, "/")


class Markup(str):
    def __html__(self) -> str:
        return self


@pytest.mark.parametrize(
    ("result", "kind", "body"),
    [
        ("<b>größe", "text/plain; charset=utf-8", "<b>größe".encode()),
        (Markup("<b>"), "text/html; charset=utf-8", b"<b>"),
        (b"\xff", "application/octet-stream", b"\xff"),
        ({"a": ["ö", 1, None]}, "application/json", '{"a":["ö",1,null]}'.encode()),
        ([], "application/json", b"[]"),
        (Response.html("<p>"), "text/html; charset=utf-8", b"<p>"),
        (Response("a,b", type="text/csv"), "text/csv", b"a,b"),
        ((piece for piece in ["a", "ö"]), "text/plain; charset=utf-8", "aö".encode()),
        (Response("x", headers={"content-type": "text/x"}), "text/x", b"x"),
        (Response(iter([b"1", b"2"]), type="video/mp4"), "video/mp4", b"12"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_a_handler_returns(result: Any, kind: str, body: bytes) -> None:
    reply = answer(result)
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, kind, body)


def test_a_handler_that_yields_streams() -> None:
    closed = []

    def pieces(request: Request) -> Iterator[str]:
        try:
            yield "one "
            yield "two"
        finally:
            closed.append(True)

    assert answer(pieces).text == "one two"
    assert closed == [True]


@pytest.mark.parametrize("result", [None, 1, ("a", 200), object()])
def test_what_is_no_answer_is_told(result: Any) -> None:
    with pytest.raises(TypeError, match="a handler returns a Response, str"):
        answer(result)


def test_json_is_the_standards_own() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Response.json(math.nan)
    with pytest.raises(TypeError):
        Response.json(object())


@pytest.mark.parametrize("body", ["", b""])
def test_what_has_no_body_has_no_type(body: str | bytes) -> None:
    assert Response(body, 204).fields == ()
    reply = answer(Response(body, 204))
    assert (reply.status, dict(reply.headers)) == (204, {})


@pytest.mark.parametrize("status", [199, 100, 600, 0])
def test_a_status_is_a_final_one(status: int) -> None:
    with pytest.raises(ValueError, match="no status of an answer"):
        Response("", status)


# Header fields.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Split", "a\r\nSet-Cookie: b"),
        ("X-Split", "a\nb"),
        ("X-Null", "\0"),
        ("X-Wide", "€"),
        ("X Y", "a"),
        ("", "a"),
        ("X:", "a"),
        ("Content-Length", "5"),
        ("connection", "close"),
        ("Transfer-Encoding", "chunked"),
    ],
)
def test_no_header_can_begin_another_or_contradict_the_server(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        Response("", headers={name: value})
    response = Response("")
    with pytest.raises(ValueError, match="cannot be"):
        response.headers[name] = value
    with pytest.raises(ValueError, match="cannot be"):
        response.headers.add(name, value)
    assert response.fields == (("Content-Type", "text/plain; charset=utf-8"),)


def test_a_type_cannot_either() -> None:
    with pytest.raises(ValueError, match="cannot be the value of Content-Type"):
        Response(b"", type="text/html\r\nX: y")


def test_headers_are_set_added_read_and_taken_away() -> None:
    response = Response("", headers={"X-One": "1"})
    headers = response.headers
    headers["x-one"] = "2"
    headers.add("X-One", "3")
    assert headers["X-ONE"] == "2, 3"
    assert sorted(headers) == ["Content-Type", "X-One"]
    assert len(headers) == 2
    del headers["X-one"]
    assert "x-one" not in headers
    with pytest.raises(KeyError):
        del headers["x-one"]


# Redirects.


@pytest.mark.parametrize(
    ("target", "location"),
    [("/", "/"), ("/a?b=c#d", "/a?b=c#d"), ("/größe x", "/gr%C3%B6%C3%9Fe%20x"), ("/a%20b", "/a%20b")],
)
def test_a_redirect(target: str, location: str) -> None:
    reply = answer(Response.redirect(target))
    assert (reply.status, reply.headers["location"], reply.body) == (303, location, b"")


ELSEWHERE = [
    *("https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "", "a/b"),
    *("/\t/evil.example", "/a\r\nX: y", " /a", "http:/a", "///evil.example", "/a\x7f"),
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_nobody_is_sent_elsewhere_by_accident(target: str) -> None:
    assert not is_local(target)
    with pytest.raises(ValueError, match="is not a path of this host"):
        Response.redirect(target)


def test_elsewhere_on_purpose() -> None:
    reply = answer(Response.redirect("https://example.org/a b", 301, elsewhere=True))
    assert (reply.status, reply.headers["location"]) == (301, "https://example.org/a%20b")
    with pytest.raises(ValueError, match="no status of a redirect"):
        Response.redirect("/", 200)
    assert Response.redirect("/a\r\nX: y", elsewhere=True).headers["location"] == "/a%0D%0AX:%20y"


# Events.


def test_events() -> None:
    sent = ["one\ntwo", Event("3", name="tick", id="7", retry=500), Event("a\r\nb\rc")]
    reply = answer(Response.events(sent))
    assert (reply.headers["content-type"], reply.headers["cache-control"]) == ("text/event-stream", "no-store")
    assert reply.text == (
        "data: one\ndata: two\n\nevent: tick\nid: 7\nretry: 500\ndata: 3\n\ndata: a\ndata: b\ndata: c\n\n"
    )
    for wrong in ({"name": "a\nb"}, {"id": "a\rb"}, {"id": "\0"}):
        with pytest.raises(ValueError, match="one line each"):
            Event("", **wrong)


# Errors.


def raises(error: BaseException) -> Any:
    def handler(request: Request) -> None:
        raise error

    return handler


def test_an_error_that_is_raised_is_the_answer() -> None:
    reply = answer(raises(HTTPError(409, "<taken>", {"X-Why": "name"})))
    assert (reply.status, reply.headers["x-why"]) == (409, "name")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "409 Conflict" in reply.text
    assert "&lt;taken&gt;" in reply.text
    assert answer(raises(NotFound())).status == 404
    assert answer(raises(MissingValue("name"))).status == 400
    assert str(NotFound("gone")) == "404 gone"


@pytest.mark.parametrize("status", [200, 303, 399, 600])
def test_errors_have_statuses_of_errors(status: int) -> None:
    with pytest.raises(ValueError, match="no status of an error"):
        HTTPError(status)


def test_what_else_is_raised_is_the_servers_to_answer() -> None:
    with pytest.raises(RuntimeError, match="broken"):
        answer(raises(RuntimeError("broken")))


def test_pages_for_errors() -> None:
    site = Site()
    lines: list[str] = []
    site.log = lines.append
    site.get("/broken")(raises(RuntimeError("a secret")))

    @site.error(404)
    def missing(request: Request, error: HTTPError) -> str:
        return f"no {request.path}: {error.detail}"

    @site.error(405)
    def wrong(request: Request, error: HTTPError) -> Response:
        return Response("another status", 400)

    @site.error(500)
    def broken(request: Request, error: HTTPError) -> dict[str, int]:
        return {"status": error.status}

    client = site.test()
    assert (client.get("/x").status, client.get("/x").text) == (404, "no /x: ")
    assert (client.post("/broken").status, client.post("/broken").headers["allow"]) == (400, "GET, HEAD, OPTIONS")
    reply = client.get("/broken", query={"a": 1})
    assert (reply.status, reply.json) == (500, {"status": 500})
    assert lines[0].startswith("GET /broken?a=1 failed:\nTraceback")
    assert "RuntimeError: a secret" in lines[0]


# Hooks.


def test_hooks() -> None:
    site = Site()
    seen: list[str] = []

    @site.before
    def guard(request: Request) -> Any:
        seen.append(request.path)
        request.state["user"] = request.headers.get("x-user", "nobody")
        return Response("who?", 401) if request.state["user"] == "nobody" else None

    @site.before
    def second(request: Request) -> None:
        seen.append("second")

    @site.after
    def mark(request: Request, response: Response) -> None:
        response.headers["X-Marked"] = str(response.status)

    @site.after
    def replace(request: Request, response: Response) -> Response | None:
        return Response("replaced") if request.path == "/replace" else None

    site.get("/who")(lambda request: request.state["user"])
    client = site.test()
    assert (client.get("/who").status, client.get("/who").headers["x-marked"]) == (401, "401")
    assert seen == ["/who", "/who"]
    client = site.test(headers={"X-User": "ann"})
    assert client.get("/who").text == "ann"
    assert seen[2:] == ["/who", "second"]
    assert client.get("/none").headers["x-marked"] == "404"  # pages of errors go the same way
    assert client.get("/replace").text == "replaced"


def test_a_hook_is_met_even_where_nothing_is() -> None:
    """Who may not come in is not told which addresses there are."""
    site = Site()
    site.before(lambda request: Response("no", 403))
    assert site.test().get("/none").status == 403
    assert site.test().post("/none", headers={"Origin": "https://evil.example"}).status == 403


def test_an_answer_that_is_given_every_time_keeps_nothing_of_a_visitor() -> None:
    site = Site(secret="0123456789abcdef")
    always = Response("the same")

    @site.get("/")
    def handler(request: Request) -> Response:
        request.session["who"] = request.query["who"]
        return always

    @site.after
    def mark(request: Request, response: Response) -> None:
        response.headers.add("X-Marked", request.query["who"])
        response.set_cookie("who", request.query["who"])

    first, second = (site.test().get("/", query={"who": who}) for who in ("ann", "bob"))
    assert always.fields == (("Content-Type", "text/plain; charset=utf-8"),)
    assert always.cookies == ()
    assert [name for name, _ in second.fields].count("Set-Cookie") == 2
    assert "ann" not in str(second.fields)
    assert first.headers["x-marked"] == "ann"


# Templates.


@pytest.fixture
def pages(tmp_path: Path) -> Site:
    (tmp_path / "page.html").write_text("{{ word }} <a href=\"{{ url('/x', q=word) }}\">{{ request.method }}</a>")
    (tmp_path / "typo.html").write_text("{{ wrod }}")
    site = Site(templates=tmp_path)
    site.get("/")(lambda request: site.render(request, "page.html", word="<b>&"))
    site.get("/typo")(lambda request: site.render(request, "typo.html", word=""))
    return site


def test_a_template_escapes(pages: Site) -> None:
    pages.check()
    reply = pages.test(script="/m").get("/")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.text == '&lt;b&gt;&amp; <a href="/m/x?q=%3Cb%3E%26">GET</a>'


def test_a_name_that_a_template_is_not_given_is_an_error(pages: Site) -> None:
    with pytest.raises(Exception, match="'wrod' is undefined"):
        pages.test().get("/typo")


def test_mistakes_in_templates_are_found_before_there_are_requests(pages: Site, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "bad.html").write_text("{% if %}")
    with pytest.raises(Exception, match="Expected an expression"):
        pages.check()
    with pytest.raises(NotADirectoryError, match="no folder of templates"):
        Site(templates=tmp_path / "none").check()
    with pytest.raises(RuntimeError, match="templates=FOLDER"):
        answer(lambda request: request.site.render(request, "x.html"))
