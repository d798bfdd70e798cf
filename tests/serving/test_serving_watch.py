"""Who looks at the clock: slow calls are noted and nothing more, late ones are told, hopeless ones are given up."""

from __future__ import annotations

import select
import threading
import time
from typing import Any

import pytest

from forkserver.config.options import Limits
from forkserver.http.response import Response
from forkserver.serving import roster as roster_module
from forkserver.serving import watch as module
from forkserver.serving.call import Call
from forkserver.serving.deadlines import NEVER
from forkserver.serving.watch import REPLACED, STREAM, Watch
from tests.serving.crews import PATIENCE, Blocked, Troupe

LIMITS = Limits(request_timeout=100.0, kill_timeout=20.0, graceful_timeout=7.0)
BEGAN = 1000.0  # seconds of a clock that is ours


class SlowLog:
    """Keeps its records."""

    def __init__(self) -> None:
        self.records: list[str] = []

    def warning(self, text: str, *, lines: bool = False) -> None:
        assert lines
        self.records.append(text)


class Scene:
    """A call that runs since BEGAN, and whoever watches it; nobody is in a hurry."""

    def __init__(self, *, slow_after: float = 0.0, threads: int = 2, limits: Limits = LIMITS) -> None:
        self.troupe = Troupe(threads, limits)
        self.crew = self.troupe.crew
        self.log = SlowLog()
        log: Any = self.log
        self.watch = Watch(self.crew, limits, slow_after, log)
        self.call = self.troupe.call(lambda call: None)
        self.call.began, self.call.deadline = BEGAN, BEGAN + limits.request_timeout
        self.call.thread = threading.get_ident()
        self.told: list[Call] = []
        self.crew.expire = self._expire  # type: ignore[method-assign]
        if threads == 1:
            self.crew.call = self.call
        else:
            self.call.member = 0
            self.crew.desks = [self.troupe.figures.desk(0)]
            self.crew.running[0] = self.call

    def _expire(self, call: Call) -> None:
        call.expired = True
        self.told.append(call)

    def look(self, after: float) -> float:
        """Look when the call has run for so many seconds; give when the next look is due, likewise."""
        return self.watch._look(BEGAN + after) - BEGAN

    @property
    def desk(self) -> Any:
        return self.troupe.figures.desks[0]


def test_a_slow_call_is_noted_three_times_and_goes_on() -> None:
    scene = Scene(slow_after=5.0)
    due = [scene.look(after) for after in (0.0, 1.0, 4.9, 5.0, 9.0, 10.1, 19.0, 20.0, 50.0)]
    assert due == [STREAM, 5.0, 5.0, 10.0, 10.0, 20.0, 20.0, 100.0, 100.0]
    assert [record.partition(":")[0] for record in scene.log.records] == ["slow (1x)", "slow (2x)", "slow (4x)"]
    assert scene.desk.steps == 3  # so that the master does not log it, too
    assert not scene.told
    assert not scene.call.expired


def test_a_look_that_comes_late_notes_all_that_was_due() -> None:
    scene = Scene(slow_after=5.0)
    assert scene.look(11.0) == 20.0
    assert len(scene.log.records) == 2


def test_the_record_has_the_stack_of_that_very_call() -> None:
    with Troupe(2) as troupe:
        log: Any = SlowLog()
        watch = Watch(troupe.crew, troupe.crew.limits, 0.001, log)
        deed = Blocked()

        def a_function_of_the_application(call: Call) -> None:
            deed(call)

        troupe.mount.pace.slow = True
        call = troupe.ask(a_function_of_the_application)
        deed.wait()
        watch._look(call.began + 0.001)
        (record,) = log.records
        first, *stack = record.splitlines()
        assert first.startswith("slow (1x): 'GET / HTTP/1.1' of 192.0.2.1 at [/] for ")
        assert " s in the queue, " in first
        assert any("in a_function_of_the_application" in line for line in stack)
        assert not call.over
        deed.let.set()
        assert troupe.noticed() == [call]
        assert call.error is None


