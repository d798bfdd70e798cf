"""A pool that follows the load: it grows while all workers are busy, says once that it can grow no more, shrinks."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from pathlib import Path

from tests.conftest import Start
from tests.daemons import PATIENCE, Daemon, children_of, read_all

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = {workers}
[/]
static = {site}
[/bad]
bad = yes
"""


def config(site: Path, workers: str) -> str:
    return CONFIG.format(site=site, workers=workers)


def begin_waiting(daemon: Daemon, fifo: Path) -> socket.socket:
    """A request that takes until somebody opens the fifo."""
    sock = daemon.connect()
    sock.sendall(f"GET /bad/wait?{fifo} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    return sock


def release(fifo: Path, clients: list[socket.socket]) -> list[bytes]:
    """Let all of them have their answers, those that no worker had taken yet as well."""
    answers, waiting = [], list(clients)
    limit = time.monotonic() + PATIENCE
    while waiting:
        assert time.monotonic() < limit, f"{len(waiting)} of {len(clients)} have no answer"
        with contextlib.suppress(OSError):  # nobody waits there at this moment
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        for sock in select.select(waiting, [], [], 0.05)[0]:
            answers.append(read_all(sock))
            waiting.remove(sock)
    return answers


def test_it_grows_under_slow_requests_says_so_once_at_its_largest_and_shrinks_back(
    start: Start, site: Path, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    daemon = start(config(site, "1-3"))
    (first,) = daemon.settled(1)
    before = daemon.holdings()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(begin_waiting(daemon, fifo)) for _ in range(5)]
        daemon.errors.wait_for(r"\[info\] .*2 workers wanted")
        daemon.errors.wait_for(r"\[info\] .*3 workers wanted")
        daemon.errors.wait_for(
            r"\[warning\] .*3 workers are all busy; raise \[server\] workers = 1-3, or see with `forkserver status`"
        )
        assert len(daemon.workers()) == 3
        answers = release(fifo, clients)
    assert [answer.startswith(b"HTTP/1.1 200 ") for answer in answers] == [True] * 5
    daemon.errors.wait_for(r"\[info\] .*1 worker wanted", 3 * PATIENCE)
    daemon.errors.wait_for_count(r"\[info\] .*exited with 0", 2)
    assert daemon.workers() == [first]
    assert daemon.get("/small.txt").status == 200
    assert daemon.holdings() == before
    assert "Z" not in children_of(daemon.process.pid).values()
    assert daemon.stop() == 0
    assert daemon.errors.rest().count("are all busy") == 1


def test_signals_and_reloads_move_its_bounds(start: Start, site: Path) -> None:
    daemon = start(config(site, "2-4"))
    daemon.settled(2)
    daemon.send(signal.SIGTTIN)
    daemon.errors.wait_for("3 workers wanted")
    daemon.settled(3)
    daemon.write(config(site, "1-2"))
    shown = daemon.command("check", "--diff")
    assert shown.stdout == "[server] workers: 2-4 -> 1-2\n"
    assert daemon.reload()["ok"]
    status = daemon.status()
    assert (status["wanted"], len(daemon.workers())) == (2, 2)
    daemon.send(signal.SIGTTOU)
    daemon.errors.wait_for("1 worker wanted")
    daemon.write(config(site, "3-9"))
    assert daemon.reload()["ok"]
    assert len(daemon.workers()) == 3
    assert daemon.get("/small.txt").status == 200
