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


APPLICATION = """
import os, select

def wait_for(fifo):
    # Open for writing, too, so that it opens at once and never ends: a turn is a byte.
    turn = os.open(fifo, os.O_RDWR)
    try:
        if not select.select([turn], [], [], 60)[0]:
            raise TimeoutError(fifo)
        os.read(turn, 1)
    finally:
        os.close(turn)

def application(environ, start_response):
    fifos = environ["QUERY_STRING"].split(",")
    if environ["PATH_INFO"] == "/stream":
        start_response("200 OK", [])
        return stream(fifos)
    for fifo in fifos:
        wait_for(fifo)
    start_response("200 OK", [("Content-Length", "0")])
    return []

def stream(fifos):
    yield b"begun"
    for fifo in fifos:
        wait_for(fifo)
        yield b"piece"
"""
THREADED = """
[server]
listen = 127.0.0.1:0
workers = 1-2
threads = 4
[log]
slow_after = 1s
[/]
wsgi = waiting
path = .
"""


class Turn:
    """A fifo of whose bytes each lets one that waits go on; whoever comes first, nobody waits for the other to open it.

    Held open here, so that a byte is kept until it is taken.
    """

    def __init__(self, stack: contextlib.ExitStack, folder: Path, name: str) -> None:
        self.path = folder / name
        os.mkfifo(self.path)
        self.descriptor = os.open(self.path, os.O_RDWR)
        stack.callback(os.close, self.descriptor)

    def give(self) -> None:
        os.write(self.descriptor, b".")


def ask(daemon: Daemon, stack: contextlib.ExitStack, path: str, *turns: Turn) -> socket.socket:
    sock = stack.enter_context(daemon.connect())
    query = ",".join(str(turn.path) for turn in turns)
    sock.sendall(f"GET {path}?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    return sock


def test_with_threads_it_grows_once_half_of_them_are_in_calls(make: Start, tmp_path: Path) -> None:
    """A stream is not in question, as it has a thread of its own once it is known for one."""
    daemon = make(THREADED)
    (daemon.folder / "waiting.py").write_text(APPLICATION)
    daemon.start()
    daemon.settled(1)
    with contextlib.ExitStack() as stack:
        turns = [Turn(stack, tmp_path, name) for name in ("first", "last", "one", "two")]
        clients = [ask(daemon, stack, "/stream", *turns[:2])]
        daemon.errors.wait_for(r"slow \(1x\): 'GET /stream")  # so long it has been looked at
        turns[0].give()
        clients.append(ask(daemon, stack, "/", turns[2]))
        daemon.errors.wait_for(r"slow \(2x\): 'GET /\?")
        assert daemon.status()["wanted"] == 1
        clients.append(ask(daemon, stack, "/", turns[3]))
        daemon.errors.wait_for("2 workers wanted")
        daemon.settled(2)
        for turn in turns[1:]:
            turn.give()
        answers = [read_all(sock) for sock in clients]
    assert [answer.startswith(b"HTTP/1.1 200 ") for answer in answers] == [True] * 3
    assert daemon.get("/").status == 500  # of no fifo: it is still there to be asked
    daemon.errors.wait_for("FileNotFoundError")


def test_signals_and_reloads_move_its_bounds(start: Start, site: Path) -> None:
    daemon = start(config(site, "2-4"))
    daemon.settled(2)
    daemon.send(signal.SIGTTIN)
    daemon.errors.wait_for("3 workers wanted")
    daemon.settled(3)
    daemon.write(config(site, "1-2"))
    shown = daemon.typed("check", "--diff")
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
