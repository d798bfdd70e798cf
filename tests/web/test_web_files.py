"""Files as answers: whole, in part, not again, and never one from elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from forkserver.http.response import FileSlice
from forkserver.web import Request, Response, Site
from forkserver.web.files import File
from forkserver.web.testing import Client
from tests.daemons import descriptors

CONTENT = bytes(range(256)) * 100
OLD = 1_600_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "below").mkdir(parents=True)
    (folder / "file.bin").write_bytes(CONTENT)
    os.utime(folder / "file.bin", (OLD, OLD))
    (folder / "below" / "page.html").write_text("<p>")
    (folder / "empty.txt").touch()
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "out").symlink_to(tmp_path / "secret.txt")
    (folder / "in").symlink_to("below/page.html")
    os.mkfifo(folder / "fifo")
    return folder


@pytest.fixture
def client(root: Path) -> Client:
    site = Site()
    site.get("/<path:name>")(lambda request, name: Response.file(name, root=root))
    site.get("/")(lambda request: Response.file(root / "file.bin", headers={"Cache-Control": "max-age=5"}))
    return site.test()


def test_a_file_is_sent_whole_by_the_kernel(client: Client, root: Path) -> None:
    reply = client.get("/")
    assert (reply.status, reply.body) == (200, CONTENT)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["last-modified"] == "Sun, 13 Sep 2020 12:26:40 GMT"
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert client.get("/below/page.html").headers["content-type"] == "text/html; charset=utf-8"
    assert client.get("/in").text == "<p>"
    assert client.get("/empty.txt").body == b""
    with File(root / "file.bin") as file:
        assert file.answer("GET", {}, 0.0)[2] == FileSlice(file, 0, len(CONTENT))


def test_nothing_is_left_open(client: Client) -> None:
    before = descriptors(os.getpid())
    etag = client.get("/").headers["etag"]
    for headers in (
        {},
        {"If-None-Match": etag},
        {"If-Match": '"x"'},
        {"Range": "bytes=9999999-"},
        {"Range": "bytes=1-"},
    ):
        client.get("/", headers=headers)
        client.head("/", headers=headers)
    for name in ("out", "fifo", "below", "none"):
        client.get(f"/{name}")
    assert descriptors(os.getpid()) == before


@pytest.mark.parametrize("path", ["/none", "/below", "/below/", "/out", "/fifo", "/file.bin/x"])
def test_what_is_no_file_is_404(client: Client, path: str) -> None:
    assert client.get(path).status == 404


@pytest.mark.parametrize(
    "name", ["../secret.txt", "/etc/passwd", "below/../../secret.txt", "\0", ".", "", "x" * 300, "out"]
)
def test_a_name_from_anywhere_leads_nowhere_else(root: Path, name: str) -> None:
    site = Site()
    site.get("/")(lambda request: Response.file(request.query["name"], root=root))
    assert site.test().get("/", query={"name": name}).status == 404


def test_a_root_that_is_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(root)
    site = Site()
    site.get("/")(lambda request: Response.file("empty.txt", root=tmp_path / "current"))
    assert site.test().get("/").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": "ETAG"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Modified-Since": "Sun, 13 Sep 2020 12:26:40 GMT"}, 304),
        ({"If-Modified-Since": "Sun, 13 Sep 2020 12:26:39 GMT"}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": "ETAG"}, 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions(client: Client, method: str, headers: dict[str, str], status: int) -> None:
    etag = client.head("/").headers["etag"]
    reply = client.request(method, "/", headers={name: value.replace("ETAG", etag) for name, value in headers.items()})
    assert reply.status == status
    if status == 304:
        assert dict(reply.headers) == {"cache-control": "max-age=5", "etag": etag}
        assert reply.body == b""


@pytest.mark.parametrize(
    ("asked", "status", "told", "body"),
    [
        ("bytes=0-9", 206, "bytes 0-9/25600", CONTENT[:10]),
        ("bytes=-10", 206, "bytes 25590-25599/25600", CONTENT[-10:]),
        ("bytes=25599-", 206, "bytes 25599-25599/25600", CONTENT[-1:]),
        ("bytes=25600-", 416, "bytes */25600", None),
        ("bytes=0-1,5-6", 200, None, CONTENT),
        ("lines=0-1", 200, None, CONTENT),
        ("bytes=x", 200, None, CONTENT),
    ],
)
def test_ranges(client: Client, asked: str, status: int, told: str | None, body: bytes | None) -> None:
    reply = client.get("/", headers={"Range": asked})
    assert (reply.status, reply.headers.get("content-range")) == (status, told)
    assert body is None or reply.body == body
    assert client.get("/", headers={"Range": asked, "If-Range": '"other"'}).status == 200
    assert client.head("/", headers={"Range": asked}).status == 200


def test_a_download_has_a_name() -> None:
    site = Site()
    site.get("/")(lambda request: Response.file(__file__, download='a "b"\r\n/größe.txt', type="text/plain"))
    reply = site.test().get("/")
    assert reply.headers["content-disposition"] == (
        "attachment; filename=\"a _b____gr__e.txt\"; filename*=UTF-8''a%20%22b%22%0D%0A%2Fgr%C3%B6%C3%9Fe.txt"
    )
    assert reply.headers["content-type"] == "text/plain"


def test_an_error_of_a_file_has_the_page_of_the_site(root: Path) -> None:
    site = Site()
    site.get("/")(lambda request: Response.file(root / "file.bin"))

    @site.error(416)
    def page(request: Request, error: Any) -> str:
        return "out of range"

    reply = site.test().get("/", headers={"Range": "bytes=99999-"})
    assert (reply.status, reply.text, reply.headers["content-range"]) == (416, "out of range", "bytes */25600")
