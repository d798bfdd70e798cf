"""Processes that die, and what becomes of the service: it goes on."""

from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import select
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemons import Daemon, children_of, read_all, state_of, wait_for_end

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = {workers}
[limits]
request_timeout = {timeout}
graceful_timeout = 20s
[/]
static = {site}
[/bad]
bad = yes
"""


def config(site: Path, workers: int = 2, timeout: str = "60s") -> str:
    return CONFIG.format(site=site, workers=workers, timeout=timeout)


def begin_hanging(daemon: Daemon) -> socket.socket:
    """A request that will never be answered, on a connection of its own."""
    sock = daemon.connect()
    sock.sendall(b"GET /bad/hang HTTP/1.1\r\nHost: x\r\n\r\n")
    return sock


def begin_download(daemon: Daemon) -> tuple[socket.socket, bytes]:
    """A download of `huge.bin`, far larger than what sockets hold, of which the first bytes have arrived."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(20)
    sock.connect(("127.0.0.1", daemon.port))
    sock.sendall(b"GET /huge.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    return sock, sock.recv(1000)


def test_a_killed_worker_is_replaced(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1))
    (victim,) = daemon.settled(1)
    assert daemon.get("/small.txt").status == 200  # so it has served, and dies no young death
    before = daemon.holdings()
    killed = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    successor = daemon.settled(2)[1]
    print(f"replaced after {1000 * (time.monotonic() - killed):.0f} ms")
    assert successor != victim
    assert daemon.get("/small.txt").status == 200
    assert rf"(pid {victim}) was killed by SIGKILL" in daemon.errors.text
    assert daemon.holdings() == before
    assert daemon.status()["crashes"] == 1
    assert "Z" not in children_of(daemon.process.pid).values()


@pytest.mark.parametrize(
    ("path", "words"), [("/bad/kill", "was killed by SIGKILL"), ("/bad/exit", "exited with 3")], ids=["kill", "exit"]
)
def test_a_death_report_names_the_request(start: Start, site: Path, path: str, words: str) -> None:
    daemon = start(config(site, workers=1))
    (victim,) = daemon.settled(1)
    assert daemon.say(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) == b""
    daemon.errors.wait_for(rf"\[error\] .*worker 0 \(pid {victim}\) {words} while serving 'GET {path} HTTP/1.1'")
    daemon.settled(2)
    assert daemon.get("/small.txt").status == 200


def test_a_signal_without_a_name_does_not_confuse_the_master(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1))
    (victim,) = daemon.settled(1)
    assert daemon.get("/small.txt").status == 200
    os.kill(victim, 40)
    daemon.errors.wait_for(rf"worker 0 \(pid {victim}\) was killed by signal 40")
    daemon.settled(2)
    assert daemon.get("/small.txt").status == 200


def test_a_worker_that_speaks_nonsense_is_replaced(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1))
    (victim,) = daemon.settled(1)
    with daemon.connect() as sock:
        sock.sendall(b"GET /bad/garble HTTP/1.1\r\nHost: x\r\n\r\n")
        daemon.errors.wait_for(
            rf"worker 0 \(pid {victim}\) wrote to its master's line what is not a message: b'GET / HTTP/1.1': killed"
        )
    daemon.settled(2)
    assert daemon.get("/small.txt").status == 200


def test_a_master_without_descriptors_serves_on_and_recovers(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=2))
    victim, _ = daemon.settled(2)
    assert daemon.status()["ok"]
    before = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))  # what is open stays so, nothing more
    os.kill(victim, signal.SIGKILL)
    daemon.errors.wait_for(r"worker \d+ \(pid 0\) could not be asked for: Too many open files")
    assert daemon.get("/small.txt").status == 200  # by the other one
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, before)
    daemon.settled(3)
    assert daemon.status()["ok"]
    assert daemon.reload()["ok"]


