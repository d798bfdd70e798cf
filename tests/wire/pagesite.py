"""A site of the small API that does, path by path, what one can."""

from __future__ import annotations

from collections.abc import Iterator

from forkserver.web import Event, HTTPError, Request, Response, Site

FILE = bytes(range(256)) * 1024  # 256 KiB

site = Site(secret="a secret for tests alone")


@site.get("/good")
def good(request: Request) -> Response:
    return Response.file(__file__)


@site.post("/back")
def back(request: Request) -> bytes:
    """The body as it came."""
    return request.body


@site.get("/hello")
def hello(request: Request) -> str:
    return "hello, world\n"


@site.get("/stream")
def stream(request: Request) -> Iterator[str]:
    yield "piece 0\n"
    yield ""
    yield "piece 1\n"


@site.get("/breaks")
def breaks(request: Request) -> Iterator[str]:
    yield "piece 0\n"
    raise RuntimeError("asked to break")


@site.get("/events")
def events(request: Request) -> Response:
    return Response.events([Event("one", id="1"), "two"])


@site.post("/form")
def form(request: Request) -> dict[str, object]:
    """What a form sent, and whether its file was still open."""
    sizes = {name: [upload.size, upload.file.closed] for name, upload in request.uploads.items()}
    return {"values": dict(request.form), "files": sizes}


@site.get("/seen")
def seen(request: Request) -> str:
    request.session["seen"] = request.session.get("seen", 0) + 1
    return str(request.session["seen"])


@site.get("/raise")
def raises(request: Request) -> str:
    raise RuntimeError("asked to fail")


@site.get("/teapot")
def teapot(request: Request) -> str:
    raise HTTPError(418, "short and stout")


@site.get("/split")
def split(request: Request) -> Response:
    return Response("", headers={"X-Split": request.query["value"]})
