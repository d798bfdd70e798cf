"""What the tutorial promises, in both languages, its programs do."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.daemons import PATIENCE, ROOT, Daemon, read_all
from tests.docs.tutorial import (
    PLAIN,
    SERVE,
    TEXTS,
    Program,
    blocks,
    programs,
    replace,
    running,
    with_database,
    write,
)

Run = Callable[[str], AbstractContextManager[Program]]

SCRIPT = '<script>alert("gotcha")</script> O\'Brien & {braces}'
ESCAPED = re.compile(r"&lt;script&gt;alert\((&quot;|&#34;)gotcha\1\)&lt;/script&gt; O&#(x27|39);Brien &amp; {braces}")


@pytest.fixture(params=TEXTS)
def language(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def folder(language: str, tmp_path: Path) -> Path:
    """Where all the programs are."""
    write(language, tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    return lambda name: running(folder, [*PLAIN, name])


# 1. A bare socket


def test_a_bare_socket_answers_all_with_one_text(run: Run) -> None:
    with run("hello.py") as program:
        first, second = program.ask("/"), program.ask("/any/thing")
        assert first.body == second.body
        assert (first.status, first.fields["content-type"]) == (200, "text/plain; charset=utf-8")
        assert first.body.decode().endswith("\n")
        program.lines.wait_for("^GET /any/thing HTTP/1.1$")


# 2. A page and a picture from memory


def drawn(picture: bytes) -> list[str]:
    """The dots of a black and white PNG without filters, read as its specification has it."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, rest = {}, picture[8:]
    while rest:
        end = 8 + int.from_bytes(rest[:4], "big")
        assert rest[end : end + 4] == struct.pack(">I", zlib.crc32(rest[4:end]))
        chunks[rest[4:8]], rest = rest[8:end], rest[end + 4 :]
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert chunks[b"IHDR"] == bytes([0, 0, 0, 8, 0, 0, 0, 8, 1, 0, 0, 0, 0])
    rows = zlib.decompress(chunks[b"IDAT"])
    assert rows[::2] == bytes(8)
    return [f"{row:08b}".replace("0", "#").replace("1", ".") for row in rows[1::2]]


def test_a_page_and_a_picture(run: Run, folder: Path) -> None:
    _, drawing, _ = re.split(r'FACE = """|"""\nPAGE', (folder / "picture.py").read_text(encoding="utf-8"))
    with run("picture.py") as program:
        assert '<img src="/face.png"' in program.page()
        picture = program.ask("/face.png")
        assert (picture.status, picture.fields["content-type"]) == (200, "image/png")
        assert drawn(picture.body) == drawing.split()


# 3. Read the request, choose by the path


def test_paths(run: Run) -> None:
    with run("paths.py") as program:
        assert "href='/about'" in program.page()
        about, head = program.ask("/about?a=b"), program.ask("/about", "HEAD")
        assert (head.status, head.body, head.fields["content-length"]) == (200, b"", str(len(about.body)))
        assert program.ask("/nothing").status == 404
        refused = program.ask("/about", "DELETE")
        assert (refused.status, refused.fields["allow"]) == (405, "GET, HEAD")
        assert program.say(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        program.connect().close()
        program.lines.wait_for(r"^\('127\.0\.0\.1', \d+\) ")
        assert program.ask("/about").body == about.body


def test_pieces_of_a_request_are_put_together(run: Run, folder: Path) -> None:
    replace(folder / "paths.py", "recv(4096)", "recv(7)")
    with run("paths.py") as program:
        assert "href='/'" in program.page("/about")


def test_who_reads_only_once_takes_a_piece_for_all(run: Run) -> None:
    with run("picture.py") as program, program.connect() as sock:
        sock.sendall(b"GET /face")
        assert b"Content-Type: text/html" in read_all(sock)


# 4. Several processes


def pids(answers: list[bytes]) -> set[int]:
    return {int(number) for answer in answers for number in re.findall(rb"\d+", answer.partition(b"\r\n\r\n")[2])}


def test_several_processes_answer_and_who_dies_is_replaced(run: Run) -> None:
    with run("workers.py") as program:
        started = {int(program.lines.wait_for(r"^started: (\d+)$")[1]) for _ in range(3)}
        assert pids(program.ask_until(lambda found: pids(found) >= started)) == started
        killed = started.pop()
        os.kill(killed, signal.SIGKILL)
        program.lines.wait_for(f"^ended: {killed} -9$")
        started.add(int(program.lines.wait_for(r"^started: (\d+)$")[1]))
        program.ask_until(lambda found: pids(found) >= started)


def test_two_who_say_nothing_leave_a_third_process_free(run: Run) -> None:
    with run("workers.py") as program, program.connect(), program.connect():
        assert program.ask().status == 200


def test_ctrl_c_ends_them_all(run: Run) -> None:
    with run("workers.py") as program:
        os.killpg(program.process.pid, signal.SIGINT)
        assert "Traceback" not in program.lines.rest()  # it ends when nobody is left who could write
        assert program.process.wait(PATIENCE) == -signal.SIGINT


# 5. Forms


def signs_and_finds(program: Program) -> None:
    """A round trip; nothing of a visitor's becomes markup."""
    assert '<form method="post" action="/">' in program.page()
    program.sign("Ann 安", "I like tea. 茶")
    program.sign(SCRIPT, SCRIPT)
    page = program.page()
    assert "<h2>Ann 安</h2><p>I like tea. 茶" in page
    assert page.index("gotcha") < page.index("Ann 安")
    assert len(ESCAPED.findall(page)) == 2
    assert "<script" not in page
    found = program.page("/?" + urlencode({"word": "tea"}))
    assert "Ann 安" in found
    assert "gotcha" not in found
    assert "<script" not in program.page("/?" + urlencode({"word": '"><script>'}))


def refuses(program: Program) -> None:
    assert program.ask("/", "POST", {"name": "Ann", "text": " "}).status == 422
    assert program.ask("/nothing").status == 404
    assert program.ask("/", "DELETE").status == 405


@pytest.mark.parametrize("portion", [4096, 7])
def test_a_form(run: Run, folder: Path, portion: int) -> None:
    replace(folder / "server.py", "recv(4096)", f"recv({portion})")
    with run("form.py") as program:
        signs_and_finds(program)
        refuses(program)
        assert program.ask("/", "DELETE").fields["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\n" + b"a" * 65521, 431),  # what was left unread would reset the connection
    ],
)
def test_what_is_not_for_us_is_refused(run: Run, request_: bytes, status: int) -> None:
    with run("form.py") as program:
        assert program.say(request_).startswith(b"HTTP/1.1 %d " % status)
        assert program.ask().status == 200


