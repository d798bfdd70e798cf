"""How many workers the load asks for: `Adapting`, with a clock and a load of the test's making."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.config.options import Workers
from forkserver.process.adapting import LARGEST_STEP, LONGEST_QUIET, QUIET, STUCK, Adapting, Census
from forkserver.process.children import Children, Life, Spawn

GRACEFUL = 25.0


class Pool:
    """Workers that are there as soon as they are wanted, unless `absent` of them are not."""

    def __init__(self, low: int, high: int) -> None:
        self.adapting = Adapting(Workers(low, high))
        self.want, self.now, self.absent = low, 0.0, 0
        self.complaints: list[str] = []

    def look(self, busy: int, seconds: float = 1.0) -> int:
        """One look a while later, when so many would be busy if there were as many workers."""
        self.now += seconds
        ready = self.want - self.absent
        self.want = self.adapting.look(self.now, self.want, Census(0, ready, min(busy, ready)))
        if self.adapting.complaint:
            self.complaints.append(self.adapting.complaint)
        return self.want

    def looks(self, busy: int, times: int) -> list[int]:
        return [self.look(busy) for _ in range(times)]


def test_at_rest_it_stays_at_the_least() -> None:
    assert set(Pool(2, 8).looks(0, 100)) == {2}


def test_a_fixed_number_never_changes_and_never_complains() -> None:
    pool = Pool(4, 4)
    assert set(pool.looks(9, 100) + pool.looks(0, 100)) == {4}
    assert pool.complaints == []


def test_one_spare_worker_is_enough() -> None:
    assert set(Pool(2, 8).looks(1, 100)) == {2}


def test_while_short_it_adds_twice_as_many_each_time() -> None:
    assert Pool(1, 200).looks(999, 10) == [2, 4, 8, 16, 32, 64, 96, 128, 160, 192]
    assert LARGEST_STEP == 32
    assert Pool(2, 8).looks(999, 5) == [3, 5, 8, 8, 8]


def test_one_look_that_is_not_short_begins_with_one_again() -> None:
    pool = Pool(1, 100)
    assert pool.looks(99, 3) == [2, 4, 8]
    assert pool.look(7) == 8
    assert pool.looks(99, 2) == [9, 11]


def test_looks_that_come_too_soon_count_as_one() -> None:
    pool = Pool(1, 100)
    assert [pool.look(99, 0.25) for _ in range(9)] == [2, 2, 2, 2, 4, 4, 4, 4, 8]


def test_those_that_are_on_their_way_are_waited_for() -> None:
    adapting = Adapting(Workers(1, 8))
    assert adapting.look(1.0, 2, Census(starting=1, ready=1, busy=1)) == 2
    assert adapting.look(2.0, 2, Census(starting=0, ready=1, busy=1)) == 2  # it could not be forked for now
    assert adapting.look(3.0, 2, Census(starting=0, ready=2, busy=2)) == 3


def test_it_shrinks_after_a_while_of_quiet_one_a_second_and_never_below_the_least() -> None:
    pool = Pool(2, 8)
    assert pool.looks(99, 3)[-1] == 8
    quiet = int(QUIET)
    assert pool.looks(0, quiet) == [8] * quiet
    assert pool.looks(0, 8) == [7, 6, 5, 4, 3, 2, 2, 2]


def test_it_keeps_one_to_spare() -> None:
    pool = Pool(1, 8)
    assert pool.looks(99, 4)[-1] == 8
    assert pool.looks(3, 60)[-1] == 4


def test_one_busy_look_puts_the_shrinking_off() -> None:
    pool = Pool(1, 4)
    pool.looks(99, 3)
    quiet = int(QUIET)
    for _ in range(5):
        assert set(pool.looks(0, quiet)) == {4}
        assert pool.look(3) == 4


def test_growing_again_soon_after_shrinking_doubles_the_while() -> None:
    """A load that is gone just long enough, again and again."""
    pool = Pool(1, 2)
    whiles = []
    for _ in range(8):
        assert pool.look(9) == 2
        before = pool.now
        while pool.look(0) == 2:
            pass
        whiles.append(pool.now - before - 1)
    assert whiles == [QUIET, 20.0, 40.0, 80.0, 160.0, LONGEST_QUIET, LONGEST_QUIET, LONGEST_QUIET]
    pool.looks(0, 1000)  # it was right to shrink after all
    assert pool.look(9) == 2
    assert pool.looks(0, int(QUIET) + 1)[-1] == 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("busy", [0.3, 1.0, 2.5, 5.0])
def test_a_steady_load_of_short_requests_does_not_make_it_flap(busy: float, seed: int) -> None:
    """Each look finds another number busy, though the load is the same for two hours."""
    chance = random.Random(seed)
    pool = Pool(1, 16)
    turns, direction = 0, 1
    for _ in range(7200):
        before = pool.want
        seen = sum(chance.random() < busy / 16 for _ in range(16))
        step = pool.look(seen) - before
        if step * direction < 0:
            turns, direction = turns + 1, -direction
    assert turns <= 40  # of one a second at worst; it comes to rest for ever longer
    assert pool.want < 16
    assert pool.complaints == []


def test_the_largest_pool_that_is_too_small_is_told_once_an_episode() -> None:
    pool = Pool(1, 2)
    pool.looks(9, 100)
    told = "2 workers are all busy; raise [server] workers = 1-2, or see with `forkserver status` what holds them up"
    assert pool.complaints == [told]
    pool.looks(0, int(QUIET) - 1)  # a breath is not the end of it
    pool.looks(9, 100)
    assert pool.complaints == [told]
    pool.looks(0, 60)
    pool.looks(9, 100)
    assert pool.complaints == [told] * 2


def test_a_full_moment_is_not_worth_a_word() -> None:
    pool = Pool(1, 2)
    for _ in range(30):
        pool.looks(9, int(STUCK))
        pool.look(1)
    assert pool.want == 2
    assert pool.complaints == []


def test_missing_workers_are_not_said_to_be_busy() -> None:
    pool = Pool(1, 4)
    pool.looks(9, 3)
    pool.absent = 1
    pool.looks(9, 60)
    assert (pool.want, pool.complaints) == (4, [])


@given(st.integers(1, 20), st.integers(0, 60), st.lists(st.integers(0, 99), max_size=80))
def test_it_stays_within_its_bounds_whatever_comes(low: int, more: int, loads: list[int]) -> None:
    pool = Pool(low, low + more)
    for busy in loads:
        before = pool.want
        now = pool.look(busy)
        assert low <= now <= low + more
        assert -1 <= now - before <= LARGEST_STEP


# In the books.


def books(low: int, high: int) -> Children:
    """A first generation that is whole."""
    children = Children(want=0, graceful=GRACEFUL, seats=64)
    children.audition(1)
    act(children, 0.0)
    children.promote(Workers(low, high), GRACEFUL)
    act(children, 0.0)
    return children


def act(children: Children, now: float) -> None:
    """Who is to be forked is ready at once, who is to drain has gone at once."""
    children.plan(now, [children.generation, children.candidate or 0])
    for child in list(children.by_seat.values()):
        if child.life is Life.STARTING:
            children.ready(child.seat)
        elif child.life is Life.DRAINING:
            children.died(child.seat, now, served=True)


def adapt(children: Children, now: float, busy: int) -> str:
    """A look, and what follows; `busy` of those that are there are."""
    complaint = children.adapt(now, sorted(children.by_seat)[:busy])
    act(children, now)
    return complaint


def test_the_pool_follows() -> None:
    children = books(2, 5)
    counts = []
    for second in range(1, 4):
        adapt(children, float(second), 99)
        counts.append(len(children.by_seat))
    assert counts == [3, 5, 5]
    for second in range(4, 30):
        adapt(children, float(second), 1)
    assert (len(children.by_seat), children.want) == (2, 2)


def test_before_the_first_promotion_there_is_nothing_to_adapt() -> None:
    children = Children(want=0, graceful=GRACEFUL, seats=8)
    assert children.adapt(1.0, []) == ""
    children.move(1)
    assert children.want == 0


def test_the_complaint_reaches_the_master() -> None:
    children = books(1, 2)
    said = [adapt(children, float(second), 99) for second in range(1, 20)]
    assert [words.startswith("2 workers are all busy; ") for words in said if words] == [True]


def test_those_that_retire_or_drain_or_are_of_another_generation_do_not_count() -> None:
    children = books(2, 4)
    children.retiring(0)
    act(children, 0.0)
    assert len(children.by_seat) == 3
    children.retiring(2)
    children.audition(2)
    children.plan(0.0, [1, 2])
    children.ready(max(children.by_seat))
    assert adapt(children, 1.0, 0) == ""
    assert children.want == 2


def test_a_retiring_worker_is_replaced_in_an_adapting_pool() -> None:
    children = books(1, 3)
    children.retiring(0)
    assert children.plan(1.0, [1]) == [Spawn(1, 1)]
    children.adapt(1.0, {0})
    assert children.want == 1  # its replacement is on its way
    children.ready(1)
    children.plan(2.0, [1])
    assert {seat: child.life for seat, child in children.by_seat.items()} == {0: Life.DRAINING, 1: Life.READY}


@pytest.mark.parametrize(
    ("before", "now", "want"), [((2, 8), (2, 8), 6), ((2, 8), (1, 4), 4), ((2, 8), (7, 9), 7), ((2, 8), (3, 3), 3)]
)
def test_a_reload_keeps_what_the_load_had_asked_for_within_the_new_bounds(
    before: tuple[int, int], now: tuple[int, int], want: int
) -> None:
    children = books(*before)
    children.want = 6
    act(children, 1.0)
    children.audition(2)
    act(children, 1.0)
    children.promote(Workers(*now), GRACEFUL)
    assert children.want == want
    for _ in range(10):
        act(children, 1.0)
    assert [child.generation for child in children.by_seat.values()] == [2] * want
    assert children.settled()


def test_somebody_may_want_one_more_or_fewer() -> None:
    children = books(2, 4)
    children.move(1)
    assert (children.want, str(children.adapting and children.adapting.workers)) == (3, "3-5")
    for _ in range(9):
        children.move(-1)
    assert (children.want, str(children.adapting and children.adapting.workers)) == (1, "1")
    for _ in range(99):
        children.move(1)
    assert children.want == 32  # of 64 seats


def test_who_is_wanted_by_hand_stays_until_the_next_reload() -> None:
    children = books(2, 4)
    children.move(1)
    act(children, 1.0)
    for second in range(1, 60):
        adapt(children, float(second), 0)
    assert len(children.by_seat) == 3
