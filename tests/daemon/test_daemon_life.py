"""The life of a server process: it starts, serves, is looked at, and ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.conftest import Start
from tests.daemons import session

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 2
[/]
static = {site}
"""


def test_serves_and_stops(start: Start, site: Path) -> None:
    daemon = start(CONFIG.format(site=site))
    answer = daemon.get("/small.txt")
    assert (answer.status, answer.body) == (200, b"small\n")
    assert daemon.output.wait_for(r'"GET /small.txt HTTP/1.1" 200 6 ')
    assert daemon.stop() == 0
    assert session(daemon.process.pid) == []
    assert not (daemon.folder / "control.sock").exists()


def test_a_killed_worker_is_replaced_and_named(start: Start, site: Path) -> None:
    daemon = start(CONFIG.format(site=site))
    daemon.errors.wait_for("worker 1 .* is ready")
    assert daemon.get("/").status == 200
    victim = daemon.workers()[0]
    os.kill(victim, signal.SIGKILL)
    daemon.errors.wait_for(rf"worker \d+ \(pid {victim}\) was killed by SIGKILL")
    daemon.errors.wait_for("is ready")
    assert daemon.get("/").status == 200
