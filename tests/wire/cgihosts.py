"""A server of CGI scripts in all ways to run them, and what a test asks of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.daemons import Daemon
from tests.wire.hosts import make_site
from tests.wire.scripts import make_scripts
from tests.wire.talk import Reply, Talk, request

WAYS = {"cold": "no", "warm": "yes"}

SERVER = """
[server]
listen = 127.0.0.1:0
workers = 1
[/static]
static = {site}
[/wsgi]
wsgi = tests.wire.application
"""

MOUNTS = """
[/{way}]
cgi = {scripts}
warm = {warm}
env = COLOUR=blue, HTTP_X_FORGED=yes, REMOTE_USER=root
[/{way}-hasty]
cgi = {scripts}
warm = {warm}
cgi_timeout = 1s
[/{way}-brief]
cgi = {scripts}
warm = {warm}
run_time = 1s
[/{way}-tight]
cgi = {scripts}
warm = {warm}
memory = 500M
head_size = 1k
pass_authorization = yes
hidden = yes
symlinks = all
document_root = {site}
[/{way}-alone]
cgi = {scripts}/show.py
warm = {warm}
"""


@dataclass
class Scripted:
    """A running server, and the folder of its scripts."""

    daemon: Daemon
    scripts: Path

    def talk(self) -> Talk:
        return Talk(self.daemon.connect())

    def ask(self, path: str, method: str = "GET", *lines: str, **told: Any) -> Reply:
        """The answer, on a connection of its own."""
        with self.talk() as talk:
            return talk.ask(request(method, path, *lines, **told), method)

    def wait_for_log(self, pattern: str) -> Any:
        return self.daemon.errors.wait_for(pattern)


@contextmanager
def scripted(folder: Path) -> Iterator[Scripted]:
    """Such a server, ended with the block; nothing that it has started outlives it."""
    site, scripts = make_site(folder), make_scripts(folder / "scripts")
    mounts = [MOUNTS.format(way=way, warm=warm, scripts=scripts, site=site) for way, warm in WAYS.items()]
    daemon = Daemon(folder, SERVER.format(site=site) + "".join(mounts))
    try:
        daemon.start()
        yield Scripted(daemon, scripts)
    finally:
        if hasattr(daemon, "process"):
            daemon.stop()
            print(f"--- {daemon.folder}\n{daemon.errors.rest()}")
    assert processes_in(scripts) == []


def processes_in(folder: Path) -> list[int]:
    """The processes that work in a folder, as scripts do."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{name}/cwd").startswith(str(folder)):
                found.append(int(name))
        except OSError:  # it has ended, or is not ours
            continue
    return found
