"""The pages on streams: what they show is written to a folder, served, and spoken to."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.daemons import PATIENCE, ROOT, Daemon, read_all

PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("handler", "protocol")}


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGES[name], re.DOTALL | re.MULTILINE)


@pytest.fixture
def served(tmp_path: Path) -> Daemon:
    """All that both pages show, each address with a port of the kernel's choice."""
    text = "".join(text for name in PAGES for text in blocks(name, "ini"))
    text += "[tcp 127.0.0.7:7003]\nprotocol = shout:shout\npath = .\n"
    hosts = iter(f"127.0.0.{number}:0" for number in range(1, 9))
    moved = re.sub(r"127\.0\.0\.\d:\d+", lambda _: next(hosts), text)
    folder = tmp_path / "daemon-0"
    folder.mkdir()
    for name in PAGES:
        for program in blocks(name, "python"):
            (folder / program.splitlines()[0].removeprefix("# ")).write_text(program)
    return Daemon(folder, f"[server]\nworkers = 1\n{moved}")


def say(daemon: Daemon, host: str, data: bytes) -> bytes:
    (port,) = {int(name.rpartition(":")[2]) for name in daemon.status()["listening"] if name.startswith(f"{host}:")}
    with socket.create_connection((host, port), timeout=PATIENCE) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def test_what_the_pages_show_works(served: Daemon) -> None:
    served.start()
    try:
        assert say(served, "127.0.0.1", b"hello\n") == b"hello\n"
        assert b" 200 OK\r\n" in say(served, "127.0.0.2", b"GET / HTTP/1.0\r\n\r\n")
        assert re.fullmatch(rb"\w+ \w+ +\d+ [\d:]+ \d{4}\n", say(served, "127.0.0.3", b""))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(served.folder / "clock.sock"))
            assert read_all(sock).endswith(b"\n")
        (name,) = [name for name in served.status()["listening"] if name.startswith("udp ")]
        host, _, port = name.removeprefix("udp ").partition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.sendto(b"?", (host, int(port)))
            assert sock.recv(100).endswith(b"\n")
        assert say(served, "127.0.0.5", b"hello\n") == b"hello\n"
        assert b"It works: /x" in say(served, "127.0.0.6", b"GET /x HTTP/1.0\r\n\r\n")
        assert say(served, "127.0.0.7", b"hello\n") == b"HELLO\n"
    finally:
        served.stop()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_begins_with_the_section_that_works(name: str) -> None:
    assert re.match(rf"# .*`{name} = .*`\n\n```ini\n\[tcp ", PAGES[name])
