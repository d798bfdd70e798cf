"""Who should live: `Children`, with a clock of the test's making."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from forkserver.config.options import Workers
from forkserver.process.children import (
    LONGEST_PAUSE,
    SERVING,
    START_LIMIT,
    YOUNG,
    Action,
    Children,
    Drain,
    Kill,
    Life,
    Spawn,
)

GRACEFUL = 25.0


def promoted(want: int, now: float = 0.0) -> Children:
    """A first generation of which every worker is ready."""
    children = Children(want=0, graceful=0.0, seats=64)
    children.audition(1)
    come_up(children, now, [1])
    children.promote(Workers(want, want), GRACEFUL)
    come_up(children, now, [1])
    return children


def come_up(children: Children, now: float, able: list[int]) -> list[Action]:
    """Carry out what is planned; every new worker is ready at once, none leaves."""
    actions = children.plan(now, able)
    for action in actions:
        if isinstance(action, Spawn):
            children.born(action.seat, 1000 + action.seat)
            children.ready(action.seat)
    return actions


def lives(children: Children, generation: int, *wanted: Life) -> int:
    return sum(c.generation == generation and c.life in wanted for c in children.by_seat.values())


def test_nobody_is_wanted_before_the_first_audition() -> None:
    assert Children(want=4, graceful=1.0, seats=8).plan(0.0, [1]) == []


def test_an_audition_takes_one_worker_and_a_promotion_the_others() -> None:
    children = Children(want=0, graceful=0.0, seats=8)
    children.audition(1)
    assert children.plan(0.0, []) == []  # its mold cannot fork yet
    assert children.plan(0.0, [1]) == [Spawn(0, 1)]
    assert children.plan(0.0, [1]) == []
    children.ready(0)
    children.promote(Workers(3, 3), GRACEFUL)
    assert children.plan(0.0, [1]) == [Spawn(1, 1), Spawn(2, 1)]
    assert not children.settled()
    children.ready(1)
    children.ready(2)
    assert children.settled()


def test_a_worker_that_dies_old_is_replaced_at_once_in_its_own_seat() -> None:
    children = promoted(2)
    assert children.died(1, YOUNG, served=False) == 0.0
    assert children.plan(YOUNG, [1]) == [Spawn(1, 1)]


def test_a_worker_that_dies_young_and_served_is_replaced_at_once() -> None:
    children = promoted(2)
    assert children.died(0, 0.1, served=True) == 0.0
    assert children.plan(0.1, [1]) == [Spawn(0, 1)]


def test_those_that_die_young_are_throttled_and_forgiven_once_one_lived() -> None:
    children = promoted(1)
    now, pauses = 0.0, []
    for _ in range(8):
        pause = children.died(0, now, served=False)
        pauses.append(pause)
        assert children.plan(now, [1]) == []
        assert children.next_deadline(now) == now + pause
        now += pause
        assert children.plan(now, [1]) == [Spawn(0, 1)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert children.died(0, now + YOUNG, served=False) == 0.0
    assert children.plan(now + YOUNG, [1]) == [Spawn(0, 1)]
    assert children.died(0, now + YOUNG, served=False) == 1.0


def test_who_could_not_load_died_young_however_long_that_took() -> None:
    children = Children(want=0, graceful=GRACEFUL, seats=8)
    children.audition(1)
    children.plan(0.0, [1])
    children.ready(0)
    children.promote(Workers(2, 2), GRACEFUL)
    assert children.plan(0.0, [1]) == [Spawn(1, 1)]
    children.refused(1)
    assert children.died(1, 60.0, served=False) == 1.0


def test_the_pause_has_a_limit_however_often_they_die() -> None:
    children = promoted(1)
    now = 0.0
    for _ in range(1100):  # 2.0 ** 1100 is no number any more
        now += children.died(0, now, served=False)
        assert children.plan(now, [1]) == [Spawn(0, 1)]
    assert children.died(0, now, served=False) == LONGEST_PAUSE


def test_those_forked_together_that_die_together_count_once() -> None:
    children = promoted(8)
    assert [children.died(seat, 0.5, served=False) for seat in range(8)] == [1.0] * 8
    assert len(children.plan(1.5, [1])) == 8
    assert [children.died(seat, 1.6, served=False) for seat in range(8)] == [2.0] * 8


def test_a_young_death_long_after_the_last_one_starts_from_one_second() -> None:
    children = promoted(2)
    assert children.died(0, 1.0, served=False) == 1.0
    assert children.plan(2.0, [1]) == [Spawn(0, 1)]
    assert children.died(0, 3.0, served=False) == 2.0
    assert children.plan(100.0, [1]) == [Spawn(0, 1)]
    assert children.died(0, 101.0, served=False) == 1.0


def test_a_pause_that_is_over_is_no_deadline() -> None:
    """Else the master would spin: while no mold can fork, and while it stops."""
    children = promoted(1)
    children.died(0, 0.0, served=False)
    assert children.next_deadline(0.5) == 1.0
    assert children.next_deadline(1.0) == float("inf")
    children.stopping = True
    assert children.next_deadline(0.5) == float("inf")


def test_an_old_generations_deaths_do_not_throttle_the_new_one() -> None:
    children = promoted(4)
    children.audition(2)
    come_up(children, 1.0, [1, 2])
    children.promote(Workers(4, 4), GRACEFUL)
    assert children.died(0, 1.5, served=False) == 0.0
    assert len([a for a in children.plan(1.5, [2]) if isinstance(a, Spawn)]) == 3


def test_who_does_not_come_up_in_time_is_killed_once_and_replaced() -> None:
    children = Children(want=0, graceful=0.0, seats=8)
    children.audition(1)
    children.plan(0.0, [1])
    assert children.next_deadline(0.0) == START_LIMIT
    assert children.plan(START_LIMIT - 0.1, [1]) == []
    assert children.plan(START_LIMIT, [1]) == [Kill(0, "was not ready in time")]
    assert children.plan(START_LIMIT + 1, [1]) == []
    assert children.next_deadline(START_LIMIT + 1) == float("inf")
    assert children.died(0, START_LIMIT + 1, served=False) == 0.0
    assert children.plan(START_LIMIT + 1, [1]) == [Spawn(0, 1)]


def test_who_does_not_finish_in_time_is_killed() -> None:
    children = promoted(1)
    children.stopping = True
    assert children.plan(10.0, []) == [Drain(0)]
    children.leaving(0, 20.0)
    assert children.next_deadline(20.0) == 10.0 + GRACEFUL
    assert children.plan(10.0 + GRACEFUL, []) == [Kill(0, "did not finish in time")]


def test_a_hurry_holds_whatever_is_planned_after_it() -> None:
    children = promoted(2)
    children.stopping = True
    children.hurry(12.0)
    assert children.plan(10.0, []) == []
    children.leaving(0, 10.5)
    assert children.plan(12.0, []) == [Kill(0, "did not finish in time"), Kill(1, "did not finish in time")]


def test_who_leaves_of_its_own_accord_is_replaced_and_has_its_time() -> None:
    children = promoted(2)
    children.leaving(0, 10.0)
    assert children.plan(10.0, [1]) == [Spawn(2, 1)]
    assert children.next_deadline(10.0) == 10.0 + GRACEFUL
    assert children.died(0, 11.0, served=False) == 0.0


def test_a_retiring_worker_serves_until_its_replacement_is_ready() -> None:
    children = promoted(1)
    children.retiring(0)
    assert children.plan(10.0, []) == []  # its mold cannot fork at present
    assert children.plan(10.0, [1]) == [Spawn(1, 1)]
    assert children.plan(10.0, [1]) == []
    assert children.by_seat[0].life is Life.RETIRING
    assert children.next_deadline(10.0) == 10.0 + START_LIMIT  # of the new one; the old one has none
    children.ready(1)
    assert children.plan(11.0, [1]) == [Drain(0)]
    assert children.next_deadline(11.0) == 11.0 + GRACEFUL
    children.leaving(0, 11.0)
    assert children.died(0, 12.0, served=True) == 0.0
    assert children.plan(12.0, [1]) == []


def test_of_several_that_retire_each_waits_for_one() -> None:
    children = promoted(3)
    children.retiring(0)
    children.retiring(2)
    assert children.plan(10.0, [1]) == [Spawn(3, 1), Spawn(4, 1)]
    children.ready(4)
    assert children.plan(10.0, [1]) == [Drain(0)]
    children.ready(3)
    assert children.plan(10.0, [1]) == [Drain(2)]


def test_who_retires_twice_or_while_it_leaves_changes_nothing() -> None:
    children = promoted(1)
    children.retiring(0)
    children.retiring(0)
    assert children.plan(10.0, [1]) == [Spawn(1, 1)]
    children.leaving(0, 10.0)  # somebody sent it TERM
    children.retiring(0)
    assert children.by_seat[0].life is Life.LEAVING
    assert children.plan(10.0, [1]) == []


def test_a_replacement_that_dies_young_is_throttled_and_the_retiring_one_serves_on() -> None:
    children = promoted(1)
    children.retiring(0)
    assert children.plan(10.0, [1]) == [Spawn(1, 1)]
    assert children.died(1, 10.1, served=False) == 1.0
    assert children.plan(10.5, [1]) == []
    assert children.by_seat[0].life is Life.RETIRING
    assert children.plan(11.1, [1]) == [Spawn(1, 1)]


def test_a_retiring_worker_that_is_not_wanted_any_more_goes_without_a_replacement() -> None:
    children = promoted(2)
    children.retiring(0)
    children.want = 1
    assert children.plan(10.0, [1]) == [Drain(0)]


def test_a_reload_takes_retiring_workers_along_the_retiring_ones_first() -> None:
    children = promoted(2)
    children.audition(2)
    assert come_up(children, 10.0, [1, 2]) == [Spawn(2, 2)]
    children.retiring(1)
    assert children.plan(10.0, [1, 2]) == [Spawn(3, 1)]  # the generation that serves is kept whole meanwhile
    children.promote(Workers(2, 2), GRACEFUL)
    assert children.plan(10.0, [2]) == [Spawn(4, 2), Drain(1), Drain(0)]
    children.ready(4)
    assert children.plan(10.0, [2]) == [Drain(3)]
    for seat in (0, 1, 3):
        children.leaving(seat, 11.0)
    assert children.settled()


def test_a_candidate_may_retire_before_its_promotion() -> None:
    children = promoted(1)
    children.audition(2)
    come_up(children, 10.0, [1, 2])
    children.retiring(1)
    assert children.plan(10.0, [1, 2]) == []  # no second one is auditioned
    children.promote(Workers(1, 1), GRACEFUL)
    assert children.plan(10.0, [2]) == [Spawn(2, 2), Drain(1)]
    assert not children.settled()
    children.ready(2)
    children.plan(10.0, [2])
    children.leaving(1, 10.0)
    children.leaving(0, 10.0)
    assert children.settled()


def test_a_refused_candidate_that_retires_leaves() -> None:
    children = promoted(1)
    children.audition(2)
    come_up(children, 10.0, [1, 2])
    children.retiring(1)
    assert children.dismiss(10.0) == [Drain(1)]


def test_retiring_workers_drain_when_the_server_stops() -> None:
    children = promoted(1)
    children.retiring(0)
    children.stopping = True
    assert children.plan(10.0, [1]) == [Drain(0)]


def test_with_fewer_wanted_the_newest_go() -> None:
    children = promoted(3)
    for seat, since in ((0, 5.0), (1, 1.0), (2, 3.0)):
        children.by_seat[seat].since = since
    children.want = 1
    assert children.plan(10.0, [1]) == [Drain(2), Drain(0)]
    assert children.plan(10.0, [1]) == []


def test_a_new_generation_takes_over_one_for_one() -> None:
    children = promoted(3)
    children.audition(2)
    assert come_up(children, 10.0, [1, 2]) == [Spawn(3, 2)]
    assert children.plan(10.0, [1, 2]) == []  # nothing drains before the promotion
    children.promote(Workers(3, 3), 5.0)
    assert children.plan(10.0, [2]) == [Spawn(4, 2), Spawn(5, 2), Drain(0)]
    children.ready(4)
    assert children.plan(10.0, [2]) == [Drain(1)]
    children.ready(5)
    assert children.plan(10.0, [2]) == [Drain(2)]
    assert not children.settled()
    for seat in (0, 1, 2):
        children.leaving(seat, 11.0)
    assert children.settled()


def test_a_larger_new_generation_lets_the_old_one_go_late() -> None:
    """With 5 old and 8 wanted, the first three new ones come on top."""
    children = promoted(5)
    children.audition(2)
    come_up(children, 10.0, [1, 2])
    children.promote(Workers(8, 8), GRACEFUL)
    spawned = [a.seat for a in children.plan(10.0, [2]) if isinstance(a, Spawn)]
    accepting = []
    for seat in spawned:
        children.ready(seat)
        children.plan(10.0, [2])
        accepting.append(lives(children, 1, Life.READY) + lives(children, 2, Life.READY))
    assert accepting == [7, 8, 8, 8, 8, 8, 8]


def test_a_smaller_new_generation_replaces_all() -> None:
    children = promoted(4)
    children.audition(2)
    come_up(children, 10.0, [1, 2])
    children.promote(Workers(1, 1), GRACEFUL)
    assert children.plan(10.0, [2]) == [Drain(0), Drain(1), Drain(2), Drain(3)]


def test_a_refused_candidate_leaves_everything_as_it_was() -> None:
    children = promoted(2)
    children.audition(2)
    assert children.plan(10.0, [1, 2]) == [Spawn(2, 2)]
    assert children.dismiss(11.0) == [Drain(2)]
    assert children.plan(11.0, [1]) == []
    assert (children.generation, lives(children, 1, Life.READY)) == (1, 2)
    assert children.died(2, 11.0, served=False) == 0.0
    assert children.settled()


def test_a_candidate_does_not_wait_for_the_throttle_of_what_it_may_cure() -> None:
    children = promoted(1)
    children.died(0, 0.0, served=False)
    children.audition(2)
    assert children.plan(0.1, [1, 2]) == [Spawn(0, 2)]


def test_a_full_board_is_no_error() -> None:
    children = Children(want=0, graceful=1.0, seats=2)
    children.audition(1)
    come_up(children, 0.0, [1])
    children.promote(Workers(5, 5), 1.0)
    assert come_up(children, 0.0, [1]) == [Spawn(1, 1)]
    assert children.plan(0.0, [1]) == []


def test_the_dead_are_found_by_their_pid() -> None:
    children = promoted(2)
    assert children.seat_of(1001) == 1
    assert children.seat_of(999) is None


class Life1(RuleBasedStateMachine):
    """Anything may happen to a pool in any order: it never has too many, and comes to rest as it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.children = promoted(3)
        self.number = 1
        self.most = 3  # accepting workers of the generations so far

    @property
    def able(self) -> list[int]:
        return [self.children.generation, self.children.candidate or 0]

    def act(self) -> None:
        for action in self.children.plan(self.now, self.able):
            if isinstance(action, Spawn):
                self.children.born(action.seat, 5000 + action.seat)
            elif isinstance(action, Kill):
                self.children.died(action.seat, self.now, served=False)

    @rule(seconds=st.sampled_from([0.0, 0.01, 1.0, 6.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.act()

    @rule(choice=st.integers(0, 63))
    def one_is_ready(self, choice: int) -> None:
        self.children.ready(self.pick(choice))
        self.act()

    @rule(choice=st.integers(0, 63), served=st.booleans())
    def one_dies(self, choice: int, served: bool) -> None:
        pause = self.children.died(self.pick(choice), self.now, served)
        assert 0.0 <= pause <= LONGEST_PAUSE
        self.act()

    @rule(choice=st.integers(0, 63))
    def one_leaves(self, choice: int) -> None:
        self.children.leaving(self.pick(choice), self.now)
        self.act()

    @rule(choice=st.integers(0, 63))
    def one_retires(self, choice: int) -> None:
        chosen = self.pick(choice)
        before = self.serving()
        self.children.retiring(chosen)
        self.act()
        assert self.serving() >= min(before, self.children.want)  # nobody goes before somebody is there

    @rule(want=st.integers(1, 5))
    def another_number_is_wanted(self, want: int) -> None:
        self.children.want = want
        self.most = max(self.most, want)
        self.act()

    @precondition(lambda self: self.children.candidate is None)
    @rule()
    def a_reload_begins(self) -> None:
        self.number += 1
        self.children.audition(self.number)
        self.act()

    @precondition(lambda self: self.children.candidate is not None)
    @rule()
    def a_reload_is_refused(self) -> None:
        self.children.dismiss(self.now)
        self.act()

    @precondition(lambda self: lives(self.children, self.children.candidate or -1, Life.READY) > 0)
    @rule(want=st.integers(1, 5))
    def a_reload_succeeds(self, want: int) -> None:
        self.children.promote(Workers(want, want), GRACEFUL)
        self.most = max(self.most, want)
        self.act()

    def serving(self) -> int:
        """Workers of the generations that serve by right."""
        return sum(
            c.life in SERVING and c.generation != self.children.candidate for c in self.children.by_seat.values()
        )

    def pick(self, choice: int) -> int:
        if not self.children.by_seat:
            self.now = max(self.now, self.children.not_before)
            self.act()
        seats = sorted(self.children.by_seat)
        return seats[choice % len(seats)]

    @invariant()
    def never_too_many(self) -> None:
        """Of the current generation no more than wanted, of a candidate one, of the older ones no new ones."""
        alive = (Life.STARTING, Life.READY)
        assert lives(self.children, self.children.generation, *alive) <= self.children.want
        if self.children.candidate is not None:
            assert lives(self.children, self.children.candidate, *alive) <= 1
        assert lives(self.children, self.children.generation, Life.RETIRING) <= self.most
        older = [c for c in self.children.by_seat.values() if c.generation < self.children.generation]
        assert sum(c.life in alive for c in older) <= self.most

    def teardown(self) -> None:
        """Let everything go well from now on."""
        if self.children.candidate is not None:
            self.children.dismiss(self.now)
        for _ in range(20):
            self.now = max(self.now, self.children.not_before)
            self.act()
            for child in list(self.children.by_seat.values()):
                if child.life is Life.STARTING:
                    self.children.ready(child.seat)
                elif child.life in (Life.DRAINING, Life.LEAVING):
                    self.children.died(child.seat, self.now, served=True)
        assert self.children.settled()
        assert len(self.children.by_seat) == self.children.want


TestAnyLife = Life1.TestCase
TestAnyLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
