"""What the master finds on the scoreboard: requests past their limit, with a clock of the test's making."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from forkserver.process import evidence, forking
from forkserver.process.children import Child, Children
from forkserver.process.evidence import Evidence
from forkserver.process.scoreboard import Scoreboard, Seat
from forkserver.process.trouble import Trouble


class FakeLog:
    def __init__(self) -> None:
        self.told: list[str] = []

    def warning(self, text: str, *, lines: bool = False) -> None:
        assert lines
        self.told.append(text)


class FakePool:
    """Two workers that do nothing but wait, at the seats 0 and 1."""

    def __init__(self) -> None:
        self.board = Scoreboard(2)
        self.children = Children(want=2, graceful=1.0, seats=2)
        self.evidence = Evidence()
        self.current = None
        for seat in range(2):
            self.board.give(seat, 1, 0.0)
            self.children.by_seat[seat] = Child(seat, 1, 0.0, pid=forking.fork("child", wait_for_a_signal))

    def read(self, seat: int) -> Seat:
        return self.board.slots[seat].read(seat)

    def pid(self, seat: int) -> int:
        return self.children.by_seat[seat].pid


def wait_for_a_signal() -> None:
    signal.sigwait([signal.SIGTERM])


@pytest.fixture
def pool() -> Iterator[FakePool]:
    made = FakePool()
    pids = [made.pid(seat) for seat in range(2)]
    yield made
    for pid in pids:
        os.kill(pid, signal.SIGKILL)  # until it is reaped it has its pid
        os.waitpid(pid, 0)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def trouble(pool: FakePool, log: FakeLog) -> Trouble:
    return Trouble(pool, log)  # type: ignore[arg-type]  # fakes


def killed(pid: int) -> bool:
    """Whether a child ends now; it is left to be reaped."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return ended is not None and ended.si_status == signal.SIGKILL


def alive(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None


def test_a_request_past_its_limit_ends_its_worker_and_the_others_in_hand_are_named(
    pool: FakePool, log: FakeLog, trouble: Trouble
) -> None:
    slot = pool.board.slots[0]
    slot.desk(0).begin(b"GET /old HTTP/1.1", "192.0.2.1", 10.0, 0.0)  # may take for ever
    slot.desk(5).begin(b"GET /late HTTP/1.1", "192.0.2.2", 11.0, 20.0)
    slot.desk(3).begin(b"GET /new HTTP/1.1", "192.0.2.3", 19.0, 28.0)
    trouble.look(20.0)
    assert log.told == []
    trouble.look(20.5)
    assert killed(pool.pid(0))
    (told,) = log.told
    assert told.split("\n") == [
        f"worker 0 (pid {pool.pid(0)}) did not answer in time: 'GET /late HTTP/1.1': killed",
        "serving 'GET /old HTTP/1.1' of 192.0.2.1 for 10.5 s",
        "serving 'GET /new HTTP/1.1' of 192.0.2.3 for 1.5 s",
    ]
    trouble.look(21.5)
    assert len(log.told) == 1
    assert alive(pool.pid(1))


def test_a_limit_can_be_moved(pool: FakePool, log: FakeLog, trouble: Trouble) -> None:
    desk = pool.board.slots[1].desk(0)
    desk.begin(b"GET /long HTTP/1.1", "192.0.2.1", 10.0, 20.0)
    desk.extend(30.0)
    trouble.look(25.0)
    assert log.told == []
    desk.extend(24.0)
    trouble.look(25.0)
    assert killed(pool.pid(1))


def test_a_request_that_has_ended_is_in_nobodys_way(pool: FakePool, log: FakeLog, trouble: Trouble) -> None:
    desk = pool.board.slots[1].desk(0)
    desk.begin(b"GET /long HTTP/1.1", "192.0.2.1", 10.0, 20.0)
    desk.end()
    trouble.look(25.0)
    assert log.told == []
    assert alive(pool.pid(1))


def test_who_has_not_said_its_pid_is_let_alone(pool: FakePool, log: FakeLog, trouble: Trouble) -> None:
    pool.board.slots[0].desk(0).begin(b"GET /long HTTP/1.1", "192.0.2.1", 10.0, 20.0)
    pid, pool.children.by_seat[0].pid = pool.pid(0), 0
    trouble.look(25.0)
    assert log.told == []
    assert alive(pid)


def test_who_will_miss_its_limit_is_asked_for_its_stack(
    pool: FakePool, trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(evidence, "ask", asked.append)
    notes = [os.memfd_create("notes") for _ in range(2)]
    for seat in range(2):
        pool.evidence.take(seat, (notes[seat],))
    desks = [pool.board.slots[seat].desk(0) for seat in range(2)]
    for desk in desks:
        desk.begin(b"GET /late HTTP/1.1", "192.0.2.1", 10.0, 20.0)
    trouble.look(18.0)
    assert asked == []
    trouble.look(19.0)
    assert asked == [pool.pid(0), pool.pid(1)]
    for descriptor in notes:
        os.write(descriptor, b"where it hangs")
    desks[1].end()
    trouble.look(20.5)
    assert killed(pool.pid(0))
    assert pool.evidence.notes[0].fresh() == "where it hangs"
    assert pool.evidence.notes[1].fresh() == ""  # it has kept its limit
    assert len(asked) == 2
    pool.evidence.let_go()
