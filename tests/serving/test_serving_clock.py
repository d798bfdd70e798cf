"""The clock of a worker, and the book of what it did."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from forkserver.log import LineWriter
from forkserver.log.format import compile_format
from forkserver.serving import clock as module
from forkserver.serving.clock import Clock
from forkserver.serving.ledger import Ledger
from tests.serving.fakes import Stage, Time, text


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(module, "time", time)
    return time


def test_the_wall_s_time_does_not_stand_still_within_a_second(time: Time) -> None:
    clock = Clock()
    assert clock.wall == 1_000_000_000.25
    time.pass_by(0.5)
    assert not clock.tick()
    assert (clock.now, clock.wall, clock.second) == (500.5, 1_000_000_000.75, 1_000_000_000)


def test_a_new_second_brings_a_new_date(time: Time) -> None:
    clock = Clock()
    assert clock.date == b"Sun, 09 Sep 2001 01:46:40 GMT"
    time.pass_by(0.74)
    assert not clock.tick()
    time.pass_by(0.02)
    assert clock.tick()
    assert (clock.second, clock.date) == (1_000_000_001, b"Sun, 09 Sep 2001 01:46:41 GMT")
    assert not clock.tick()


def test_a_wall_s_clock_that_is_set_is_believed_within_a_second(time: Time) -> None:
    clock = Clock()
    time.wall -= 86_400
    time.pass_by(0.75)
    assert clock.tick()
    assert clock.wall == time.wall
    assert clock.date == b"Sat, 08 Sep 2001 01:46:41 GMT"


def test_lines_are_gathered_and_written_at_once(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with Stage(text(b"12345")) as stage:
        stage.ledger.writer = LineWriter(descriptor)
        for _ in range(3):
            stage.ask()
        stage.ask(b"GET /?\xff HTTP/1.1\r\n\r\n")
        assert (tmp_path / "log").read_bytes() == b""
        stage.ledger.write()
        assert (tmp_path / "log").read_bytes().splitlines()[:3] == [b"200 5"] * 3
        assert stage.ledger.lines == []
        assert stage.ledger.requests == 4
        stage.ledger.write()
        assert len((tmp_path / "log").read_bytes().splitlines()) == 4
    os.close(descriptor)


def test_without_a_log_requests_are_counted_all_the_same() -> None:
    with Stage(text(b"12345")) as stage:
        stage.ledger.writer = None
        sent = stage.ask()
        assert (stage.ledger.requests, stage.ledger.sent, stage.ledger.lines) == (1, len(sent), [])
        stage.ledger.write()


def test_only_a_format_that_asks_is_told_the_end() -> None:
    assert Ledger(None, compile_format("%D")).timed
    assert not Ledger(None, compile_format("%h")).timed
