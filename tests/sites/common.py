"""What every real application goes through: log-in, forms, uploads, downloads, streams, errors, deploys.

A framework's own file has a subclass whose fixture `host` is a server with an application of that framework.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.daemons import PATIENCE, descriptors
from tests.sites.hosting import FILE, PREFIX, Host
from tests.sites.visitor import checksum_of
from tests.wire.talk import Talk, request

SIZE = 50 << 20  # bytes of an upload
HUGE = 100 << 20  # bytes of a sparse file, more than all buffers between the server and us
EVERYWHERE = pytest.mark.parametrize("mount", ["", PREFIX], ids=["root", "prefix"])


@contextmanager
def streaming(host: Host) -> Iterator[tuple[http.client.HTTPResponse, int]]:
    """A streamed reply, begun, and the fifo that the application waits at for more; whoever gets that closes it."""
    os.mkfifo(host.var / "news")
    fifo = os.open(host.var / "news", os.O_RDWR)  # for reading, too, so that opening waits for nobody
    connection = http.client.HTTPConnection("127.0.0.1", host.daemon.port, timeout=PATIENCE)
    try:
        connection.request("GET", host.path("stream/news"))
        yield connection.getresponse(), fifo
    finally:
        connection.close()
        os.unlink(host.var / "news")


def assert_the_kernel_sends(host: Host, path: str) -> None:
    """A file that nobody reads waits as what it is, an open file: no part of it was copied into another one."""
    (host.var / "huge.bin").touch()
    os.truncate(host.var / "huge.bin", HUGE)
    with Talk(host.daemon.connect()) as talk:
        talk.send(request("GET", path, host=f"127.0.0.1:{host.daemon.port}"))
        status, items = talk.head()
        assert (status, dict(items)["content-length"]) == (200, str(HUGE))
        held = [leads_to for pid in host.workers() for leads_to in descriptors(pid).values()]
        assert held.count(str(host.var / "huge.bin")) == 1
        assert not [one for one in held if one.endswith(" (deleted)") and not one.startswith("/memfd:")]


class Suite:
    """Tests for each site; `host` comes from the subclass."""

    @EVERYWHERE
    def test_the_application_knows_where_it_is(self, host: Host, mount: str) -> None:
        facts = host.visitor().get(host.path("facts", mount)).json
        assert (facts["SCRIPT_NAME"], facts["PATH_INFO"]) == (mount, host.path("facts"))
        assert (facts["REMOTE_ADDR"], facts["SERVER_PROTOCOL"]) == ("127.0.0.1", "HTTP/1.1")
        assert (facts["multithread"], facts["multiprocess"], facts["run_once"]) == (True, True, False)
        assert facts["index"] == f"{mount}/"
        assert facts["absolute"] == f"http://127.0.0.1:{host.daemon.port}{host.path('facts', mount)}"

    @EVERYWHERE
    def test_a_session_from_log_in_to_log_out(self, host: Host, mount: str) -> None:
        """Cookies go there and back, and all of it takes one connection."""
        visitor, page = host.logged_in(mount)
        assert page.path == f"{mount}/"
        assert "visit 1" in page.text
        assert "visit 2" in visitor.get(f"{mount}/").text
        assert f"Log out {host.site.name}" in page.text
        page = visitor.follow(visitor.submit(page, "logout"))
        assert "Log in" in page.text
        assert "Log out" not in page.text
        assert "visit 1" in page.text  # a session of its own
        assert visitor.connections == 1

    def test_a_wrong_password_lets_nobody_in(self, host: Host) -> None:
        visitor = host.visitor()
        name, password = host.site.credentials
        page = visitor.submit(visitor.get(host.site.login), "login", **{name: host.site.name, password: "a guess"})
        assert "Log out" not in (page if page.status == 200 else visitor.follow(page)).text
        assert "Log out" not in visitor.get("/").text

    def test_a_session_is_known_to_every_worker(self, host: Host) -> None:
        visitor, _ = host.logged_in()
        answered: set[int] = set()
        for _ in range(300):
            visitor.close()  # another connection goes to another worker now and then
            assert f"Log out {host.site.name}" in visitor.get("/").text
            answered.add(visitor.get(host.path("facts")).json["pid"])
            if len(answered) == 2:
                break
        assert answered == host.workers().keys()

    @EVERYWHERE
    def test_an_upload_of_50_megabytes(self, host: Host, mount: str) -> None:
        visitor, _ = host.logged_in(mount)
        page = visitor.get(host.path("upload", mount))
        told = visitor.upload(page, "form", SIZE, title="Größe & Gewicht").json
        assert told.pop("temporary", True)
        assert told == {"title": "Größe & Gewicht", "name": "large.bin", "size": SIZE, "sha256": checksum_of(SIZE)}
        assert visitor.get(f"{mount}/").status == 200
        assert visitor.connections == 1

    def test_an_upload_in_chunks(self, host: Host) -> None:
        """Whose length nobody knows beforehand: the application is told it all the same."""
        visitor, _ = host.logged_in()
        told = visitor.upload(visitor.get(host.path("upload")), "form", 1 << 20, chunked=True, title="chunks").json
        assert (told["size"], told["sha256"]) == (1 << 20, checksum_of(1 << 20))

    def test_an_upload_that_is_too_large(self, host: Host) -> None:
        """It is refused before it is sent, and the application hears nothing of it."""
        with Talk(host.daemon.connect()) as talk:
            reply = talk.ask(request("POST", host.path("upload"), f"Content-Length: {65 << 20}"))
            assert (reply.status, reply.fields["connection"]) == (413, "close")

    def test_a_download(self, host: Host) -> None:
        visitor = host.visitor()
        page = visitor.get("/download/file.bin")
        assert (page.status, page.field["content-length"]) == (200, str(len(FILE)))
        assert hashlib.sha256(page.reply.body).digest() == hashlib.sha256(FILE).digest()
        head = visitor.head("/download/file.bin")
        assert (head.status, head.field["content-length"], head.reply.body) == (200, str(len(FILE)), b"")
        assert visitor.get("/download/none.bin").status == 404
        assert visitor.connections == 1

    def test_a_stream_comes_as_it_is_made(self, host: Host) -> None:
        """Each line is here before the application can have the next one."""
        with streaming(host) as (answer, fifo):
            assert answer.getheader("transfer-encoding") == "chunked"
            assert answer.readline().startswith(b"the first line")
            os.write(fifo, b"something has happened\n")
            assert answer.readline() == b"something has happened\n"
            os.close(fifo)
            assert answer.read() == b"the last line\n"

    def test_an_exception_in_the_middle_of_a_reply(self, host: Host) -> None:
        """What has been sent cannot be taken back, so the reply is cut off where everybody can see it."""
        with streaming(host) as (answer, fifo):
            assert answer.status == 200
            assert answer.readline().startswith(b"the first line")
            os.write(fifo, b"jam\n")
            with pytest.raises(http.client.IncompleteRead) as caught:
                answer.read()
            os.close(fifo)
        assert caught.value.partial == b""
        host.daemon.errors.wait_for(f"RuntimeError: {self.broken_stream}")
        assert host.visitor().get("/").status == 200

    @EVERYWHERE
    def test_no_such_page(self, host: Host, mount: str) -> None:
        assert host.visitor().get(f"{mount}/nowhere/").status == 404

    def test_an_exception_is_one_answer_and_one_traceback(self, host: Host) -> None:
        """The page is the application's own, the next request on the same connection is answered."""
        visitor = host.visitor()
        page = visitor.get(host.path("broken"))
        assert (page.status, self.apology in page.text) == (500, True)
        host.daemon.errors.wait_for("Traceback")
        host.daemon.errors.wait_for(f"RuntimeError: {self.broken}")
        assert visitor.get("/").status == 200
        assert visitor.connections == 1

    def test_a_deploy_is_a_reload(self, host: Host) -> None:
        """New code and new templates answer, the old code is gone, the session goes on."""
        visitor, page = host.logged_in()
        assert "first edition, visit 1" in page.text
        visitor.close()
        old = host.workers()
        try:
            host.write(host.site.module, "first edition", "second and larger edition")
            host.write(host.site.template, ", visit ", ", call number ")
            told = host.daemon.typed("reload")
            assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
            for count in range(2, 10):  # whichever worker answers
                assert f"second and larger edition, call number {count}" in visitor.get("/").text
                visitor.close()
            for pid in old:
                host.daemon.errors.wait_for_count(rf"\(pid {pid}\) exited with 0", 1)
            assert not old.keys() & host.workers().keys()
        finally:
            host.restore()
            assert host.daemon.reload()["ok"]
        assert "first edition, visit" in host.visitor().get("/").text

    def test_a_deploy_that_fails_to_import_is_refused(self, host: Host) -> None:
        """Whoever deployed sees why; everybody else sees the old edition, from the same workers."""
        before = host.workers()
        host.write(host.site.module, "EDITION", "import a_module_that_nobody_has\n\nEDITION")
        try:
            told = host.daemon.typed("reload")
            assert (told.returncode, told.stdout) == (1, "")
            assert told.stderr.startswith("forkserver: reload refused: ")
            assert "Traceback (most recent call last)" in told.stderr
            assert re.search(rf'File "{host.code / host.site.module}", line \d+', told.stderr)
            assert "ModuleNotFoundError: No module named 'a_module_that_nobody_has'" in told.stderr
            assert host.workers() == before
            assert "first edition" in host.visitor().get("/").text
        finally:
            host.restore()

    apology: str  # what the page of status 500 says
    broken: str  # what the exceptions say
    broken_stream: str
