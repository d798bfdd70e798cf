"""What the master does on each signal."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemon.test_daemon_deaths import begin_download, begin_hanging, config
from tests.daemons import Daemon, children_of, read_all, wait_for_end

REQUEST = b"GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n"


def begin_body(daemon: Daemon) -> socket.socket:
    """A request whose body is half sent; it has been accepted once the server has said so."""
    sock = daemon.connect()
    sock.sendall(b"POST /echo/x?back HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
    assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
    sock.sendall(b"12345")
    return sock


def test_term_finishes_what_is_in_flight(start: Start, site: Path, huge: int) -> None:
    daemon = start(config(site, workers=2) + "[/echo]\necho = yes\n")
    daemon.settled(2)
    resting = daemon.connect()
    resting.sendall(REQUEST)
    assert resting.recv(1000).startswith(b"HTTP/1.1 200 ")
    download, first = begin_download(daemon)
    upload = begin_body(daemon)
    with download, upload, resting:
        daemon.send(signal.SIGTERM)
        daemon.errors.wait_for("stopping: finishing what is in flight")
        assert read_all(resting) == b""  # nobody waits for an answer there
        upload.sendall(b"67890")
        reply = read_all(upload)
        assert reply.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nConnection: close\r\n" in reply
        assert reply.endswith(b"\r\n\r\n1234567890")
        assert daemon.process.poll() is None  # it waits for the download
        assert len(first + read_all(download)) > huge
    assert daemon.wait() == 0
    assert daemon.left() == []
    assert not (daemon.folder / "control.sock").exists()


def test_term_answers_what_the_kernel_had_queued(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1))
    (worker,) = daemon.settled(1)
    assert daemon.get("/small.txt").status == 200
    os.kill(worker, signal.SIGSTOP)
    queued = [daemon.connect() for _ in range(8)]
    for sock in queued:
        sock.sendall(REQUEST)
    daemon.send(signal.SIGTERM)
    daemon.errors.wait_for("stopping: finishing")
    os.kill(worker, signal.SIGCONT)
    for sock in queued:
        with sock:
            assert read_all(sock).endswith(b"small\n")
    assert daemon.wait() == 0


def test_term_twice_is_term(start: Start, site: Path, huge: int) -> None:
    daemon = start(config(site, workers=1))
    daemon.settled(1)
    download, first = begin_download(daemon)
    with download:
        for _ in range(2):
            daemon.send(signal.SIGTERM)
            daemon.errors.wait_for("stopping: finishing")
        assert len(first + read_all(download)) > huge
    assert daemon.wait() == 0
    assert daemon.left() == []


def test_term_has_a_limit(start: Start, site: Path, huge: int) -> None:
    daemon = start(config(site, workers=1).replace("graceful_timeout = 20s", "graceful_timeout = 1s"))
    (worker,) = daemon.settled(1)
    hanging = begin_hanging(daemon)
    with hanging:
        daemon.send(signal.SIGTERM)
        daemon.errors.wait_for(rf"worker 0 \(pid {worker}\) did not finish in time: killed")
        assert read_all(hanging) == b""
    assert daemon.wait() == 0
    assert daemon.left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=lambda number: number.name)
def test_int_and_quit_end_now(start: Start, site: Path, huge: int, number: signal.Signals) -> None:
    daemon = start(config(site, workers=2))
    daemon.settled(2)
    download, first = begin_download(daemon)
    with download:
        daemon.send(number)
        daemon.errors.wait_for("ending now")
        assert daemon.wait() == 0
        assert daemon.left() == []
        assert len(first) < huge
    assert "killed" not in daemon.errors.rest()


def test_int_ends_even_a_hung_worker(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1))
    (worker,) = daemon.settled(1)
    with begin_hanging(daemon):
        daemon.errors.seen.clear()
        assert any(worker["request"] == "GET /bad/hang HTTP/1.1" for worker in until_busy(daemon))
        daemon.send(signal.SIGINT)
        daemon.errors.wait_for(rf"worker 0 \(pid {worker}\) did not finish in time: killed")
        assert daemon.wait() == 0
    assert daemon.left() == []


def until_busy(daemon: Daemon) -> list[dict[str, object]]:
    """The workers, once one of them has a request in hand; asking takes the master's time, so there is no hurry."""
    for _ in range(100_000):
        workers: list[dict[str, object]] = daemon.status()["workers"]
        if any(worker["request"] for worker in workers):
            return workers
    raise AssertionError("no worker has a request in hand")


