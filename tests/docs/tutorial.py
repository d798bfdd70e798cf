"""The tutorial as a reader has it: its programs typed into a folder, run, and asked as a browser would.

Knows how they are found in the text and how they are run; what they promise is known to the tests.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.daemons import PATIENCE, ROOT, Answer, Lines, read_all

TEXTS = {
    language: (ROOT / "docs" / name).read_text(encoding="utf-8")
    for language, name in (("en", "tutorial.md"), ("zh", "tutorial.zh.md"))
}
PLAIN = [sys.executable, "-W", "error", "-S", "-u"]  # Python without what is installed for it
SERVE = [sys.executable, "-W", "error", "-m", "forkserver", "serve", "--listen", "127.0.0.1:0", "--workers", "2"]
SAYS = r"^http://127\.0\.0\.1:(\d+)/$"  # where a program says that it is
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def blocks(language: str, kind: str) -> list[str]:
    """What stands between fences of a kind, such as `ini`."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", TEXTS[language], re.DOTALL | re.MULTILINE)


def programs(language: str) -> dict[str, str]:
    """Programs by the names in their first lines; with a folder in it, it is a part of a file of ours."""
    return {code.splitlines()[0].removeprefix("# "): code for code in blocks(language, "python")}


def write(language: str, folder: Path) -> None:
    """Everything that a reader types; ports are the kernel's choice."""
    for name, code in programs(language).items():
        if "/" not in name:
            (folder / name).write_text(code.replace("\nPORT = 8000\n", "\nPORT = 0\n"), encoding="utf-8")
    (folder / "templates").mkdir()
    (markup,) = blocks(language, "html")
    (folder / "templates" / "book.html").write_text(markup, encoding="utf-8")


def replace(file: Path, old: str, new: str) -> None:
    """Change a place in a program, which must be there."""
    code = file.read_text(encoding="utf-8")
    assert code.count(old) == 1, old
    file.write_text(code.replace(old, new), encoding="utf-8")


def with_database(language: str, folder: Path) -> None:
    """Change `form.py` by the lines with minus and plus."""
    (change,) = blocks(language, "diff")
    old, new = ("".join(line[1:] for line in change.splitlines(True) if line[0] == sign) for sign in "-+")
    replace(folder / "form.py", old, new)


@dataclass
class Program:
    """A program that runs, and what it prints."""

    process: subprocess.Popen[str]
    lines: Lines
    port: int

    def ask(self, path: str = "/", method: str = "GET", form: dict[str, str] | None = None) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, urlencode(form) if form else None, FORM if form else {})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def page(self, path: str = "/") -> str:
        """The text of a page that is there."""
        answer = self.ask(path)
        assert (answer.status, answer.fields["content-type"]) == (200, "text/html; charset=utf-8")
        return answer.body.decode()

    def sign(self, name: str, text: str) -> None:
        """Fill in the form of the guestbook."""
        answer = self.ask("/", "POST", {"name": name, "text": text})
        assert (answer.status, answer.fields["location"]) == (303, "/")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def say(self, data: bytes) -> bytes:
        """Bytes, and all that comes back."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)

    def ask_until(self, enough: Callable[[list[bytes]], bool]) -> list[bytes]:
        """All answers to three requests at once, again and again: which worker takes one is the kernel's choice."""
        limit, found = time.monotonic() + PATIENCE, list[bytes]()
        while not enough(found):
            assert time.monotonic() < limit, found[-9:]
            with contextlib.ExitStack() as stack:
                socks = [stack.enter_context(self.connect()) for _ in range(3)]
                for sock in socks:
                    sock.sendall(b"GET / HTTP/1.1\r\nHost: tutorial\r\nConnection: close\r\n\r\n")
                found += [read_all(sock) for sock in socks]
        return found


@contextlib.contextmanager
def running(folder: Path, command: list[str], says: str = SAYS) -> Iterator[Program]:
    """A process and whatever it forks, ended with the block; it has said its port."""
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout
    lines = Lines(process.stdout)
    try:
        yield Program(process, lines, int(lines.wait_for(says)[1]))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)
        print(lines.rest())
