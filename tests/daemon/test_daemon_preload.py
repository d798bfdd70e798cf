"""Loading once for all workers, or in each of them, and what decides it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemons import Daemon, children_of, wait_for_end

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 2
preload = {preload}
[/]
static = {site}
[/bad]
bad = {bad}
[/echo]
echo = yes
"""


Config = Callable[[str, str], str]


@pytest.fixture
def config(site: Path) -> Config:
    return lambda preload, bad: CONFIG.format(site=site, preload=preload, bad=bad)


def mold_of(daemon: Daemon) -> int:
    (mold,) = children_of(daemon.process.pid).keys() - {worker["pid"] for worker in daemon.status()["workers"]}
    return mold


def tasks(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def test_a_thread_makes_each_worker_load_for_itself(start: Start, config: Config) -> None:
    daemon = start(config("auto", "thread ticker"))
    assert daemon.errors.wait_for_count(r"\[warning\] .*left 1 thread \(ticker\), which a fork does not bear", 1)
    workers = daemon.settled(2)
    assert [tasks(pid) for pid in workers] == [2, 2]
    assert tasks(mold_of(daemon)) == 1
    assert daemon.get("/bad/").body == b"fine"
    assert len(children_of(daemon.process.pid)) == 3  # the mold that found it has gone


def test_a_later_mold_does_not_try_again(start: Start, config: Config) -> None:
    daemon = start(config("auto", "thread ticker"))
    workers = daemon.settled(2)
    assert daemon.get("/bad/").status == 200
    before = daemon.holdings()
    mold = mold_of(daemon)
    os.kill(mold, signal.SIGKILL)
    wait_for_end(mold)
    os.kill(workers[0], signal.SIGKILL)
    daemon.settled(3)
    assert daemon.get("/bad/").status == 200
    assert daemon.holdings() == before
    assert daemon.errors.text.count("does not bear") == 1


def test_a_socket_is_named_in_the_warning_and_a_reload_goes_on(start: Start, config: Config) -> None:
    daemon = start(config("auto", "yes"))
    daemon.settled(2)
    with socket.create_server(("127.0.0.1", 0)) as database:
        port = database.getsockname()[1]
        daemon.write(config("auto", f"socket {port}"))
        assert daemon.reload()["ok"]
        daemon.errors.wait_for(rf"left 1 socket \(127\.0\.0\.1:\d+ to 127\.0\.0\.1:{port}\), which")
        daemon.errors.wait_for("generation 2 serves")
        assert daemon.get("/bad/").body == b"fine"


def test_with_yes_hazards_are_told_and_workers_forked_all_the_same(start: Start, config: Config) -> None:
    daemon = start(config("yes", "thread ticker"))
    assert daemon.errors.wait_for_count(r"\[warning\] .*left 1 thread \(ticker\): workers are forked all the same", 1)
    workers = daemon.settled(2)
    assert [tasks(pid) for pid in workers] == [1, 1]
    assert tasks(mold_of(daemon)) == 2


def test_with_no_each_worker_loads(start: Start, config: Config) -> None:
    daemon = start(config("no", "thread ticker"))
    workers = daemon.settled(2)
    assert [tasks(pid) for pid in workers] == [2, 2]
    assert tasks(mold_of(daemon)) == 1
    assert "ticker" not in daemon.errors.text


@pytest.mark.parametrize(
    ("bad", "why"),
    [("refuse", "asked to refuse"), ("raise", "RuntimeError: asked to raise"), ("leave", "SystemExit: asked to leave")],
)
@pytest.mark.parametrize("preload", ["auto", "no"])
def test_what_cannot_be_loaded_refuses_a_reload_with_the_reason(
    start: Start, config: Config, preload: str, bad: str, why: str
) -> None:
    daemon = start(config("auto", "yes"))
    workers = daemon.settled(2)
    before = daemon.holdings()
    daemon.write(config(preload, bad))
    refused = daemon.reload()
    assert why in refused["why"]
    assert ("Traceback" in refused["why"]) == (bad != "refuse")
    assert daemon.get("/bad/").body == b"fine"
    assert sorted(daemon.workers()) == sorted(workers)
    while len(children_of(daemon.process.pid)) > 3:
        pass  # until those that came to nothing are gone
    assert daemon.holdings() == before
    daemon.write(config(preload, "yes"))
    assert daemon.reload()["ok"]


def test_a_start_whose_workers_cannot_load_says_why(make: Start, config: Config) -> None:
    daemon = make(config("no", "raise"))
    daemon.begin()
    daemon.errors.wait_for(r"\[error\] .*cannot start: Traceback")
    daemon.errors.wait_for("RuntimeError: asked to raise while loading")
    assert daemon.wait() == 1


def test_a_later_worker_that_cannot_load_dies_young_and_the_rest_serves_on(
    start: Start, config: Config, tmp_path: Path
) -> None:
    (tmp_path / "needed").write_text("")
    daemon = start(config("no", f"need {tmp_path}/needed"))
    victim, _ = daemon.settled(2)
    while not {worker["pid"]: worker["requests"] for worker in daemon.status()["workers"]}[victim]:
        assert daemon.get("/bad/").status == 200  # until it has served, and dies no young death
    (tmp_path / "needed").unlink()
    os.kill(victim, signal.SIGKILL)
    daemon.errors.wait_for(r"\[error\] .*the applications cannot be loaded again: Traceback")
    daemon.errors.wait_for("FileNotFoundError")
    daemon.errors.wait_for("a worker died young; the next one is forked in 1 s")
    assert daemon.get("/bad/").body == b"fine"
    (tmp_path / "needed").write_text("")
    daemon.settled(3)
    assert len(daemon.workers()) == 2


def test_each_worker_draws_random_numbers_of_its_own(start: Start, config: Config) -> None:
    daemon = start(config("yes", "yes").replace("workers = 2", "workers = 3"))
    daemon.settled(3)
    drawn: dict[int, bytes] = {}
    while len(drawn) < 3:
        pid, number = daemon.get("/bad/random").body.split()
        drawn.setdefault(int(pid), number)
    assert len(set(drawn.values())) == 3
