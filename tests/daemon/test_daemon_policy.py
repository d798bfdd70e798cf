"""What a section may say beside its kind, seen from outside: of a static mount and of an application alike."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import threading
import time
import zlib
from pathlib import Path

import pytest
from passlib.hash import bcrypt, ldap_sha1

from tests.conftest import Start
from tests.daemons import PATIENCE, Answer, Daemon

SERVER = "[server]\nlisten = 127.0.0.1:0\nworkers = {workers}\ntrusted = 127.0.0.1\n[log]\nformat = %h %u %>s %r\n"
MOUNTS = {"static": "[/it]\nstatic = {site}\n", "wsgi": "[/it]\nwsgi = tests.daemon.policyapp\n"}
TEXT = b"a line of text that comes again and again\n" * 100


@pytest.fixture(params=MOUNTS)
def mount(request: pytest.FixtureRequest, site: Path) -> str:
    """A section without its further options; below it, /text.txt is a text and /none is missing."""
    (site / "text.txt").write_bytes(TEXT)
    return MOUNTS[str(request.param)].format(site=site)


def served(start: Start, text: str, workers: int = 1) -> Daemon:
    return start(SERVER.format(workers=workers) + text)


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def logged(daemon: Daemon, pattern: str) -> None:
    daemon.output.wait_for(pattern)


def test_addresses(start: Start, mount: str) -> None:
    daemon = served(start, mount + "allow = 192.0.2.0/24\ndeny = 192.0.2.7\n")
    for _ in range(3):  # no answer is kept for those who must not have it
        assert daemon.get("/it/text.txt", X_Forwarded_For="192.0.2.1").body == TEXT
        assert daemon.get("/it/text.txt", X_Forwarded_For="192.0.2.7").status == 403
        assert daemon.get("/it/text.txt").status == 403
    assert daemon.get("/it/text.txt", "POST", b"x" * 100).status == 403  # before its body is asked for


def test_passwords(start: Start, mount: str, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text(f"ada:{bcrypt.using(rounds=4).hash('secret')}\nzoë:{ldap_sha1.hash('ß')}\n")
    daemon = served(start, mount + f'auth = {users}\nauth_realm = The "Club"\n')
    refused = daemon.get("/it/text.txt")
    assert refused.status == 401
    assert refused.fields["www-authenticate"] == 'Basic realm="The \\"Club\\"", charset="UTF-8"'
    for _ in range(3):
        assert daemon.get("/it/text.txt", Authorization=basic("ada", "secret")).body == TEXT
        assert daemon.get("/it/text.txt", Authorization=basic("ada", "Secret")).status == 401
        assert daemon.get("/it/text.txt", Authorization=basic("bob", "secret")).status == 401
    assert daemon.get("/it/text.txt", Authorization=basic("zoë", "ß")).body == TEXT
    logged(daemon, r"127\.0\.0\.1 - 401 GET /it")
    logged(daemon, r"127\.0\.0\.1 ada 200 GET /it")
    logged(daemon, r"127\.0\.0\.1 bob 401 GET /it")
    logged(daemon, r"127\.0\.0\.1 zo\\xc3\\xab 200 GET /it")


def test_an_application_is_told_the_user(start: Start, tmp_path: Path) -> None:
    (tmp_path / "users").write_text(f"zoë:{ldap_sha1.hash('x')}\n")
    daemon = served(start, MOUNTS["wsgi"] + f"auth = {tmp_path}/users\n[/open]\nwsgi = tests.daemon.policyapp\n")
    told = json.loads(daemon.get("/it/who", Authorization=basic("zoë", "x")).body)
    assert told == {"REMOTE_USER": "zoë", "AUTH_TYPE": "Basic"}
    assert json.loads(daemon.get("/open/who", Authorization=basic("zoë", "x")).body) == {}


@pytest.mark.parametrize("kind", ["web", "wsgi"])
def test_a_site_is_told_the_user(start: Start, tmp_path: Path, kind: str) -> None:
    (tmp_path / "sayings.py").write_text(SITE)
    (tmp_path / "users").write_text(f"zoë:{ldap_sha1.hash('x')}\n")
    section = f"{kind} = sayings:site\npath = {tmp_path}\n"
    daemon = served(start, f"[/it]\n{section}auth = {tmp_path}/users\n[/open]\n{section}")
    for _ in range(2):
        assert daemon.get("/it/who", Authorization=basic("zoë", "x")).body == "zoë".encode()
        assert daemon.get("/open/who", Authorization=basic("zoë", "x")).body == b"nobody"


def test_the_users_change_while_it_serves(start: Start, mount: str, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text(f"ada:{ldap_sha1.hash('old')}\n")
    daemon = served(start, mount + f"auth = {users}\n")
    assert daemon.get("/it/text.txt", Authorization=basic("ada", "old")).status == 200
    (tmp_path / "new").write_text(f"ada:{ldap_sha1.hash('new')}\n")
    (tmp_path / "new").replace(users)
    limit = time.monotonic() + PATIENCE
    while daemon.get("/it/text.txt", Authorization=basic("ada", "new")).status != 200:
        assert time.monotonic() < limit
    assert daemon.get("/it/text.txt", Authorization=basic("ada", "old")).status == 401


def test_users_that_cannot_be_read_any_more_stay(start: Start, mount: str, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text(f"ada:{ldap_sha1.hash('good')}\n")
    daemon = served(start, mount + f"auth = {users}\n")
    users.write_text("ada:plain\n")
    told = threading.Thread(target=daemon.errors.wait_for, args=("users that were known before stay: .*users:1: not",))
    told.start()
    while told.is_alive():
        assert daemon.get("/it/text.txt", Authorization=basic("ada", "good")).status == 200
    assert "users that were known before stay" in daemon.errors.text
    assert daemon.get("/it/text.txt", Authorization=basic("ada", "plain")).status == 401


def test_a_rate_holds_for_all_workers_together(start: Start, mount: str) -> None:
    daemon = served(start, mount + "rate = 3/h\nrate_burst = 20\n", workers=2)
    daemon.settled(2)
    answers: list[Answer] = []

    def ask() -> None:
        for _ in range(10):
            answers.append(daemon.get("/it/text.txt", X_Forwarded_For="192.0.2.1"))

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    good = [answer for answer in answers if answer.status == 200]
    bad = [answer for answer in answers if answer.status == 429]
    # Two of them may be counted as one, where both workers look in the same microsecond.
    assert 20 <= len(good) <= 22
    assert len(good) + len(bad) == 40
    assert {1100 < int(answer.fields["retry-after"]) <= 1200 for answer in bad} == {True}
    assert daemon.get("/it/text.txt", X_Forwarded_For="192.0.2.2").status == 200
    assert daemon.get("/it/text.txt", X_Forwarded_For="2001:db8::1").status == 200


def test_fields_are_set_and_removed(start: Start, mount: str) -> None:
    changes = "headers =\n    X-Frame-Options: DENY\n    +Vary: Cookie\n    -Content-Type\n"
    daemon = served(start, mount + changes)
    for path in ("/it/text.txt", "/it/none"):
        for method in ("GET", "HEAD", "GET", "GET"):
            fields = daemon.get(path, method).fields
            assert (fields["x-frame-options"], fields["vary"], "content-type" in fields) == ("DENY", "Cookie", False)


def test_error_pages_stand_in_for_those_of_the_server(start: Start, mount: str, tmp_path: Path) -> None:
    (tmp_path / "lost.html").write_text("<p>lost</p>")
    (tmp_path / "broken.txt").write_text("broken")
    pages = f"error_404 = {tmp_path}/lost.html\nerror_500 = {tmp_path}/broken.txt\nerror_405 = {tmp_path}/lost.html\n"
    daemon = served(start, mount + pages)
    if "wsgi" in mount:
        assert daemon.get("/it/none").body == b"my own"  # an application's pages are its own
        answer = daemon.get("/it/fail")
        assert (answer.status, answer.fields["content-type"], answer.body) == (
            500,
            "text/plain; charset=utf-8",
            b"broken",
        )
    else:
        for _ in range(3):
            answer = daemon.get("/it/none")
            assert (answer.status, answer.body) == (404, b"<p>lost</p>")
            assert answer.fields["content-type"] == "text/html; charset=utf-8"
        answer = daemon.get("/it/text.txt", "DELETE")
        assert (answer.status, answer.body, answer.fields["allow"]) == (405, b"<p>lost</p>", "GET, HEAD, OPTIONS")


SITE = """
from forkserver.web import NotFound, Response, Site

