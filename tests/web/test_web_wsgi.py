"""A site as a WSGI application: under wsgiref's judge and server, and under this server's own kind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.error import HTTPError as Refused
from urllib.request import Request as Asked
from urllib.request import urlopen
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from forkserver.web import Limits, NotFound, Request, Response, Site
from tests.apps.wsgi_calls import call_of, give

SITE = Site(secret="0123456789abcdef", limits=Limits(body=1000))


@SITE.get("/hello/<name>")
def hello(request: Request, name: str) -> str:
    return f"Hello, {name}! {request.query.get('q')} {request.script} {request.host} {request.client}"


@SITE.post("/length")
def length(request: Request) -> str:
    return str(len(request.body))


@SITE.post("/form")
def form(request: Request) -> dict[str, Any]:
    return {"values": dict(request.form), "files": {name: one.size for name, one in request.uploads.items()}}


@SITE.get("/stream")
def stream(request: Request) -> Iterator[str]:
    yield "one "
    yield "two"


@SITE.get("/file")
def file(request: Request) -> Response:
    return Response.file(__file__)


@SITE.delete("/thing")
def delete(request: Request) -> Response:
    return Response("", 204)


@SITE.get("/seen")
def seen(request: Request) -> str:
    request.session["seen"] = request.session.get("seen", 0) + 1
    return str(request.session["seen"])


@SITE.get("/missing")
def missing(request: Request) -> str:
    raise NotFound("really")


def environ_of(method: str, path: str, body: bytes = b"", **more: str) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "wsgi.input": BytesIO(body),
        **more,
    }
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    setup_testing_defaults(environ)
    if "CONTENT_TYPE" not in environ:
        environ["CONTENT_TYPE"] = ""
    return environ


def asked(method: str, path: str, body: bytes = b"", **more: Any) -> tuple[str, dict[str, str], bytes]:
    """(status, fields, body) that the validator lets through."""
    said: list[Any] = []
    result = validator(SITE)(
        environ_of(method, path, body, **more), lambda *head: said.append(head) or (lambda _: None)
    )
    try:
        content = b"".join(result)
    finally:
        result.close()  # type: ignore[attr-defined]
    ((status, fields),) = said
    return status, {name.lower(): value for name, value in fields}, content


def test_a_page() -> None:
    status, fields, body = asked("GET", "/hello/Ann", QUERY_STRING="q=1", SCRIPT_NAME="/m", REMOTE_ADDR="192.0.2.1")
    assert (status, body) == ("200 OK", b"Hello, Ann! 1 /m 127.0.0.1 192.0.2.1")
    assert fields["content-length"] == str(len(body))


@pytest.mark.parametrize("path", ["/hello/x", "/file", "/stream"])
def test_head(path: str) -> None:
    fields = asked("GET", path)[1]
    assert asked("HEAD", path)[1:] == (fields, b"")
    assert ("content-length" in fields) == (path != "/stream")


def test_a_file_and_a_part_of_it() -> None:
    with open(__file__, "rb") as opened:
        content = opened.read()
    assert asked("GET", "/file")[2] == content
    status, fields, body = asked("GET", "/file", HTTP_RANGE="bytes=3-9")
    assert (status, fields["content-length"], body) == ("206 Partial Content", "7", content[3:10])


def test_a_stream_and_no_content() -> None:
    assert asked("GET", "/stream")[2] == b"one two"
    status, fields, body = asked("DELETE", "/thing")
    assert (status, fields, body) == ("204 No Content", {}, b"")


def test_errors_and_methods() -> None:
    assert asked("GET", "/missing")[0] == "404 Not Found"
    assert asked("PUT", "/missing")[1]["allow"] == "GET, HEAD, OPTIONS"
    assert asked("OPTIONS", "/missing")[0] == "204 No Content"


@pytest.mark.parametrize(("size", "status"), [(0, "200 OK"), (1000, "200 OK"), (1001, "413 Content Too Large")])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_has_a_limit_of_its_own(size: int, status: str, chunked: bool) -> None:
    more: dict[str, Any] = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"} if chunked else {}
    environ = environ_of("POST", "/length", b"x" * size, **more)
    if chunked:
        environ.pop("CONTENT_LENGTH", None)
    said: list[Any] = []
    body = b"".join(SITE(environ, lambda *head: said.append(head)))
    assert said[0][0] == status
    assert body == str(size).encode() or status.startswith("413")


def test_what_does_not_tell_a_length_has_no_body() -> None:
    assert asked("POST", "/length", CONTENT_LENGTH="")[2] == b"0"


def test_cookies_and_https() -> None:
    _, fields, body = asked("GET", "/seen", **{"wsgi.url_scheme": "https"})
    assert body == b"1"
    assert "; Secure; " in fields["set-cookie"]
    cookie = fields["set-cookie"].partition(";")[0]
    assert asked("GET", "/seen", HTTP_COOKIE=cookie)[2] == b"2"


class Quiet(WSGIRequestHandler):
    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    """Python's own server, with the validator in between."""
    with make_server("127.0.0.1", 0, validator(SITE), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_under_another_server(address: str) -> None:
    with urlopen(f"{address}/hello/%C3%B6?q=2") as reply:
        assert reply.read().decode().startswith("Hello, ö! 2  127.0.0.1:")
    with urlopen(Asked(f"{address}/form", b"a=1&b=%C3%B6", method="POST")) as reply:
        assert reply.read().decode() == '{"values":{"a":"1","b":"ö"},"files":{}}'
    with urlopen(f"{address}/stream") as reply:
        assert reply.read() == b"one two"
    with pytest.raises(Refused) as caught:
        urlopen(f"{address}/none")
    with caught.value as refused:
        assert refused.code == 404


def test_under_the_kind_wsgi() -> None:
    reply = give(SITE, call_of("GET /m/hello/x?q=3", script="/m"))
    assert (reply.status, reply.body) == (200, b"Hello, x! 3 /m localhost:8080 192.0.2.7")
    assert give(SITE, call_of("GET /file")).body == asked("GET", "/file")[2]
    assert give(SITE, call_of("HEAD /hello/x")).body == b""