def test_with_one_thread_too_the_stack_is_that_of_the_call() -> None:
    with Troupe(1) as troupe:
        log: Any = SlowLog()
        watch = Watch(troupe.crew, troupe.crew.limits, 0.001, log)
        deed = Blocked()
        call = troupe.ask(deed)
        deed.wait()
        watch._look(call.began + 0.001)
        assert "in __call__" in log.records[0]
        deed.let.set()


@pytest.mark.parametrize("slow_after", [0.0, 5.0])
def test_without_a_time_or_a_log_nothing_is_slow(slow_after: float) -> None:
    scene = Scene(slow_after=slow_after)
    if slow_after:
        scene.watch.slow = None
    assert scene.look(50.0) == 100.0
    assert not scene.log.records


def test_a_reply_that_has_begun_and_goes_on_does_not_count_among_the_threads() -> None:
    scene = Scene(slow_after=5.0)
    crew, call = scene.crew, scene.call
    crew.busy = 2
    crew.running[1] = scene.troupe.call(lambda call: None)
    crew.running[1].began, crew.running[1].deadline = call.began, call.deadline
    call.open(scene.troupe.response)
    scene.look(1.0)
    assert not call.stream  # it has said nothing
    assert call.box
    call.box.put(b"piece")
    call.began += 0.9
    scene.look(1.0)
    assert not call.stream  # it may end any moment
    scene.look(1.2)
    scene.look(1.3)
    assert call.stream
    assert (crew.busy, crew.streams) == (1, 1)
    assert not crew.running[1].stream
    assert scene.desk.lasting
    assert select.select([crew.bell], [], [], 0)[0]  # so that the loop opens the doors


def test_one_that_has_to_count_all_the_same_is_not_said_to_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_module, "DESKS", 3)
    scene = Scene()
    scene.call.open(Response(200))
    assert scene.call.box
    scene.call.box.put(b"piece")
    scene.look(2 * STREAM)
    assert not scene.call.stream
    assert not scene.desk.lasting


def test_a_reply_that_goes_on_is_slow_by_the_time_since_its_last_piece() -> None:
    scene = Scene(slow_after=5.0)
    scene.call.renewed = BEGAN + 50.0
    assert scene.look(54.0) == 55.0
    assert not scene.log.records
    scene.look(55.0)
    assert len(scene.log.records) == 1


def test_a_late_call_is_told_once() -> None:
    scene = Scene()
    assert scene.look(99.0) == 100.0
    assert not scene.told
    assert scene.look(100.0) == 110.0
    assert scene.look(105.0) == 110.0
    assert scene.told == [scene.call]


def test_a_call_that_extends_its_time_is_looked_at_later() -> None:
    scene = Scene()
    scene.call.deadline = BEGAN + 500.0
    assert scene.look(400.0) == 500.0
    assert not scene.told


def test_a_call_whose_client_takes_nothing_is_not_late() -> None:
    scene = Scene()
    scene.call.deadline = NEVER
    assert scene.look(10_000.0) == NEVER
    assert not scene.told


def test_one_that_does_not_react_is_hopeless_and_the_master_waits_for_the_others() -> None:
    scene = Scene()
    scene.look(100.0)
    assert not scene.call.hopeless
    assert scene.look(110.0) == NEVER
    assert scene.call.hopeless
    assert scene.troupe.noticed() == [scene.call]
    assert scene.desk.deadline == BEGAN + 110.0 + REPLACED + 7.0
    scene.look(111.0)
    assert not scene.crew.noticed


def test_with_one_thread_the_master_does_not_wait() -> None:
    """Nobody could finish anything, as nobody leads the loop: the limit at the desk stays what it was."""
    scene = Scene(threads=1)
    scene.look(100.0)
    assert scene.told == [scene.call]
    assert scene.look(150.0) == NEVER
    assert not scene.call.hopeless
    assert scene.desk.deadline == 0.0
    assert not scene.crew.noticed