site = Site()
site.after(lambda request, response: None)


@site.get("/own")
def own(request):
    return Response("my own", 404)


@site.get("/who")
def who(request):
    return request.user or "nobody"


@site.get("/raised")
def raised(request):
    raise NotFound("Really.")


@site.error(500)
def broken(request, error):
    return "my own"


@site.get("/broken")
def fail(request):
    raise RuntimeError("asked to fail")
"""


def test_error_pages_stand_in_for_those_that_a_site_has_from_the_server(start: Start, tmp_path: Path) -> None:
    (tmp_path / "sayings.py").write_text(SITE)
    (tmp_path / "page.txt").write_text("A page.")
    pages = "".join(f"error_{status} = {tmp_path}/page.txt\n" for status in (404, 405, 500))
    daemon = served(start, f"[/it]\nweb = sayings:site\npath = {tmp_path}\n{pages}")
    for _ in range(2):
        assert [daemon.get(f"/it{path}").body for path in ("/none", "/raised")] == [b"A page."] * 2
        refused = daemon.get("/it/own", "PUT", b"x")
        assert (refused.status, refused.body, refused.fields["allow"]) == (405, b"A page.", "GET, HEAD, OPTIONS")
        assert [daemon.get(f"/it{path}").body for path in ("/own", "/broken")] == [b"my own"] * 2


def test_error_pages_stand_in_again_and_again_on_one_connection(start: Start, mount: str, tmp_path: Path) -> None:
    (tmp_path / "users").write_text(f"ada:{ldap_sha1.hash('x')}\n")
    (tmp_path / "page.txt").write_text("Who?")
    daemon = served(start, mount + f"auth = {tmp_path}/users\nerror_401 = {tmp_path}/page.txt\n")
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=PATIENCE)
    for _ in range(3):  # the second time the shape of the answer would be known
        for password, expected in (("wrong", (401, b"Who?")), ("x", (200, TEXT))):
            connection.request("GET", "/it/text.txt", headers={"Authorization": basic("ada", password)})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == expected
    connection.close()


def test_answers_are_compressed_for_who_can_take_it(start: Start, mount: str, site: Path) -> None:
    large = TEXT * 1000
    (site / "large.txt").write_bytes(large)
    daemon = served(start, mount + "compress = yes\n")
    for _ in range(3):  # the same answer, made, kept, and from memory
        for path, content in (("/it/text.txt", TEXT), ("/it/large.txt", large)):
            packed = daemon.get(path, Accept_Encoding="gzip")
            assert packed.fields["content-encoding"] == "gzip"
            assert packed.fields["vary"] == "Accept-Encoding"
            assert gzip.decompress(packed.body) == content
            assert len(packed.body) < len(content) / 10
            plain = daemon.get(path)
            assert (plain.body, plain.fields["vary"]) == (content, "Accept-Encoding")
            assert "content-encoding" not in plain.fields
            head = daemon.get(path, "HEAD", Accept_Encoding="gzip")
            assert (head.status, head.body, head.fields["content-encoding"]) == (200, b"", "gzip")
    old = daemon.say(b"GET /it/large.txt HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
    assert gzip.decompress(old.partition(b"\r\n\r\n")[2]) == large


def test_a_file_that_was_compressed_is_validated_by_its_tag(start: Start, site: Path) -> None:
    (site / "text.txt").write_bytes(TEXT)
    daemon = served(start, MOUNTS["static"].format(site=site) + "compress = gzip\n")
    tag = daemon.get("/it/text.txt", Accept_Encoding="gzip").fields["etag"]
    assert tag.startswith('W/"')
    answer = daemon.get("/it/text.txt", Accept_Encoding="gzip", If_None_Match=tag)
    assert (answer.status, answer.fields["etag"], answer.fields["vary"]) == (304, tag, "Accept-Encoding")
    part = daemon.get("/it/text.txt", Accept_Encoding="gzip", Range="bytes=0-9")
    assert (part.status, part.body) == (206, TEXT[:10])


def test_a_stream_is_compressed_piece_by_piece(start: Start) -> None:
    daemon = served(start, MOUNTS["wsgi"] + "compress = gzip\n")
    with daemon.connect() as sock:
        sock.sendall(b"GET /it/stream HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
        data = b""
        for number in range(3):  # each piece comes though the next one waits for us
            while f"piece {number}".encode() not in unpacked(data):
                data += sock.recv(65536)
            assert f"piece {number + 1}".encode() not in unpacked(data)
            assert daemon.get("/it/next").status == 200
        assert daemon.get("/it/next").status == 200


def unpacked(data: bytes) -> bytes:
    """What of a chunked gzip body can be decoded by now."""
    decoder, found = zlib.decompressobj(31), b""
    rest = data.partition(b"\r\n\r\n")[2]
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        found += decoder.decompress(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return found


def test_a_mount_without_an_access_log(start: Start, mount: str, site: Path) -> None:
    daemon = served(start, mount + f"access_log = no\n[/]\nstatic = {site}\n")
    for _ in range(4):
        assert daemon.get("/it/text.txt").status == 200
    assert daemon.get("/it/none").status == 404
    assert daemon.get("/text.txt").status == 200
    logged(daemon, "GET /text.txt")
    assert "/it" not in daemon.output.text
    daemon.stop()
    assert "/it" not in daemon.output.rest()


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("allow = 10.0.0.0/8\ndeny = 10.0.0.0/8", "allow: allow and deny both name 10.0.0.0/8"),
        ("headers = Date: now", "headers: the server itself writes Date"),
        ("auth = {file}", "auth: {file}:1: not NAME:HASH with a hash of bcrypt, apr1 or SHA"),
        ("auth_realm = a\nauth = {file}", "auth: {file}:1: not NAME:HASH"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_the_old_serves_on(
    start: Start, site: Path, option: str, complaint: str
) -> None:
    (site / "file").write_text("nonsense\n")
    plain = SERVER.format(workers=1) + MOUNTS["static"].format(site=site)
    daemon = start(plain)
    daemon.write(plain + option.format(file=site / "file"))
    checked = daemon.typed("check")
    assert checked.returncode == 2
    assert f"[/it] {complaint.format(file=site / 'file')}" in checked.stderr
    told = daemon.reload()
    assert not told["ok"]
    assert f"[/it] {complaint.format(file=site / 'file')}" in str(told)
    assert daemon.get("/it/file").body == b"nonsense\n"
