"""What a handler reads of a request: query, form, files, JSON, cookies, and who may have sent it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forkserver.web import Limits, MissingLibrary, Request, Response, Site
from forkserver.web.extras import library
from forkserver.web.forms import Upload
from forkserver.web.testing import Client, Reply
from tests.apps.wsgi_calls import SPOOLED, post_of

Handler = Callable[[Request], Any]


def client_of(handler: Handler, method: str = "POST", **settings: Any) -> Client:
    site = Site(**settings)
    site.route("/", (method,))(handler)
    return site.test()


def test_what_is_asked_and_by_whom() -> None:
    site = Site()

    @site.get("/a/<name>")
    def facts(request: Request, name: str) -> dict[str, Any]:
        assert repr(request) == "<Request GET /m/a/%C3%B6?x=1>"
        return {
            "method": request.method,
            "path": request.path,
            "script": request.script,
            "target": request.target,
            "client": request.client,
            "host": request.host,
            "scheme": request.scheme,
            "params": dict(request.params),
            "agent": request.headers["User-Agent"],
            "none": request.headers.get("x-none"),
            "extended": request.extend(5),
        }

    client = site.test(script="/m", host="shop.example:8080", scheme="https", address="192.0.2.1")
    assert client.get("/a/ö", query={"x": 1}, headers={"User-Agent": "me"}).json == {
        "method": "GET",
        "path": "/a/ö",
        "script": "/m",
        "target": "/m/a/%C3%B6?x=1",
        "client": "192.0.2.1",
        "host": "shop.example:8080",
        "scheme": "https",
        "params": {"name": "ö"},
        "agent": "me",
        "none": None,
        "extended": 5,
    }


# Values.


def test_a_query() -> None:
    def read(request: Request) -> dict[str, Any]:
        query = request.query
        return {"a": query["a"], "all": query.all("a"), "b": query.get("b"), "c": query.get("c"), "names": list(query)}

    reply = client_of(read, "GET").get("/", query={"a": ["1 ö", "2"], "b": ""})
    assert reply.json == {"a": "1 ö", "all": ["1 ö", "2"], "b": "", "c": None, "names": ["a", "b"]}


def test_a_value_that_is_missing_is_a_key_error_and_400() -> None:
    def catches(request: Request) -> str:
        with pytest.raises(KeyError):
            request.query["a"]
        return request.query["<b>"]

    reply = client_of(catches, "GET").get("/")
    assert (reply.status, "The value “&lt;b&gt;” is missing." in reply.text) == (400, True)


@pytest.mark.parametrize(
    ("text", "answer"), [("7", "7"), ("-07", "-7"), (None, "3"), ("", 400), ("x", 400), ("٣", 400), ("1" * 19, 400)]
)
def test_a_number(text: str | None, answer: Any) -> None:
    client = client_of(lambda request: str(request.query.number("n", 3)), "GET")
    reply = client.get("/", query={} if text is None else {"n": text})
    assert (reply.status if reply.status == 400 else reply.text) == answer


def test_a_number_that_must_be_there() -> None:
    assert client_of(lambda request: str(request.query.number("n")), "GET").get("/").status == 400


def test_a_query_has_so_many_values() -> None:
    client = client_of(lambda request: str(len(request.query)), "GET", limits=Limits(parts=3))
    assert client.get("/", query={"a": 1, "b": 2, "c": 3}).text == "3"
    assert client.get("/", query={"a": 1, "b": 2, "c": 3, "d": 4}).status == 400


# Forms.


def echo_form(request: Request) -> dict[str, Any]:
    return {
        "values": {name: request.form.all(name) for name in request.form},
        "files": {
            name: [[one.name, one.type, one.size] for one in request.uploads.all(name)] for name in request.uploads
        },
    }


@pytest.mark.parametrize("files", [None, {}])
def test_a_form_in_either_encoding(files: Any) -> None:
    reply = client_of(echo_form).post("/", form={"name": "Ann & Ö", "text": "a\r\nb", "empty": ""}, files=files)
    assert reply.json["values"] == {"name": ["Ann & Ö"], "text": ["a\r\nb"], "empty": [""]}


@pytest.mark.parametrize("size", [0, 10, 1 << 20])
def test_a_file(size: int, tmp_path: Path) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    kept: list[Upload] = []

    def save(request: Request) -> dict[str, Any]:
        upload = request.uploads["file"]
        kept.append(upload)
        upload.save(tmp_path / "saved")
        assert upload.read() == b""
        upload.file.seek(0)
        assert upload.read(3) == content[:3]
        with pytest.raises(FileExistsError):
            upload.save(tmp_path / "saved")
        return {"name": upload.name, "type": upload.type, "size": upload.size, "note": request.form["note"]}

    reply = client_of(save).post("/", form={"note": "x"}, files={"file": ("../a\\b/cät\x07.png", content, "image/png")})
    assert reply.json == {"name": "cät.png", "type": "image/png", "size": size, "note": "x"}
    assert (tmp_path / "saved").read_bytes() == content
    assert kept[0].file.closed
    assert repr(kept[0]).startswith("Upload('cät.png', 'image/png', ")


def test_a_field_without_a_chosen_file_has_none() -> None:
    client = client_of(lambda request: str(request.uploads["file"].size))
    assert client.post("/", files={"file": ("", b"", "application/octet-stream")}).status == 400
    assert client.post("/", files={}).status == 400


def test_files_of_a_handler_that_fails_are_let_go() -> None:
    kept = []

    def fails(request: Request) -> None:
        kept.append(request.uploads["file"])
        raise RuntimeError("asked to")

    with pytest.raises(RuntimeError, match="asked to"):
        client_of(fails).post("/", files={"file": ("a", b"x" * (1 << 20), "a/b")})
    assert kept[0].file.closed


MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (MULTIPART, b""),
        (MULTIPART, b"--x"),
        (MULTIPART, PART),
        (MULTIPART, PART + b"--x"),
        (MULTIPART, b"junk" + PART + b"--x--\r\n"),
        (MULTIPART, b"--x\r\nContent-Type: text/plain\r\n\r\n1\r\n--x--\r\n"),
        (MULTIPART, b'--x\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n--x--\r\n'),
        ({"Content-Type": "multipart/form-data"}, PART + b"--x--\r\n"),
    ],
)
def test_a_form_that_cannot_be_read_is_400(headers: dict[str, str], body: bytes) -> None:
    assert client_of(echo_form).post("/", headers=headers, body=body).status == 400
    assert client_of(echo_form).post("/", headers=MULTIPART, body=PART + b"--x--\r\n").json["values"] == {"a": ["1"]}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"form": {"a": "x" * 90}}, 200),
        ({"form": {"a": "x" * 100}}, 413),
        ({"form": {"a": "x" * 100}, "files": {}}, 200),
        ({"form": {"a": "x" * 60, "b": "x" * 60}, "files": {}}, 413),
        ({"form": dict.fromkeys("abcd", "")}, 400),
        ({"form": dict.fromkeys("abcd", ""), "files": {}}, 413),
        ({"form": {"a": ""}, "files": {"f": ("f", b"x" * 5000, "a/b")}}, 200),
    ],
)
def test_a_form_has_its_limits(sent: dict[str, Any], status: int) -> None:
    limits = Limits(text=100, parts=3, memory=1000)
    assert client_of(echo_form, limits=limits).post("/", **sent).status == status


def test_what_is_no_form_has_no_values() -> None:
    assert client_of(echo_form).post("/", json={"a": 1}).json == {"values": {}, "files": {}}


def test_without_the_library_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "multipart", None)
    with pytest.raises(
        MissingLibrary, match=r"forms with files need the library multipart: pip install 'forkserverd\["
    ):
        client_of(echo_form).post("/", files={})
    assert client_of(echo_form).post("/", form={"a": 1}).status == 200


# Other bodies.


def test_json() -> None:
    client = client_of(lambda request: {"got": request.json})
    assert client.post("/", json=["ö", 1]).json == {"got": ["ö", 1]}
    problem = {"Content-Type": "application/problem+json; charset=utf-8"}
    assert client.post("/", body=b'{"a": 1}', headers=problem).json == {"got": {"a": 1}}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_400(body: bytes) -> None:
    client = client_of(lambda request: {"got": request.json})
    assert client.post("/", body=body, headers={"Content-Type": "application/json"}).status == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_json_says_that_it_is(kind: str) -> None:
    client = client_of(lambda request: {"got": request.json})
    assert client.post("/", body=b"{}", headers={"Content-Type": kind}).status == 415


def test_a_body_whole_or_in_portions() -> None:
    assert client_of(lambda request: request.body + b"!").post("/", body=b"\x00\xff").body == b"\x00\xff!"
    assert client_of(lambda request: request.file.read(2)).post("/", body=b"abc").body == b"ab"


@pytest.mark.parametrize("spooled", [False, True])
def test_a_body_may_be_read_in_every_way_and_order(spooled: bool) -> None:
    site = Site()

    @site.post("/form")
    def reads(request: Request) -> list[str]:
        parts = [request.file.read(2), request.body, request.file.read(), request.file.read(), request.body]
        return [part.decode() for part in parts]

    try:
        assert site.respond(post_of(b"abc", spooled=spooled)).body == b'["ab","abc","abc","abc","abc"]'
    finally:
        while SPOOLED:
            SPOOLED.pop().close()


# Cookies and sessions.


def cookies_of(line: str) -> dict[str, str]:
    client = client_of(lambda request: dict(request.cookies), "GET")
    found: dict[str, str] = client.get("/", headers={"Cookie": line}).json
    return found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ('a="1"; b=', {"a": "1", "b": ""}),
        ("a=1; a=2", {"a": "1"}),
        ("a=b=c==", {"a": "b=c=="}),
        ("a=1;b=2 ; c", {"a": "1", "b": "2"}),
        ('a b=1; =2; c=3 4; d=5,6; e=7"8; f=\\9; g=ö', {}),
        ("", {}),
    ],
)
def test_cookies_are_read_strictly(line: str, found: dict[str, str]) -> None:
    assert cookies_of(line) == found


def set_cookie(client: Client) -> str:
    return client.get("/").headers["set-cookie"]


def with_cookie(*words: Any, **attributes: Any) -> Site:
    site = Site()

    @site.get("/")
    def handler(request: Request) -> Response:
        response = Response("")
        response.set_cookie(*words, **attributes)
        return response

    return site


def test_cookies_have_safe_attributes_unless_told_otherwise() -> None:
    site = with_cookie("a", "1")
    assert set_cookie(site.test()) == "a=1; Path=/; HttpOnly; SameSite=Lax"
    assert set_cookie(site.test(scheme="https", script="/ö")) == "a=1; Path=/%C3%B6; HttpOnly; Secure; SameSite=Lax"
    other = with_cookie("a", "1", max_age=5, path="/x", domain="b.c", http_only=False, same_site="None")
    assert set_cookie(other.test()) == "a=1; Path=/x; Domain=b.c; Max-Age=5; Secure; SameSite=None"
    assert "Secure" in set_cookie(with_cookie("a", "1", secure=True).test())
    assert "Secure" not in set_cookie(with_cookie("a", "1", secure=False).test(scheme="https"))


@pytest.mark.parametrize(
    ("words", "attributes"),
    [
        (("a b", "1"), {}),
        (("a", "1;2"), {}),
        (("a", "1\r\nX: y"), {}),
        (("a", "ö"), {}),
        (("a", "1"), {"path": "/;x"}),
        (("a", "1"), {"domain": "a\n"}),
        (("a", "1"), {"same_site": "lax"}),
        (("a", "x" * 5000), {}),
    ],
)
def test_what_is_no_cookie_is_refused(words: tuple[str, str], attributes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"cookie|attribute|SameSite"):
        with_cookie(*words, **attributes).test().get("/")


def test_the_client_keeps_and_forgets_cookies() -> None:
    site = with_cookie("a", "1")

    @site.get("/gone")
    def gone(request: Request) -> Response:
        response = Response(request.cookies["a"])
        response.delete_cookie("a")
        return response

    client = site.test()
    client.get("/")
    assert client.cookies == {"a": "1"}
    assert client.get("/gone").text == "1"
    assert client.cookies == {}


SECRET = "0123456789abcdef"


def counting(**settings: Any) -> Site:
    site = Site(**{"secret": SECRET, **settings})

    @site.get("/")
    def count(request: Request) -> str:
        seen = request.session.setdefault("seen", [])
        seen.append(len(seen))  # what lies deeper counts, too
        return str(len(seen))

    site.get("/look")(lambda request: str(len(request.session.get("seen", []))))
    site.get("/other")(lambda request: "nothing of the session")

    @site.get("/leave")
    def leave(request: Request) -> str:
        request.session.clear()
        return "bye"

    return site


def test_a_session_lasts_from_one_request_to_the_next() -> None:
    client = counting().test()
    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]
    reply = client.get("/look")
    assert (reply.text, reply.headers["vary"], "set-cookie" in reply.headers) == ("3", "Cookie", False)
    assert reply.headers["cache-control"] == "private"
    assert "vary" not in client.get("/other").headers
    assert client.get("/leave").headers["set-cookie"].startswith("session=; Path=/; Max-Age=0; HttpOnly")
    assert client.get("/look").text == "0"


@pytest.mark.parametrize("forged", ["", "x", "eyJhIjoxfQ.x.y", "e30.aaaa.bbbb", "....", "\\"])
def test_a_session_that_is_not_ours_is_none(forged: str) -> None:
    assert counting().test().get("/look", headers={"Cookie": f"session={forged}"}).text == "0"


def test_a_session_is_believed_while_its_secret_is() -> None:
    client = counting().test()
    client.get("/")
    kept = dict(client.cookies)
    for secrets, count in ((SECRET, "1"), ([SECRET, "another secret." + "."], "1"), ("another secret..", "0")):
        other = counting(secret=secrets).test()
        other.cookies.update(kept)
        assert other.get("/look").text == count, secrets


def test_a_session_grows_too_old() -> None:
    client = counting(session_age=-1).test()
    client.get("/")
    assert client.get("/look").text == "0"


def test_sessions_need_a_secret_and_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match=r"Site\(secret=…\)"):
        counting(secret="").test().get("/")
    with pytest.raises(ValueError, match="at least 16 characters"):
        Site(secret="short").check()
    monkeypatch.setitem(sys.modules, "itsdangerous", None)
    with pytest.raises(MissingLibrary, match="sessions need the library itsdangerous"):
        Site(secret=SECRET).check()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingLibrary, match="templates need the library jinja2"):
        Site(templates=".").check()


def test_a_library_that_lacks_something_itself_is_not_taken_for_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacking_library.py").write_text("import deeper_library")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="deeper_library"):
        library("lacking_library", "things")


# Pages of other sites.


def sent(method: str = "POST", trusted: Any = (), **headers: str) -> Reply:
    client = client_of(lambda request: "done", method, trusted_origins=trusted)
    return client.request(method, "/", headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "none"}, 200),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "whatever"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "https://LOCALHOST"}, 200),
        ({"Origin": "http://localhost:8080"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_page_of_another_site_changes_nothing(method: str, headers: dict[str, str], status: int) -> None:
    assert sent(method, **headers).status == status


def test_reading_is_free_and_some_are_trusted() -> None:
    assert sent("GET", Sec_Fetch_Site="cross-site").status == 200
    origin = {"Origin": "https://partner.example", "Sec_Fetch_Site": "cross-site"}
    assert sent(trusted=["https://partner.example"], **origin).status == 200
    assert sent(trusted=["https://other.example"], **origin).status == 403
    assert sent(trusted="*", **origin).status == 200