def test_one_that_dies_young_is_throttled_and_the_log_says_why(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=2))
    victim, _ = daemon.settled(2)
    os.kill(victim, signal.SIGKILL)
    daemon.errors.wait_for(rf"\(pid {victim}\) was killed by SIGKILL")
    daemon.errors.wait_for(r"\[warning\] .*a worker died young; the next one is forked in 1 s")
    second = daemon.settled(3)[2]
    os.kill(second, signal.SIGKILL)
    daemon.errors.wait_for("the next one is forked in 2 s")
    assert daemon.get("/small.txt").status == 200  # by the other one
    assert daemon.settled(4)


def test_a_hung_request_ends_at_its_limit(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1, timeout="1s"))
    (victim,) = daemon.settled(1)
    with begin_hanging(daemon) as sock:
        daemon.errors.wait_for(
            rf"\[warning\] .*worker 0 \(pid {victim}\) did not answer in time: 'GET /bad/hang HTTP/1.1': killed"
        )
        assert read_all(sock) == b""
    daemon.errors.wait_for(rf"\(pid {victim}\) was killed by SIGKILL while serving 'GET /bad/hang HTTP/1.1'")
    daemon.errors.wait_for(r"^      File .*kinds.py\", line \d+ in _hang$")
    daemon.settled(2)
    assert daemon.get("/small.txt").status == 200


def test_status_shows_what_is_in_hand(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1))
    daemon.settled(1)
    with begin_hanging(daemon):
        while not daemon.status()["workers"][0]["request"]:
            pass  # until it hangs
        (worker,) = daemon.status()["workers"]
        (request,) = worker["in_progress"]
        assert (request["request"], request["client"]) == ("GET /bad/hang HTTP/1.1", "127.0.0.1")
        assert (worker["request"], worker["running"]) == (request["request"], request["running"])
        shown = daemon.typed("status").stdout.splitlines()
        assert re.fullmatch(r" +[0-9]+\.[0-9] s  127\.0\.0\.1 +GET /bad/hang HTTP/1\.1", shown[2])
        daemon.send(signal.SIGINT)
        assert daemon.wait() == 0


def test_a_killed_mold_is_made_anew(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=2))
    workers = daemon.settled(2)
    assert daemon.get("/small.txt").status == 200
    before = daemon.holdings()
    (mold,) = children_of(daemon.process.pid).keys() - set(workers)
    os.kill(mold, signal.SIGKILL)
    daemon.errors.wait_for(r"\[error\] .*mold 1 was killed by SIGKILL; its workers serve on, it is made anew")
    assert daemon.get("/small.txt").status == 200
    assert sorted(daemon.workers()) == sorted(workers)
    os.kill(workers[0], signal.SIGKILL)
    daemon.settled(3)
    assert daemon.get("/small.txt").status == 200
    assert daemon.holdings() == before
    (second,) = children_of(daemon.process.pid).keys() - set(daemon.settled(3))
    assert second != mold


def test_a_mold_that_cannot_load_again_does_not_end_the_service(start: Start, site: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    daemon = start(config(site, workers=2) + f"[/other]\nstatic = {tmp_path}/other\n")
    workers = daemon.settled(2)
    (tmp_path / "other").rmdir()
    (mold,) = children_of(daemon.process.pid).keys() - set(workers)
    os.kill(mold, signal.SIGKILL)
    daemon.errors.wait_for(r"the applications cannot be loaded again: .*other")
    daemon.errors.wait_for(r"mold 1 exited with 0; its workers serve on")
    assert daemon.get("/small.txt").status == 200
    (tmp_path / "other").mkdir()
    assert daemon.reload()["ok"]


def test_without_a_master_the_workers_finish_and_leave(start: Start, site: Path, huge: int) -> None:
    daemon = start(config(site, workers=2))
    workers = daemon.settled(2)
    everybody = children_of(daemon.process.pid)
    with begin_download(daemon)[0] as sock:
        daemon.send(signal.SIGKILL)
        assert daemon.wait() == -signal.SIGKILL
        busy = busy_one(workers)
        spent = state_of(busy)
        select.select([], [], [], 0.5)  # what is measured is that nothing happens meanwhile
        later = state_of(busy)
        assert spent
        assert later
        assert later[2] - spent[2] < 25  # of 50 clock ticks: it does not spin
        got = 0
        while got < huge and (piece := sock.recv(1 << 20)):
            got += len(piece)
        assert got > huge - 2000  # the head and the first bytes were read before
    for pid in everybody:
        wait_for_end(pid)
    assert daemon.left() == []
    with socket.create_server(("127.0.0.1", daemon.port)):
        pass  # the port is free


def busy_one(workers: list[int]) -> int:
    """The only one of two workers that is left; the idle one ends first."""
    ends = {}
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):  # it was quick
            ends[os.pidfd_open(pid)] = pid
    try:
        if len(ends) > 1:
            (gone,) = select.select(list(ends), [], [], 20)[0]
            os.close(gone)
            del ends[gone]
        (busy,) = ends.values()
        return busy
    finally:
        for end in ends:
            os.close(end)