def test_what_three_processes_remember_comes_and_goes(run: Run, folder: Path) -> None:
    replace(folder / "form.py", "WORKERS = 1", "WORKERS = 3")
    with run("form.py") as program:
        program.sign("Ann", "Hello")
        program.ask_until(lambda found: len({b"<h2>Ann</h2>" in answer for answer in found}) == 2)


# 6. A database


def test_a_database_keeps_what_was_signed(run: Run, folder: Path, language: str) -> None:
    with_database(language, folder)
    with run("form.py") as program:
        signs_and_finds(program)
        refuses(program)
        everybody = program.ask_until(lambda found: len(found) >= 9)
        assert all("Ann 安".encode() in answer for answer in everybody)
    with run("form.py") as program:
        assert "Ann 安" in program.page()


def test_sql_that_is_put_together_does_what_the_text_warns_of(run: Run, folder: Path, language: str) -> None:
    (wrong,) = re.findall(r'^    connection\.execute\((f".*")\)$', TEXTS[language], re.MULTILINE)
    (attack,) = re.findall(r"`(', \(SELECT .*--)`", TEXTS[language])
    (table,) = re.findall('^TABLE = "(.*)"$', programs(language)["book.py"], re.MULTILINE)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(table)
        with pytest.raises(sqlite3.OperationalError):
            connection.execute(eval(wrong, {"name": "Mr O'Brien", "text": "Hello"}))
        connection.execute(eval(wrong, {"name": attack, "text": "Hello"}))
        assert "CREATE TABLE entry" in connection.execute("SELECT text FROM entry").fetchone()[0]
    with_database(language, folder)
    with run("form.py") as program:
        program.sign(attack, "Hello")
        assert "SELECT group_concat(sql)" in program.page()
        assert "CREATE TABLE" not in program.page()


# 7. You have written a framework


def test_the_same_on_forkserver(folder: Path) -> None:
    with running(folder, [*SERVE, "pages:site"], r" serves at 127\.0\.0\.1:(\d+)") as program:
        signs_and_finds(program)
        refuses(program)
        assert program.ask("/", "HEAD").status == 200


def test_what_is_shown_of_the_guestbook_is_in_it() -> None:
    shown = {name: code for name, code in programs("en").items() if "/" in name}
    assert shown
    for name, code in shown.items():
        assert code.partition("\n")[2] in (ROOT / name).read_text(encoding="utf-8")


# 8. Serve it


@pytest.fixture
def daemon(folder: Path, language: str) -> Iterator[Daemon]:
    text = blocks(language, "ini")[0].replace("127.0.0.1:8080", "127.0.0.1:0")
    daemon = Daemon(folder, text, {"BOOK": str(folder / "book.sqlite")})
    try:
        yield daemon.start()
    finally:
        daemon.stop()


def test_a_configuration_serves_it_and_a_reload_takes_changes_into_use(daemon: Daemon, folder: Path) -> None:
    program = Program(daemon.process, daemon.errors, daemon.port)
    program.sign("Ann", "Hello")
    with open(folder / "access.log", encoding="utf-8") as log:
        limit, line = time.monotonic() + PATIENCE, ""
        while '"POST / HTTP/1.1" 303 ' not in line:  # it is written after the answer was sent
            assert time.monotonic() < limit, line
            line += log.readline()
    replace(folder / "templates" / "book.html", "</h1>", "!</h1>")
    assert "!</h1>" not in program.page()
    assert daemon.reload()["ok"]
    program.ask_until(lambda found: any(b"!</h1>" in answer for answer in found))
    replace(folder / "pages.py", "site = Site(", "site = Sight(")
    refused = daemon.command("reload")
    assert refused.returncode == 1
    assert "NameError: name 'Sight' is not defined" in refused.stderr
    assert "<h2>Ann</h2>" in program.page()
