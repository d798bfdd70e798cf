"""When a worker has done its part, and what it says then."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.config.options import Limits
from forkserver.log.format import compile_format
from forkserver.serving import tenure
from forkserver.serving.clock import Clock
from forkserver.serving.ledger import Ledger
from forkserver.serving.retirement import LOOK, NEVER, SPREAD, Retirement
from forkserver.serving.tenure import LONGEST_SLEEP, Tenure, all_memory, own_memory
from tests.serving.fakes import FakeLog

MANY = 1 << 40
JITTER = st.floats(0.0, 1.0)


def test_by_default_nobody_retires() -> None:
    retirement = Retirement(Limits(), 1.0, 0.0)
    assert retirement.due(1e12, MANY, MANY) == ""
    assert retirement.next_look == NEVER


def test_each_limit_has_its_words() -> None:
    limits = Limits(requests=500, memory=64 << 20, lifetime=60.0)
    retirement = Retirement(limits, 0.0, 100.0)
    assert retirement.due(159.0, 499, 64 << 20) == ""
    assert retirement.due(159.0, 500, 0) == "500 requests answered"
    assert retirement.due(159.0, 0, (64 << 20) + 600_000) == "64.6 MiB of memory of its own"
    assert retirement.due(160.0, 0, 0) == "60 s in service"


def test_a_limit_of_memory_that_hardly_anybody_can_keep_is_doubted() -> None:
    retirement = Retirement(Limits(memory=1 << 20), 0.0, 100.0)
    words = "2.0 MiB of memory of its own after 5 s: is [limits] memory too small for a worker at work?"
    assert retirement.due(100.0 + LOOK, 0, 2 << 20) == words
    assert retirement.due(100.0 + 2 * LOOK, 0, 2 << 20) == "2.0 MiB of memory of its own"


@given(JITTER)
def test_nobody_goes_late_nor_more_than_a_tenth_early(jitter: float) -> None:
    requests = Retirement(Limits(requests=1000), jitter, 0.0)
    assert requests.due(0.0, 899, 0) == ""
    assert requests.due(0.0, 1000, 0)
    memory = Retirement(Limits(memory=1000), jitter, 0.0)
    assert memory.due(0.0, MANY, 899) == ""
    assert memory.due(0.0, 0, 1001)
    lifetime = Retirement(Limits(lifetime=1000.0), jitter, 50.0)
    assert lifetime.due(949.0, MANY, MANY) == ""
    assert lifetime.due(1050.0, 0, 0)


def test_those_forked_together_do_not_go_together() -> None:
    ends = [Retirement(Limits(requests=1000), jitter / 8, 0.0).requests for jitter in range(8)]
    assert len(set(ends)) == 8
    assert (max(ends), min(ends) > 1000 * (1 - SPREAD)) == (1000, True)


def test_one_request_is_a_limit_too() -> None:
    assert Retirement(Limits(requests=1), 1.0, 0.0).due(0.0, 0, 0) == ""
    assert Retirement(Limits(requests=1), 1.0, 0.0).due(0.0, 1, 0)


def test_what_is_over_is_not_due_again() -> None:
    retirement = Retirement(Limits(requests=1, memory=1, lifetime=1.0), 0.0, 0.0)
    assert retirement.due(9.0, 9, 9)
    retirement.over()
    assert retirement.due(9.0, 9, 9) == ""
    assert (retirement.requests, retirement.next_look) == (sys.maxsize, NEVER)


def test_memory_is_looked_at_every_few_seconds() -> None:
    retirement = Retirement(Limits(memory=1), 0.0, 10.0)
    assert retirement.next_look == 10.0 + LOOK
    retirement.looked(17.0)
    assert retirement.next_look == 17.0 + LOOK


class FakeOrders:
    """Keeps the reasons it is told."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def retire(self, why: str) -> None:
        self.reasons.append(why)


class Office:
    """A worker's term, with a clock that is set by hand."""

    def __init__(self, limits: Limits) -> None:
        self.orders, self.log, self.clock = FakeOrders(), FakeLog(), Clock()
        self.clock.now = 1000.0
        self.ledger = Ledger(None, compile_format("common"))
        self.tenure = Tenure(
            limits,
            self.orders,  # type: ignore[arg-type]  # as much of them as is asked for
            self.ledger,
            self.clock,
            self.log,  # type: ignore[arg-type]
        )

    def look(self, seconds: float) -> list[str]:
        """The reasons so far, after a look when so much time has passed."""
        self.clock.now += seconds
        self.tenure.look()
        return self.orders.reasons


