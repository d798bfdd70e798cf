"""The steps of a reload and their limits, without processes and with a clock of the test's making."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkserver import config as configuration
from forkserver.apps import KINDS
from forkserver.config import Config
from forkserver.process.children import Action, Children
from forkserver.process.generation import Generation, Logs
from forkserver.process.transition import LOAD_LIMIT, SETTLE_LIMIT, CannotChange, Transition


class FakeMolds:
    """Forks nobody."""

    def __init__(self) -> None:
        self.gone: list[int] = []
        self.living: dict[int, float] = {}
        self.trouble: OSError | None = None

    def start(self, generation: Generation) -> None:
        if self.trouble:
            raise self.trouble

    def hang_up(self, generation: Generation) -> None:
        self.gone.append(generation.number)


class FakePool:
    """What a transition asks of the pool; forks nobody."""

    def __init__(self) -> None:
        self.children = Children(want=0, graceful=1.0, seats=16)
        self.generations: dict[int, Generation] = {}
        self.molds = FakeMolds()
        self.carried: list[Action] = []

    @property
    def current(self) -> Generation | None:
        return self.generations.get(self.children.generation)

    def carry_out(self, action: Action) -> None:
        self.carried.append(action)

    def act(self, now: float) -> None:
        """Every worker that is asked for is ready at once."""
        for action in self.children.plan(now, list(self.generations)):
            self.children.ready(action.seat)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configuration.parse(
        f"[server]\nlisten = 127.0.0.1:0\nworkers = 2\n"
        f"[log]\naccess = {tmp_path}/access.log\n[/]\nstatic = {tmp_path}\n",
        str(tmp_path / "server.ini"),
        KINDS,
    )


@pytest.fixture
def pool() -> Iterator[FakePool]:
    before = sorted(os.listdir("/proc/self/fd"))
    made = FakePool()
    yield made
    for generation in made.generations.values():
        for listener in generation.listeners:
            listener.close()
    for logs in {generation.logs for generation in made.generations.values()}:
        logs.close()
    assert sorted(os.listdir("/proc/self/fd")) == before


def begin(pool: FakePool, config: Config, now: float = 0.0, logs: Logs | None = None) -> Transition:
    return Transition(pool, config, logs, {}, now)  # type: ignore[arg-type]  # a fake


def complete(pool: FakePool, transition: Transition, now: float) -> None:
    """All steps up to the promotion."""
    transition.generation.loaded = True
    assert transition.advance(now) == "auditioned"
    pool.act(now)
    assert transition.advance(now) == "promoted"


def test_step_by_step(pool: FakePool, config: Config) -> None:
    transition = begin(pool, config)
    assert transition.advance(1.0) is None
    complete(pool, transition, 2.0)
    assert transition.advance(2.0) is None
    pool.act(2.0)
    assert transition.advance(2.0) == "settled"
    assert (pool.children.generation, pool.children.want) == (1, 2)


def test_nothing_is_settled_while_an_old_mold_holds_the_listeners(pool: FakePool, config: Config) -> None:
    transition = begin(pool, config)
    complete(pool, transition, 2.0)
    pool.act(2.0)
    transition.generation.mold = 7
    pool.molds.living = {6: 0.0, 7: float("inf")}
    assert transition.advance(2.0) is None
    del pool.molds.living[6]
    assert transition.advance(2.0) == "settled"


def test_the_same_listeners_and_logs_go_on(pool: FakePool, config: Config) -> None:
    first = begin(pool, config)
    complete(pool, first, 0.0)
    pool.act(0.0)
    second = begin(pool, config, 1.0)
    assert second.generation.number == 2
    assert second.generation.listeners[0] is first.generation.listeners[0]
    assert second.generation.logs is first.generation.logs
    complete(pool, second, 1.0)
    assert pool.molds.gone == [1]
    assert list(pool.generations) == [2]
    assert second.generation.listeners[0].socket.fileno() >= 0


def test_loading_has_a_limit(pool: FakePool, config: Config) -> None:
    transition = begin(pool, config)
    assert transition.advance(LOAD_LIMIT - 1) is None
    with pytest.raises(CannotChange, match="the applications did not load within 120 s"):
        transition.advance(LOAD_LIMIT)
    transition.undo()
    assert (pool.generations, pool.molds.gone) == ({}, [1])
    transition.generation.logs.close()  # those of the first start are its caller's


def test_settling_has_a_limit_so_that_dying_workers_do_not_keep_the_cure_away(pool: FakePool, config: Config) -> None:
    transition = begin(pool, config)
    complete(pool, transition, 10.0)
    assert transition.advance(10.0 + SETTLE_LIMIT - 1) is None  # the second worker never comes up
    assert transition.advance(10.0 + SETTLE_LIMIT) == "settled"


def test_without_a_process_nothing_has_changed(pool: FakePool, config: Config) -> None:
    first = begin(pool, config)
    complete(pool, first, 0.0)
    pool.molds.trouble = OSError(11, "Resource temporarily unavailable")
    with pytest.raises(CannotChange, match="no process to load the applications in: Resource temporarily unavailable"):
        begin(pool, config, 1.0)
    assert pool.current is first.generation
    assert pool.children.candidate is None
    assert first.generation.listeners[0].socket.fileno() >= 0


def test_a_refused_candidates_number_is_not_given_again_while_its_worker_lives(pool: FakePool, config: Config) -> None:
    first = begin(pool, config)
    complete(pool, first, 0.0)
    second = begin(pool, config, 1.0)
    second.generation.loaded = True
    assert second.advance(1.0) == "auditioned"
    pool.children.plan(1.0, [1, 2])
    second.undo()
    assert [type(action).__name__ for action in pool.carried] == ["Drain"]
    third = begin(pool, config, 2.0)
    assert third.generation.number == 3
    third.undo()
