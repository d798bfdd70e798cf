"""Workers that retire: the next one is there before the last one leaves, and no request is lost."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path

from tests.conftest import Start
from tests.daemon.test_daemon_load import Client
from tests.daemons import PATIENCE, Daemon, children_of, read_all, wait_for_end

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = {workers}
[log]
access = {access}
[limits]
graceful_timeout = 20s
{limits}
[/]
static = {site}
[/bad]
bad = yes
"""
RETIRES = r"\[info\] .*worker \d+ \(pid (\d+)\) retires: "
REQUEST = b"GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n"


def config(site: Path, limits: str, workers: int = 1, access: str = "none") -> str:
    return CONFIG.format(site=site, limits=limits, workers=workers, access=access)


def steps(lines: list[str]) -> list[tuple[str, int]]:
    """What workers did, in order: ("ready", pid), ("retires", pid), ("left", pid)."""
    kinds = {"is ready": "ready", "retires": "retires", "exited with 0": "left"}
    found = (re.search(r"\(pid (\d+)\) (is ready|retires|exited with 0)", line) for line in lines)
    return [(kinds[match[2]], int(match[1])) for match in found if match]


def never_fewer_than(workers: int, seen: list[tuple[str, int]]) -> bool:
    """Whether since the start was complete there were always so many that had not left."""
    here = [sum({"ready": 1, "retires": 0, "left": -1}[what] for what, _ in seen[: n + 1]) for n in range(len(seen))]
    return all(count >= workers for count in here[here.index(workers) :])


def run_until(daemon: Daemon, clients: list[Client], stop: threading.Event, retirements: int) -> None:
    """Clients at work until so many workers have retired."""
    for client in clients:
        client.start()
    try:
        daemon.errors.wait_for_count(RETIRES, retirements)
    finally:
        stop.set()
        for client in clients:
            client.join(3 * PATIENCE)


def test_under_load_workers_are_replaced_and_no_request_is_lost(start: Start, site: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    daemon = start(config(site, "requests = 500", 2, str(log)))
    daemon.settled(2)
    before = daemon.holdings()
    stop = threading.Event()
    clients = [Client(daemon, stop, keep=number == 0) for number in range(4)]
    run_until(daemon, clients, stop, 6)
    assert [client.failure for client in clients] == [""] * 4
    while len(daemon.status()["workers"]) > 2:
        pass  # until those that retired have left
    assert daemon.status()["crashes"] == 0
    assert daemon.holdings() == before
    assert "Z" not in children_of(daemon.process.pid).values()
    assert daemon.stop() == 0
    lines = daemon.errors.rest().partition("stopping: ")[0].splitlines()
    assert "killed" not in daemon.errors.text
    seen = steps(lines)
    assert never_fewer_than(2, seen)
    for retired in (pid for what, pid in seen if what == "retires"):
        assert [what for what, pid in seen if pid == retired] == ["ready", "retires", "left"]
    counts = [int(found[1]) for found in map(re.compile(r"retires: (\d+) requests answered").search, lines) if found]
    print(f"retired after {counts} requests")
    assert min(counts) >= 450
    answered = sum(client.answered for client in clients)
    assert log.read_text().count('"GET /small.txt HTTP/1.1" 200 ') == answered


def test_a_worker_that_grew_too_large_is_replaced(start: Start, site: Path) -> None:
    daemon = start(config(site, "memory = 64M"))
    (first,) = daemon.settled(1)
    for _ in range(5):
        assert daemon.get("/bad/grow").body == b"grown"
    found = daemon.errors.wait_for(rf"worker 0 \(pid {first}\) retires: (\d+)\.\d MiB of memory of its own")
    assert 80 <= int(found[1]) < 160
    daemon.settled(2)
    wait_for_end(first)
    assert daemon.get("/small.txt").status == 200
    daemon.errors.wait_for(rf"\(pid {first}\) exited with 0")
    assert never_fewer_than(1, steps(daemon.errors.seen))


def test_a_worker_that_nobody_visits_is_replaced_after_its_time(start: Start, site: Path) -> None:
    daemon = start(config(site, "lifetime = 1s"))
    (first,) = daemon.settled(1)
    daemon.errors.wait_for(rf"worker 0 \(pid {first}\) retires: \d+ s in service")
    second = daemon.settled(2)[1]
    daemon.errors.wait_for(rf"\(pid {first}\) exited with 0")
    assert never_fewer_than(1, steps(daemon.errors.seen))
    daemon.errors.wait_for(rf"\(pid {second}\) retires: \d+ s in service")


def test_a_retiring_worker_serves_while_no_other_can(start: Start, site: Path) -> None:
    """Its mold is stopped, so its replacement does not come; a resting connection is not closed for that."""
    daemon = start(config(site, "lifetime = 1s"))
    (first,) = daemon.settled(1)
    (mold,) = children_of(daemon.process.pid).keys() - {first}
    os.kill(mold, signal.SIGSTOP)
    with daemon.connect() as resting:
        daemon.errors.wait_for(rf"\(pid {first}\) retires: ")
        for _ in range(3):
            resting.sendall(REQUEST)
            reply = resting.recv(1000)
            assert reply.startswith(b"HTTP/1.1 200 ")
            assert b"Connection: close" not in reply
        states = {worker["pid"]: worker["state"] for worker in daemon.status()["workers"]}
        assert states[first] == "retiring"
        os.kill(mold, signal.SIGCONT)
        daemon.settled(2)
        assert read_all(resting) == b""  # once it has rested for a while
    wait_for_end(first)
    daemon.errors.wait_for(rf"\(pid {first}\) exited with 0")


def test_workers_retire_and_reloads_come_at_one_time(start: Start, site: Path) -> None:
    daemon = start(config(site, "requests = 50", 2))
    daemon.settled(2)
    stop = threading.Event()
    clients = [Client(daemon, stop, keep=False) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        answers = [daemon.reload() for _ in range(10)]
        daemon.errors.wait_for_count(RETIRES, 10)
    finally:
        stop.set()
        for client in clients:
            client.join(3 * PATIENCE)
    assert answers == [{"ok": True, "generation": number} for number in range(2, 12)]
    assert [client.failure for client in clients] == [""] * 3
    assert daemon.status()["crashes"] == 0
    assert daemon.get("/small.txt").status == 200


def test_term_to_a_retiring_worker_is_term(start: Start, site: Path) -> None:
    daemon = start(config(site, "lifetime = 1s"))
    (first,) = daemon.settled(1)
    (mold,) = children_of(daemon.process.pid).keys() - {first}
    os.kill(mold, signal.SIGSTOP)
    daemon.errors.wait_for(rf"\(pid {first}\) retires: ")
    os.kill(first, signal.SIGTERM)
    daemon.errors.wait_for(rf"\[info\] .*\(pid {first}\) exited with 0")
    os.kill(mold, signal.SIGCONT)
    daemon.settled(2)
    assert daemon.get("/small.txt").status == 200
