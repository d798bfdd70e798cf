"""The application kinds that the suite is run against, and the server they stand in.

A kind is added by one entry in KINDS: how its section reads, and which paths do what every kind can be asked for.
"""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forkserver.process.control import ControlClient
from tests.daemons import PATIENCE, Daemon
from tests.wire.scripts import make_scripts
from tests.wire.talk import Talk, request

OLD = 1_600_000_000  # seconds since the epoch: when the files were written, so far as anybody can tell
HUGE = 30 << 20  # bytes of a sparse file, more than all buffers between the server and us


@dataclass(frozen=True)
class Kind:
    """What to ask an application of one kind for; None for what it does not have."""

    section: str  # of the INI file; {site} is the folder of files, {scripts} that of scripts
    good: str  # a path that answers a GET with 200 and a body of known length
    missing: str | None = None  # a path that answers with 404
    allow: str | None = None  # the Allow field of its 405; None when it takes every method
    validated: bool = False  # `good` has an ETag and answers If-None-Match
    back: str | None = None  # a path that answers a POST with the body it was sent


KINDS = {
    "static": Kind(
        section="[/static]\nstatic = {site}",
        good="/static/small.txt",
        missing="/static/none",
        allow="GET, HEAD, OPTIONS",
        validated=True,
    ),
    "echo": Kind(section="[/echo]\necho = yes", good="/echo/any?x=1", back="/echo?back"),
    "wsgi": Kind(
        section="[/wsgi]\nwsgi = tests.wire.application",
        good="/wsgi/good",
        back="/wsgi/back",
    ),
    "web": Kind(
        section="[/web]\nweb = tests.wire.pagesite",
        good="/web/good",
        missing="/web/none",
        allow="GET, HEAD, OPTIONS",
        validated=True,
        back="/web/back",
    ),
    "cgi": Kind(
        section="[/cgi]\ncgi = {scripts}\nwarm = no",
        good="/cgi/good.sh",
        missing="/cgi/none",
        back="/cgi/back.sh",
    ),
    "warm cgi": Kind(
        section="[/warm]\ncgi = {scripts}\nwarm = yes",
        good="/warm/good.py",
        missing="/warm/none",
        back="/warm/back.py",
    ),
}

SECTIONS = "\n".join(kind.section for kind in KINDS.values())

SERVER = """
[server]
listen = 127.0.0.1:0
workers = 2
{server}
[log]
{log}
[limits]
{limits}
[/bad]
bad = yes
[one.test/]
static = {site}/one
[two.test/]
static = {site}/two
"""


def configuration(site: Path, *, server: str = "", limits: str = "", log: str = "") -> str:
    sections = SECTIONS.format(site=site, scripts=site.parent / "scripts")
    return SERVER.format(site=site, server=server, limits=limits, log=log) + sections


def put(path: Path, content: bytes, when: float = OLD) -> None:
    """A file with a time of its own, replaced whole as a careful person does it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(content)
    os.utime(fresh, (when, when))
    fresh.replace(path)


def make_site(folder: Path) -> Path:
    """The files of `static`, and beside their folder one that nobody may see."""
    site = folder / "site"
    put(folder / "secret.txt", b"a secret")
    put(site / "index.html", b"<!DOCTYPE html><title>home</title>home")
    put(site / "small.txt", b"small\n")
    put(site / "style.css", b"body { color: black }\n" * 50)
    put(site / "style.css.gz", gzip.compress(b"body { color: black }\n" * 50, mtime=0))
    put(site / "large.bin", bytes(range(256)) * 4096)  # 1 MiB
    put(site / "one" / "who.txt", b"one")
    put(site / "two" / "who.txt", b"two")
    put(site / "huge.bin", b"beginning")
    os.truncate(site / "huge.bin", HUGE)
    return site


@dataclass
class Host:
    """A running server, its files, and the workers that must not die."""

    daemon: Daemon
    site: Path
    pids: frozenset[int] = frozenset()

    def talk(self) -> Talk:
        return Talk(self.daemon.connect())

    def status(self) -> dict[str, Any]:
        client = ControlClient(str(self.daemon.folder / "control.sock"), PATIENCE)
        try:
            return client.ask({"command": "status"})
        finally:
            client.close()

    def workers(self) -> frozenset[int]:
        return frozenset(worker["pid"] for worker in self.status()["workers"])

    def connections(self) -> int:
        """How many the workers hold, by their own count."""
        return sum(worker["connections"] for worker in self.status()["workers"])

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Look again and again, each time asking the server, until something holds."""
        limit = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < limit, f"never: {what}"

    def check(self) -> None:
        """It serves on: a fresh connection is answered, by workers that have lived all the time."""
        with self.talk() as talk:
            answer = talk.ask(request("GET", "/static/small.txt"))
        assert (answer.status, answer.body) == (200, b"small\n")
        assert self.workers() == self.pids


Run = Callable[..., AbstractContextManager[Host]]


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Host]:
    """A server with all kinds, ended with the block; what it said is shown when a test fails."""
    site = make_site(folder)
    make_scripts(folder / "scripts")
    daemon = Daemon(folder, configuration(site, **settings))
    try:
        daemon.start()
        host = Host(daemon, site)
        while len(host.pids) < 2:  # the answer comes from the master, so this is no busy loop
            host.pids = frozenset(w["pid"] for w in host.status()["workers"] if w["state"] == "ready")
        yield host
    finally:
        if hasattr(daemon, "process"):
            daemon.stop()
            print(f"--- {daemon.folder}\n{daemon.errors.rest()}")