def test_without_a_master_a_worker_that_hangs_is_ended(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1).replace("graceful_timeout = 20s", "graceful_timeout = 1s"))
    daemon.settled(1)
    everybody = children_of(daemon.process.pid)
    with begin_hanging(daemon) as sock:
        while not daemon.status()["workers"][0]["request"]:
            pass  # until it hangs
        daemon.send(signal.SIGKILL)
        assert daemon.wait() == -signal.SIGKILL
        assert sock.recv(1) == b""
    for pid in everybody:
        wait_for_end(pid)
    with socket.create_server(("127.0.0.1", daemon.port)):
        pass  # the port is free


def test_a_mold_that_is_loading_goes_with_its_master(start: Start, site: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    daemon = start(config(site, workers=1))
    daemon.write(config(site, workers=1) + f"[/slow]\nbad = wait {tmp_path}/fifo\n")
    daemon.send(signal.SIGHUP)
    daemon.errors.wait_for("^loading$")
    everybody = children_of(daemon.process.pid)
    assert len(everybody) == 3
    daemon.send(signal.SIGKILL)
    for pid in everybody:
        wait_for_end(pid)
    assert daemon.wait() == -signal.SIGKILL
    assert daemon.left() == []


def test_a_worker_told_to_end_finishes_and_is_replaced(start: Start, site: Path, huge: int) -> None:
    daemon = start(config(site, workers=1))
    (first,) = daemon.settled(1)
    sock, got = begin_download(daemon)
    with sock:
        os.kill(first, signal.SIGTERM)
        daemon.settled(2)
        assert daemon.get("/small.txt").status == 200
        states = {worker["pid"]: worker["state"] for worker in daemon.status()["workers"]}
        assert states[first] == "leaving"
        assert len(got + read_all(sock)) > huge
    wait_for_end(first)
    daemon.errors.wait_for(rf"\[info\] .*worker 0 \(pid {first}\) exited with 0")
    assert daemon.status()["crashes"] == 0


def test_many_kills_under_load(start: Start, site: Path) -> None:
    """Workers die at random while clients come and go; afterwards all is as if nothing had been."""
    daemon = start(config(site, workers=3))
    daemon.settled(3)
    before = daemon.holdings()
    chance = random.Random(4)
    over = threading.Event()
    served = [0] * 4

    def client(number: int) -> None:
        while not over.is_set():
            try:
                served[number] += daemon.get("/small.txt").status == 200
            except OSError:  # its worker was killed
                continue

    clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
    for one in clients:
        one.start()
    try:
        for kills in range(12):
            ready = [worker for worker in daemon.status()["workers"] if worker["state"] == "ready"]
            seasoned = [worker["pid"] for worker in ready if worker["requests"]] or [worker["pid"] for worker in ready]
            os.kill(chance.choice(seasoned), signal.SIGKILL)
            daemon.settled(4 + kills)
    finally:
        over.set()
        for one in clients:
            one.join(60)
    assert all(served)
    assert daemon.get("/small.txt").status == 200
    status = daemon.status()
    assert [worker["state"] for worker in status["workers"]] == ["ready"] * 3
    assert status["crashes"] == 12
    assert sorted(children_of(daemon.process.pid).values()).count("Z") == 0
    assert daemon.holdings() == before
