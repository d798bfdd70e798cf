"""Reloads, killed workers and retirements, with a WSGI application under load: the trials of the benchmarks, short."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

import benchmarks
from benchmarks.client import PeerError
from benchmarks.crowd import Pounding, Report, pound
from benchmarks.diag import HEAD, held, take
from benchmarks.ordeals import Kill, Outcome, Server, Trial, kill, reload, suffer
from benchmarks.visitors import FAILED, REFUSED, RETRIED, Loss
from tests.conftest import Start
from tests.daemons import Daemon

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 2
threads = 8
[log]
access = {folder}/access.log
[limits]
{limits}
[/]
wsgi = wsgiapp:application
path = {code}
"""
RETIRES = r"worker \d+ \(pid \d+\) retires: "


@pytest.fixture
def daemon(request: pytest.FixtureRequest, start: Start, tmp_path: Path) -> Daemon:
    """A server with the small application of the benchmarks; its limits are the parameter."""
    code = Path(benchmarks.__file__).parent
    daemon = start(CONFIG.format(folder=tmp_path, limits=getattr(request, "param", ""), code=code))
    daemon.settled(2)
    return daemon


def server(daemon: Daemon) -> Server:
    return Server(daemon.port, f"{daemon.folder}/control.sock")


def every_answer_is_logged(daemon: Daemon, outcome: Outcome, log: Path) -> bool:
    """Once the server has ended: an answer that came is a line, and there are no lines beside."""
    assert daemon.stop() == 0
    return log.read_text().count(' HTTP/1.1" 200 ') == outcome.answered


def test_reloads_cost_nobody_anything(daemon: Daemon, tmp_path: Path) -> None:
    outcome = suffer("reloads", server(daemon), lambda _: reload(server(daemon), 10))
    print(outcome.row())
    assert outcome.breaches() == []
    assert daemon.status()["generation"] == 11
    assert daemon.status()["crashes"] == 0
    assert every_answer_is_logged(daemon, outcome, tmp_path / "access.log")


def test_a_killed_worker_costs_what_it_had_in_hand(daemon: Daemon) -> None:
    outcome = suffer("kills", server(daemon), lambda outcome: kill(server(daemon), outcome, 2.0, 0.2))
    print(outcome.row())
    assert outcome.breaches() == []
    assert len(outcome.losses) <= outcome.in_hand
    for one in outcome.kills:
        daemon.errors.wait_for_count(rf"worker \d+ \(pid {one.pid}\) was killed by SIGKILL", 1)
    assert daemon.status()["crashes"] == outcome.events
    assert daemon.get("/hello").status == 200


@pytest.mark.parametrize("daemon", ["requests = 200"], indirect=True)
def test_retirements_cost_nobody_anything(daemon: Daemon, tmp_path: Path) -> None:
    outcome = suffer("retirements", server(daemon), lambda _: len(daemon.errors.wait_for_count(RETIRES, 6)))
    print(outcome.row())
    assert outcome.breaches() == []
    assert daemon.status()["crashes"] == 0
    assert every_answer_is_logged(daemon, outcome, tmp_path / "access.log")


@pytest.mark.system
def test_wrk_loses_what_killed_workers_had_in_hand_and_nothing_else(daemon: Daemon) -> None:
    def ordeal(trial: Trial) -> int:
        return reload(server(daemon), 3) + kill(server(daemon), trial, 2.0, 0.2) + reload(server(daemon), 3)

    trial = pound("reloads and kills", server(daemon), ordeal)
    print(trial.row())
    assert trial.breaches() == []
    assert trial.report.lost > 0
    assert daemon.status()["crashes"] == len(trial.kills)
    assert daemon.stop() == 0
    trial.named = len(re.findall(r"(?m)^    serving '", daemon.errors.rest()))
    assert trial.breaches() == []


@pytest.mark.parametrize(
    ("report", "named", "breach"),
    [
        (Report(9, 0, 1, 1, 0, 0), 2, None),
        (Report(9, 1, 0, 0, 0, 0), 0, "1 connections were refused"),
        (Report(9, 0, 2, 1, 0, 0), 0, "3 connections ended, but 2 connections were in hand"),
        (Report(9, 0, 0, 0, 1, 0), 0, "1 requests were not answered in time"),
        (Report(9, 0, 0, 0, 0, 1), 0, "1 answers were no 200"),
        (Report(9, 0, 0, 0, 0, 0), 3, "3 requests are in the crash records, but 2 connections were in hand"),
        (Report(0, 0, 0, 0, 0, 0), 0, "nothing was answered"),
    ],
)
def test_what_wrk_may_report(report: Report, named: int, breach: str | None) -> None:
    pounding = Pounding("kills", 1, [Kill(1, 2.0, frozenset({4000, 4001}))], report, named)
    assert pounding.breaches() == ([f"kills: {breach}"] if breach else [])


def test_the_report_of_wrk_is_read() -> None:
    assert Report.parse("Running 1s test\nRESULT 9 1 2 3 4 5\n") == Report(9, 1, 2, 3, 4, 5)
    with pytest.raises(PeerError, match="wrk: unable to connect"):
        Report.parse("unable to connect to 127.0.0.1:1\n")


@pytest.mark.parametrize(
    ("fate", "port", "begun", "ended", "lawful"),
    [
        (FAILED, 4000, 1.0, 3.0, True),
        (RETRIED, 4000, 1.0, 3.0, True),
        (REFUSED, 4000, 1.0, 3.0, False),
        (FAILED, 4001, 1.0, 3.0, False),  # in nobody's hands
        (RETRIED, 4001, 1.0, 3.0, False),
        (FAILED, 4000, 1.0, 1.5, False),  # before the kill
        (FAILED, 4000, 2.5, 3.0, False),  # the port again, later
    ],
)
def test_what_a_kill_explains(fate: str, port: int, begun: float, ended: float, lawful: bool) -> None:
    loss = Loss(fate, port, begun, ended, "why")
    outcome = Outcome("kills", 1, [Kill(1, 2.0, frozenset({4000}))], 1, [loss])
    assert outcome.breaches() == ([] if lawful else [f"kills: {fate}: why"])


@pytest.mark.parametrize(("fate", "lawful"), [(REFUSED, False), (FAILED, False), (RETRIED, True)])
def test_what_may_happen_where_nobody_is_killed(fate: str, lawful: bool) -> None:
    outcome = Outcome("reloads", 1, [], 1, [Loss(fate, 4000, 1.0, 3.0, "why")])
    assert outcome.breaches() == ([] if lawful else [f"reloads: {fate}: why"])


def test_an_ordeal_in_which_nothing_happens_is_none() -> None:
    assert Outcome("reloads", 0, [], 1).breaches() == ["reloads: nothing happened"]
    assert Outcome("reloads", 1, [], 0).breaches() == ["reloads: nothing was answered"]


def test_what_a_process_holds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as first, socket.create_connection(("127.0.0.1", port)):
            accepted, (_, peer) = listener.accept()
            with accepted:
                assert peer == first.getsockname()[1]
                assert held(os.getpid(), port) == {peer}  # the second waits in the kernel
            assert held(os.getpid(), port) == frozenset()


def test_a_kernel_that_does_not_tell_is_no_process_without_connections() -> None:
    with pytest.raises(PeerError, match="does not list"):
        take(HEAD.pack(HEAD.size + 4, 2, 0, 1, 0) + b"\xfe\xff\xff\xff", {})
