"""Applications that harm the process they run in: others are served on, and the log says what happened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemons import Daemon, wait_for_end

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 2
threads = {threads}
[limits]
{limits}
[/]
wsgi = tests.daemon.badapp:application
"""


@pytest.fixture(params=[1, 4], ids=["alone", "crew"])
def threads(request: pytest.FixtureRequest) -> int:
    """One thread in each worker, and several."""
    return int(request.param)


@pytest.fixture
def daemon(threads: int, start: Start) -> Daemon:
    """Two workers."""
    daemon = start(CONFIG.format(threads=threads, limits=""))
    daemon.settled(2)
    return daemon


def serves(daemon: Daemon) -> None:
    """Somebody answers as if nothing had been."""
    assert daemon.get("/fine").status == 200


@pytest.mark.parametrize(
    ("deed", "ending"),
    [
        ("leave", "exited with 3 while serving 'GET /leave HTTP/1.1'"),
        ("crash", "was killed by SIGSEGV"),
        ("close_all", "exited with 70: an error of its own"),
    ],
)
def test_a_worker_that_ends_by_its_application_is_replaced(daemon: Daemon, deed: str, ending: str) -> None:
    daemon.say(b"GET /%b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % deed.encode())
    daemon.errors.wait_for(rf"\[error\] .*worker \d+ \(pid \d+\) {ending}")
    daemon.errors.wait_for(f"^    .*'GET /{deed} HTTP/1.1'")
    if deed == "leave":
        daemon.errors.wait_for(r"an application ended the process, by os\._exit\(\)")
    daemon.settled(3)
    if deed == "close_all":
        assert "does an application close what it did not open" in daemon.errors.text
    serves(daemon)


def test_who_closes_our_descriptors_is_named(daemon: Daemon) -> None:
    """Its worker can write the error log no more: with one that is a file its own words are on stderr alone."""
    daemon.say(b"GET /close_all HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    daemon.errors.wait_for(r"\[error\] .*worker \d+ \(pid \d+\) exited with 70: an error of its own, told above or on")
    daemon.errors.wait_for(r"^    .*'GET /close_all HTTP/1.1' of 127.0.0.1")


def test_an_exit_in_python_is_a_failure_of_the_request(daemon: Daemon) -> None:
    assert daemon.get("/exit_politely").status == 500
    daemon.errors.wait_for(r"'GET /exit_politely HTTP/1.1' failed")
    daemon.errors.wait_for(r"SystemExit: enough")
    serves(daemon)


def test_a_child_that_returns_is_ended(daemon: Daemon) -> None:
    before = sorted(daemon.workers())
    answer = daemon.get("/fork")
    assert (answer.status, answer.body) == (200, b"parent")
    daemon.errors.wait_for(r"'GET /fork HTTP/1.1': the application forked, and the child returned: it is ended")
    serves(daemon)
    assert sorted(daemon.workers()) == before


def test_a_child_that_stays_holds_nothing_of_ours(daemon: Daemon, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    # The connection ends although its descriptor was copied with all others.
    reply = daemon.say(b"GET /fork_and_stay?%b HTTP/1.0\r\n\r\n" % bytes(fifo))
    child = int(reply.rpartition(b"\r\n\r\n")[2])
    with open(fifo, "w"):
        assert not set(held(child)) & listeners(daemon)
    wait_for_end(child)


def test_a_child_that_is_ended_by_a_signal_takes_nobody_along(daemon: Daemon) -> None:
    before = daemon.workers()
    assert daemon.get("/fork_and_terminate").body == b"(-15, -15)"
    assert daemon.get("/ended_while_loading").body == b"-15"
    serves(daemon)
    assert daemon.workers() == before


def test_programs_that_an_application_executes_take_signals_as_anywhere(daemon: Daemon) -> None:
    assert daemon.get("/send_signals").body == b"-1 -2 -3 -10 -12 -13"
    serves(daemon)


def held(pid: int) -> list[str]:
    return [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]


def listeners(daemon: Daemon) -> set[str]:
    """The listening sockets, which master and workers share (proc_net_tcp: local address, and the inode)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found = {f"socket:[{line[9]}]" for line in lines if int(line[1].split(":")[1], 16) == daemon.port}
    assert found & set(held(daemon.process.pid))
    return found


def test_signal_handlers_of_an_application_do_not_keep_it_from_ending(daemon: Daemon, threads: int) -> None:
    assert daemon.get("/handle").status == (200 if threads == 1 else 500)  # not in a thread of its own
    assert daemon.stop() == 0


def test_who_eats_memory_retires(start: Start) -> None:
    daemon = start(CONFIG.format(threads=4, limits="memory = 100M"))
    daemon.settled(2)
    for _ in range(3):  # so that one of the two has 128 MiB
        assert daemon.get("/grow").status == 200
    daemon.errors.wait_for(r"worker \d+ \(pid \d+\) retires: .* of memory of its own")
    daemon.settled(3)
    serves(daemon)


@pytest.mark.parametrize("deed", ["spin", "insist", "sleep"])
def test_who_does_not_end_is_given_up(start: Start, deed: str, threads: int) -> None:
    """A loop in Python is ended; what cannot be is left behind with its worker, which is replaced."""
    daemon = start(CONFIG.format(threads=threads, limits="request_timeout = 1s\nkill_timeout = 1s"))
    before = set(daemon.settled(2))
    answer = daemon.say(b"GET /%b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % deed.encode())
    if threads > 1 or deed == "spin":
        assert answer.startswith(b"HTTP/1.1 503 ")
        daemon.errors.wait_for(rf"'GET /{deed} HTTP/1.1' took too long: given up after [1-9][0-9.]* s")
    if deed == "spin":
        assert set(daemon.workers()) == before
    else:
        assert len(set(daemon.settled(3)) - before) == 1
    serves(daemon)