def test_what_the_leader_runs_with_others_there_is_only_seen_to_last() -> None:
    """It is deposed instead; then it is among those that others run."""
    scene = Scene(slow_after=5.0)
    scene.crew.call = scene.crew.running.pop(0)
    assert scene.look(1000.0) == NEVER
    assert not scene.told
    assert not scene.log.records


def begin_watching(troupe: Troupe, watch: Watch) -> None:
    troupe._watch = watch.run  # type: ignore[method-assign]
    troupe.thread.start()


def test_a_call_that_is_there_at_two_looks_in_a_row_loses_its_thread_the_lead() -> None:
    troupe = Troupe(2)
    begin_watching(troupe, Watch(troupe.crew, troupe.crew.limits, 0.0, None))
    deeds = [Blocked(), Blocked()]
    for deed in deeds:
        troupe.ask(deed)
        deed.wait()
    assert troupe.lead(threading.get_ident) not in {deed.thread for deed in deeds}
    assert len(troupe.crew.desks) == 3
    for deed in deeds:
        deed.let.set()
    troupe.end()
    assert troupe.raised is None


def resting(troupe: Troupe) -> None:
    limit = time.monotonic() + PATIENCE
    while not troupe.crew.resting:
        assert time.monotonic() < limit, "it never rests"


@pytest.mark.parametrize("slow", [False, True])
def test_with_nothing_to_look_at_it_rests_and_a_call_wakes_it(slow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CALM", 2)
    troupe = Troupe(2)
    troupe.mount.pace.slow = slow
    log: Any = SlowLog()
    begin_watching(troupe, Watch(troupe.crew, troupe.crew.limits, 0.02, log))
    for _ in range(3):
        resting(troupe)
        deed = Blocked()
        call = troupe.ask(deed)
        limit = time.monotonic() + PATIENCE
        while call.steps < 3:  # it is looked at
            assert time.monotonic() < limit, "it sleeps on"
        deed.let.set()
        while not call.over:
            pass
    troupe.end()


def test_a_reply_that_begins_late_wakes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was due before: not a slow call, nor a late one."""
    monkeypatch.setattr(module, "CALM", 2)
    troupe = Troupe(2)
    troupe.mount.pace.slow = True
    begin_watching(troupe, Watch(troupe.crew, troupe.crew.limits, 0.0, None))
    first, then = Blocked(), Blocked()

    def deed(call: Call) -> None:
        first(call)
        call.begin(troupe.response)(b"piece")
        then(call)

    call = troupe.ask(deed)
    first.wait()
    call.began -= 1.0
    resting(troupe)
    assert not call.stream
    first.let.set()
    then.wait()
    limit = time.monotonic() + PATIENCE
    while not call.stream:
        assert time.monotonic() < limit, "it sleeps on"
    assert (troupe.crew.busy, troupe.crew.streams) == (0, 1)
    then.let.set()
    troupe.end()
    assert (troupe.crew.busy, troupe.crew.streams) == (0, 0)


def test_a_call_that_began_before_it_said_that_it_rests_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever begins one then does not wake it."""
    scene = Scene()
    call = scene.crew.running.pop(0)
    timeouts: list[float] = []
    monkeypatch.setattr(scene.crew.alarm, "acquire", lambda **how: timeouts.append(how["timeout"]))
    look = scene.watch._look

    def looked(now: float) -> float:
        assert scene.crew.resting
        scene.crew.running[0] = call
        call.deadline = now + 3.0
        return look(now)

    monkeypatch.setattr(scene.watch, "_look", looked)
    scene.watch._rest()
    assert timeouts == [3.0]
    assert not scene.crew.resting


def test_it_does_not_lie_down_beside_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    scene.crew.call = scene.call
    monkeypatch.setattr(scene.crew.alarm, "acquire", lambda timeout: pytest.fail("it sleeps"))
    scene.watch._rest()
    scene.crew.call = None
    scene.crew.ended = True
    scene.watch._rest()
    scene.watch.run()