def test_int_during_a_drain(start: Start, site: Path, huge: int) -> None:
    daemon = start(config(site, workers=1))
    daemon.settled(1)
    with begin_download(daemon)[0]:
        daemon.send(signal.SIGTERM)
        daemon.errors.wait_for("stopping: finishing")
        daemon.send(signal.SIGINT)
        daemon.errors.wait_for("ending now")
        assert daemon.wait() == 0
    assert daemon.left() == []


def test_the_keyboards_int_is_the_masters_to_act_on(start: Start, site: Path) -> None:
    """It reaches the whole process group; nobody prints a traceback."""
    daemon = start(config(site, workers=2))
    daemon.settled(2)
    os.killpg(daemon.process.pid, signal.SIGINT)
    assert daemon.wait() == 0
    assert "Traceback" not in daemon.errors.rest()
    assert daemon.left() == []


def test_term_to_the_whole_group_is_a_stop_like_any_other(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=2))
    daemon.settled(2)
    os.killpg(daemon.process.pid, signal.SIGTERM)
    assert daemon.wait() == 0
    assert "[error]" not in daemon.errors.rest()
    assert daemon.left() == []


def test_term_to_everybody_but_the_master_ends_no_mold(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1))
    (worker,) = daemon.settled(1)
    for pid in children_of(daemon.process.pid):
        os.kill(pid, signal.SIGTERM)
    daemon.errors.wait_for(rf"\(pid {worker}\) exited with 0")
    assert daemon.settled(2)
    assert daemon.stop() == 0
    assert "mold" not in daemon.errors.rest()


def test_term_before_it_serves(make: Start, site: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    daemon = make(config(site) + f"[/slow]\nbad = wait {tmp_path}/fifo\n")
    daemon.begin()
    daemon.errors.wait_for("^loading$")
    daemon.send(signal.SIGTERM)
    assert daemon.wait() == 0
    assert daemon.left() == []
    assert "reload" not in daemon.errors.rest()


def test_hup_reloads(start: Start, site: Path) -> None:
    daemon = start(config(site))
    daemon.settled(2)
    assert daemon.get("/new").status == 404
    daemon.write(config(site) + "[/new]\nbad = yes\n")
    daemon.send(signal.SIGHUP)
    daemon.errors.wait_for("reloading")
    daemon.errors.wait_for("generation 2 serves at .* with 2 workers")
    daemon.errors.wait_for_count("exited with 0", 2)
    assert daemon.status()["generation"] == 2
    assert daemon.get("/new").status == 200


def test_ttin_and_ttou_add_and_take_a_worker(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1))
    (first,) = daemon.settled(1)
    before = daemon.holdings()
    daemon.send(signal.SIGTTIN)
    daemon.errors.wait_for("2 workers wanted")
    second = daemon.settled(2)[1]
    assert sorted(daemon.workers()) == sorted([first, second])
    daemon.send(signal.SIGTTOU)
    daemon.errors.wait_for("1 worker wanted")
    daemon.errors.wait_for(rf"\[info\] .*\(pid {second}\) exited with 0")  # the newest goes
    daemon.send(signal.SIGTTOU)
    daemon.errors.wait_for("1 worker wanted")  # the last one stays
    assert daemon.workers() == [first]
    assert daemon.holdings() == before
    assert daemon.get("/small.txt").status == 200


def test_chld_and_usr2_of_somebody_elses_making_do_no_harm(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1))
    workers = daemon.settled(1)
    daemon.send(signal.SIGCHLD)
    daemon.send(signal.SIGUSR2)
    daemon.send(signal.SIGTTIN)
    daemon.settled(2)  # so the others have been read
    assert daemon.get("/small.txt").status == 200
    assert workers[0] in daemon.workers()


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN],
    ids=lambda number: number.name,
)
def test_molds_and_workers_leave_the_masters_signals_alone(start: Start, site: Path, number: signal.Signals) -> None:
    """Somebody may send them to every process of our name."""
    daemon = start(config(site, workers=1))
    (worker,) = daemon.settled(1)
    (mold,) = children_of(daemon.process.pid).keys() - {worker}
    os.kill(worker, number)
    os.kill(mold, number)
    assert daemon.get("/small.txt").status == 200
    os.kill(worker, signal.SIGKILL)  # a new one can only come from a living, running mold
    wait_for_end(worker)
    daemon.settled(2)
    assert mold in children_of(daemon.process.pid)