def test_the_end_is_said_once() -> None:
    office = Office(Limits(requests=10))
    office.ledger.requests = 8
    assert office.look(1.0) == []
    office.ledger.requests = 11
    assert office.look(1.0) == ["11 requests answered"]
    assert office.look(1.0) == ["11 requests answered"]
    assert office.tenure.retirement.requests == sys.maxsize  # no turn of the loop asks again


def test_of_several_reasons_the_first_is_said() -> None:
    office = Office(Limits(lifetime=60.0))
    office.tenure.retire("'GET /slow HTTP/1.1' does not end")
    office.tenure.retire("'GET /other HTTP/1.1' does not end")
    assert office.look(100.0) == ["'GET /slow HTTP/1.1' does not end"]
    office = Office(Limits(lifetime=60.0))
    (said,) = office.look(100.0)
    office.tenure.retire("'GET /slow HTTP/1.1' does not end")
    assert office.orders.reasons == [said]


def test_who_is_leaving_says_nothing() -> None:
    office = Office(Limits(lifetime=1.0))
    office.tenure.end()
    assert office.look(2.0) == []
    office.tenure.retire("'GET /slow HTTP/1.1' does not end")
    assert office.orders.reasons == []


def test_an_idle_worker_sleeps_until_its_end_and_no_longer() -> None:
    assert Office(Limits()).tenure.patience(0.0) == -1
    office = Office(Limits(lifetime=60.0))
    assert 54.0 <= office.tenure.patience(0.0) <= 60.0
    assert Office(Limits(lifetime=30 * 86400.0)).tenure.patience(0.0) == LONGEST_SLEEP
    assert Office(Limits(memory=1, lifetime=60.0)).tenure.patience(0.0) == LOOK
    office.clock.now += 100.0
    assert office.tenure.patience(0.0) == 0.0
    assert office.tenure.patience(office.clock.now + 0.5) == 0.5  # the sweep will look; nobody spins until then
    office.tenure.look()
    assert office.tenure.patience(0.0) == -1


def test_memory_of_its_own_is_what_nobody_shares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tmp_path / "status"
    status.write_text("VmPeak:\t   99999 kB\nVmRSS:\t    1000 kB\nRssAnon:\t     300 kB\nVmSwap:\t      24 kB\n")
    monkeypatch.setattr(tenure, "STATUS", str(status))
    assert all_memory() == 1 << 20
    rollup = tmp_path / "smaps_rollup"
    rollup.write_text(
        "563c8c729000-7ffd4e710000 ---p 00000000 00:00 0                          [rollup]\n"
        "Rss:              999999 kB\nPrivate_Clean:      8888 kB\nPrivate_Dirty:       112 kB\n"
        "Swap:                 16 kB\nSwapPss:           77777 kB\nLocked:                0 kB\n"
    )
    monkeypatch.setattr(tenure, "ROLLUP", str(rollup))
    assert own_memory() == 128 * 1024


def test_the_kernel_tells_what_was_taken() -> None:
    """A map of its own: what the interpreter allocates may be there already."""
    size = 16 << 20
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as taken:
        before = own_memory()
        taken.write(b"x" * size)
        during = own_memory()
        assert all_memory() > during - size // 2
    assert size * 3 // 4 < during - before < size * 3
    assert own_memory() < during - size // 2


def test_memory_is_read_only_when_it_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(tenure, "all_memory", lambda: looks.append(1) or 2 << 20)
    monkeypatch.setattr(tenure, "own_memory", lambda: 5000)
    assert Office(Limits(requests=10)).look(100.0) == []
    assert looks == []
    office = Office(Limits(memory=10_000))
    for _ in range(12):
        assert office.look(1.0) == []
    assert len(looks) == 2
    assert office.log.told == []
    monkeypatch.setattr(tenure, "own_memory", lambda: 3 << 20)
    assert office.look(LOOK) == ["3.0 MiB of memory of its own"]


def test_where_the_kernel_does_not_tell_it_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenure, "ROLLUP", str(tmp_path / "none"))
    office = Office(Limits(memory=1, lifetime=100.0))
    for _ in range(3):
        assert office.look(LOOK) == []
    ((level, words),) = office.log.told
    assert level == "warning"
    assert words == f"the limit of memory does not hold: {tmp_path}/none: No such file or directory"
    assert office.look(100.0) == ["115 s in service"]


def test_the_long_look_is_taken_only_when_it_may_find_something(monkeypatch: pytest.MonkeyPatch) -> None:
    long_looks: list[int] = []
    monkeypatch.setattr(tenure, "own_memory", lambda: long_looks.append(1) or 9000)
    monkeypatch.setattr(tenure, "all_memory", lambda: 8000)
    office = Office(Limits(memory=10_000))
    assert office.look(LOOK) == []
    assert long_looks == []
    monkeypatch.setattr(tenure, "all_memory", lambda: 80_000)
    office.look(LOOK)
    assert long_looks == [1]
