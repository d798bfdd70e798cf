"""The threads of a worker: who leads, who runs what, how many at once, and whom a timeout hits."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from forkserver.config.options import Limits
from forkserver.http.response import Response
from forkserver.serving import crew as crew_module
from forkserver.serving import deadlines as deadlines_module
from forkserver.serving.call import Call
from forkserver.serving.crew import Crew
from forkserver.serving.deadlines import NEVER
from forkserver.serving.roster import Part
from forkserver.serving.timeout import RequestTimeout, raise_in
from tests.serving.crews import PATIENCE, Blocked, Deed, FakeFigures, Steps, Troupe

SWITCH = 1e-4  # seconds until whoever waits for the interpreter gets it
WARM = 3  # calls after which Python 3.12 and later are sure to tell of each step


@pytest.fixture(autouse=True)
def _switches_often() -> Iterator[None]:
    """The threads come between each other more often, and those that are waited for in a loop are not kept waiting."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    yield
    sys.setswitchinterval(usual)


def quick(call: Call) -> None:
    """Done at once."""


def begun(troupe: Troupe) -> Blocked:
    """A call that the leader is in."""
    deed = Blocked()
    troupe.ask(deed)
    deed.wait()
    return deed


def leader(troupe: Troupe) -> int:
    """The thread that runs the loop."""
    ident: int = troupe.lead(threading.get_ident)
    return ident


def hired(troupe: Troupe) -> None:
    """All threads that there may be."""
    while troupe.crew.add_thread():
        pass


# The lead.


def test_the_leader_runs_a_call_itself() -> None:
    with Troupe(2) as troupe:
        seen: list[int] = []
        call = troupe.ask(lambda call: seen.append(threading.get_ident()))
        assert troupe.answered.get(timeout=PATIENCE) is call
        assert seen == [leader(troupe)]
        assert call.over
        assert troupe.crew.call is None
        assert troupe.figures.desks[troupe.crew.leader].line == b""


def test_a_call_that_lasts_loses_its_thread_the_lead_and_its_answer_arrives() -> None:
    with Troupe(2) as troupe:
        first = leader(troupe)
        deed = begun(troupe)
        call = troupe.crew.call
        assert call
        troupe.crew.depose(call)
        second = leader(troupe)
        assert first == deed.thread != second
        assert troupe.taken_over == [call]
        assert not call.over
        assert list(troupe.crew.running.values()) == [call]
        deed.let.set()
        assert troupe.noticed() == [call]
        assert call.over
        assert not troupe.crew.running
        assert troupe.crew.busy == 0
        assert leader(troupe) == second
        assert troupe.answered.empty()  # whoever lost the lead sends nothing
        other = begun(troupe)
        troupe.crew.depose(troupe.crew.call)  # type: ignore[arg-type]
        assert leader(troupe) == first  # it was a spare meanwhile
        other.let.set()
        troupe.noticed()


def test_each_thread_writes_to_a_desk_of_its_own() -> None:
    with Troupe(3) as troupe:
        deeds = []
        for _ in range(3):
            deeds.append(begun(troupe))
            troupe.crew.add_thread()
            troupe.crew.depose(troupe.crew.call)  # type: ignore[arg-type]
        assert len(troupe.crew.running) == 3
        for deed in deeds:
            deed.let.set()
        gone: list[Call] = []
        while len(gone) < 3:
            gone += troupe.noticed()
        leader(troupe)
        assert all(len(desk.writers) <= 1 for desk in troupe.figures.desks.values())
        assert all(not desk.line for desk in troupe.figures.desks.values())


def test_from_the_first_call_on_nobody_counts_a_thread_that_is_not_there() -> None:
    """As many calls that block as there may be, one after the other, and the loop is led all the time."""
    with Troupe(4) as troupe:
        deeds = []
        for number in range(4):
            deeds.append(begun(troupe))
            if not troupe.crew.spare:
                assert troupe.crew.add_thread()
            troupe.crew.depose(troupe.crew.call)  # type: ignore[arg-type]
            leader(troupe)  # somebody is there
            assert troupe.crew.busy == number + 1
        assert troupe.crew.full
        assert not troupe.crew.add_thread()
        for deed in deeds:
            deed.let.set()


def test_a_call_that_ends_in_the_very_moment_keeps_the_lead() -> None:
    with Troupe(2) as troupe:
        first = leader(troupe)
        call = troupe.ask(quick)
        assert troupe.answered.get(timeout=PATIENCE) is call
        troupe.crew.depose(call)
        assert leader(troupe) == first
        assert not troupe.crew.lost
        assert troupe.crew.busy == 0


def test_without_a_spare_nobody_loses_the_lead() -> None:
    with Troupe(2) as troupe:
        troupe.crew.add_thread()
        deeds = [begun(troupe), Blocked(), Blocked()]
        troupe.crew.depose(troupe.crew.call)  # type: ignore[arg-type]
        leader(troupe)
        troupe.ask(deeds[1])
        deeds[1].wait()
        with troupe.crew.lock:
            spare, troupe.crew._idle = troupe.crew._idle, 0
        inside = troupe.crew.call
        assert inside
        troupe.crew.depose(inside)
        assert troupe.crew.call is inside
        assert troupe.crew.timed is inside  # the loop stands still, and looks at the clock afterwards
        with troupe.crew.lock:
            troupe.crew._idle = spare
        for deed in deeds:
            deed.let.set()


def put_pieces(call: Call) -> None:
    """Done at once, with an answer in pieces."""
    put = call.begin(Response(200))
    for _ in range(3):
        put(b"piece")


STEPPED = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="CPython 3.12 and 3.13 do not bear that the steps of several threads are traced"
)


@STEPPED
@pytest.mark.parametrize("deed", [quick, put_pieces])
def test_whatever_moment_a_lead_is_lost_in_it_is_taken_up_and_every_call_is_answered_once(deed: Deed) -> None:
    """Somebody takes the lead just before each of the steps of a call's thread."""
    lost = number = 0
    with Troupe(2) as troupe:
        crew = troupe.crew
        hired(troupe)
        reached = True
        while reached or number < WARM:
            number += 1
            call = troupe.call(deed)
            steps = troupe.steps = Steps(number, crew.lock, partial(crew.depose, call))
            troupe.turns.put(partial(troupe.begin, call))
            while troupe.goes_on and not call.over:
                pass
            reached = steps.reached
            steps.release()
            assert leader(troupe)
            assert troupe.taken_over in ([], [call])
            lost += len(troupe.taken_over)
            while troupe.taken_over and call not in troupe.noticed():
                pass  # one before it may have rung twice
            assert troupe.answered.empty() is bool(troupe.taken_over)
            while not troupe.answered.empty():
                assert troupe.answered.get() is call
            troupe.taken_over.clear()
            assert (crew.busy, crew.running, crew._idle) == (0, {}, 2)
    print(f"{lost} of {number} calls lost their thread the lead")
    assert number > lost > 30


def test_threads_are_numbered_one_by_one() -> None:
    """Whoever watches wants one just when the leader does."""
    crew = Crew(20, Limits(), FakeFigures())
    gate = threading.Barrier(8)

    def add() -> None:
        gate.wait(PATIENCE)
        while crew.add_thread():
            pass

    threads = [threading.Thread(target=add, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(crew.desks) == 21
    assert len(set(map(id, crew.desks))) == 21
    assert crew._idle == 21
    crew.loop, crew.acts = Done(), Done()
    for _ in crew.desks:
        crew._jobs.put(Part.LEAD)
    os.close(crew.bell)


class Done:
    """A loop that is done, and all that is done in it."""

    done = True

    def turn(self) -> None:
        raise AssertionError("it was done")

    def __getattr__(self, name: str) -> Any:
        return lambda *anything: None


def test_a_system_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    troupe = Troupe(2)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        assert not troupe.crew.add_thread()
        assert troupe.crew.hired == 0
        assert not troupe.crew.spare
        with pytest.raises(RuntimeError, match="no thread for the loop"):
            troupe.crew.run(troupe, troupe._watch)
        (complaint,) = troupe.complaints  # it is said once
        assert "can't start new thread" in complaint
    with troupe:
        assert leader(troupe)


def test_where_the_system_has_no_other_thread_the_leader_runs_slow_calls_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with Troupe(2) as troupe:
        crew = troupe.crew
        leader(troupe)
        monkeypatch.setattr(crew, "add_thread", lambda: False)
        troupe.mount.pace.slow = True
        with crew.lock:
            spare, crew._idle = crew._idle, 0
        seen: list[int] = []
        troupe.ask(lambda call: seen.append(threading.get_ident()))
        troupe.answered.get(timeout=PATIENCE)
        assert seen == [leader(troupe)]
        with crew.lock:
            crew.busy = 1  # there is one that comes back
        waiting = troupe.ask(quick)
        leader(troupe)
        assert [*crew.waiting] == [waiting]
        with crew.lock:
            crew.busy, crew._idle = 0, spare


# Calls that other threads run.


def test_a_slow_application_is_called_by_a_spare_at_once() -> None:
    with Troupe(2) as troupe:
        troupe.mount.pace.slow = True
        deed = begun(troupe)
        assert troupe.crew.call is None
        assert leader(troupe) != deed.thread
        assert not troupe.taken_over
        deed.let.set()
        (call,) = troupe.noticed()
        assert call.over
        assert call.queued


def test_with_all_busy_calls_wait_and_are_run_in_their_order() -> None:
    with Troupe(2) as troupe:
        troupe.mount.pace.slow = True
        running = [begun(troupe), begun(troupe)]
        assert troupe.crew.full
        order: list[int] = []
        waiting = [troupe.ask(lambda call, number=number: order.append(number)) for number in range(5)]  # type: ignore[misc]
        assert leader(troupe)  # which has begun them all by now
        assert list(troupe.crew.waiting) == waiting
        assert not order
        running[0].let.set()
        seen: list[Call] = []
        while len(seen) < 6:
            seen += troupe.noticed()
        assert order == [0, 1, 2, 3, 4]
        assert not troupe.crew.full
        running[1].let.set()
        troupe.noticed()
        assert troupe.crew.busy == 0


def test_also_a_quick_application_waits_when_all_are_busy() -> None:
    with Troupe(2) as troupe:
        running = []
        for _ in range(2):
            running.append(begun(troupe))
            troupe.crew.add_thread()
            troupe.crew.depose(troupe.crew.call)  # type: ignore[arg-type]
            leader(troupe)
        call = troupe.ask(quick)
        leader(troupe)
        assert list(troupe.crew.waiting) == [call]
        running[1].let.set()
        seen: list[Call] = []
        while call not in seen:
            seen += troupe.noticed()
        running[0].let.set()
        troupe.noticed()


@pytest.mark.parametrize("threads", [2, 5])
def test_never_more_at_once_than_there_may_be(threads: int) -> None:
    calls = 600
    with Troupe(threads) as troupe:
        counting = threading.Lock()
        inside, most = 0, 0

        def deed(call: Call) -> None:
            nonlocal inside, most
            with counting:
                inside += 1
                most = max(most, inside)
            for _ in range(200):
                pass
            with counting:
                inside -= 1

        for number in range(calls):
            if number % 7 == 0:
                troupe.turns.put(lambda: setattr(troupe.mount.pace, "slow", not troupe.mount.pace.slow))
            troupe.ask(deed)
        done = 0
        while done < calls:
            while not troupe.answered.empty():
                troupe.answered.get()
                done += 1
            if call := troupe.crew.call:
                troupe.crew.depose(call)
            if troupe.crew.noticed:
                done += len(troupe.noticed())
        assert 1 <= most <= threads
        assert len(troupe.crew.desks) <= threads + 1


def test_a_thread_that_is_through_is_there_for_the_next_call_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call is begun after another one's end, and before that one's thread has gone to wait: it must not be left."""
    with Troupe(2) as troupe:
        troupe.mount.pace.slow = True
        stays, ends, last = begun(troupe), begun(troupe), Blocked()
        done: list[Call] = []

        def noted(pace: object, seconds: float) -> None:
            if not done:
                done.append(troupe.ask(last))
                leader(troupe)

        monkeypatch.setattr(type(troupe.mount.pace), "note", noted)
        ends.let.set()
        last.wait()
        assert not troupe.crew.waiting
        last.let.set()
        stays.let.set()


def test_who_has_waited_for_too_long_waits_no_more() -> None:
    with Troupe(2) as troupe:
        troupe.mount.pace.slow = True
        running = [begun(troupe), begun(troupe)]
        old = troupe.ask(quick)
        leader(troupe)
        young = troupe.ask(quick)
        leader(troupe)
        limit = troupe.crew.limits.request_timeout
        young.queued = old.queued + 1
        assert troupe.crew.overdue(old.queued + limit) == []
        assert troupe.crew.overdue(old.queued + limit + 0.5) == [old]
        assert old.expired
        assert old.over
        for deed in running:
            deed.let.set()
        seen: list[Call] = []
        while len(seen) < 3:
            seen += troupe.noticed()
        assert young in seen
        assert old not in seen


def test_a_call_that_nobody_waits_for_any_more_is_not_begun() -> None:
    with Troupe(2) as troupe:
        troupe.mount.pace.slow = True
        deeds = [begun(troupe), begun(troupe)]
        calls = [troupe.ask(quick) for _ in range(2)]
        leader(troupe)
        assert [*troupe.crew.waiting] == calls
        calls[0].gone = True
        for deed in deeds:
            deed.let.set()
        while not all(call.over for call in calls):
            assert troupe.goes_on
        while troupe.crew.busy:
            assert troupe.goes_on
        assert [*troupe.deeds] == [calls[0]]


def test_what_is_unfinished() -> None:
    with Troupe(2) as troupe:
        crew = troupe.crew
        troupe.mount.pace.slow = True
        assert not crew.unfinished
        deeds = [begun(troupe), begun(troupe)]
        assert crew.unfinished
        for call in crew.running.values():
            call.expired = True
        assert not crew.unfinished
        waiting = troupe.ask(quick)
        leader(troupe)
        assert crew.unfinished
        crew.overdue(waiting.queued + 1000)
        assert not crew.unfinished
        for deed in deeds:
            deed.let.set()


# Replies that go on and on.


def test_a_stream_has_a_thread_of_its_own_beside_the_others() -> None:
    with Troupe(2) as troupe:
        crew = troupe.crew
        troupe.mount.pace.slow = True
        streams = [begun(troupe), begun(troupe)]
        waiting = [Blocked(), Blocked(), Blocked()]
        for deed in waiting:
            troupe.ask(deed)
        assert leader(troupe)
        assert crew.full
        for call in list(crew.running.values()):
            crew.set_apart(call)
        waiting[0].wait()
        waiting[1].wait()
        assert (crew.busy, crew.streams, len(crew.waiting)) == (2, 2, 1)
        assert crew.full
        streams[0].let.set()  # whose thread was not theirs
        troupe.noticed()
        assert not waiting[2].inside.is_set()
        waiting[0].let.set()
        waiting[2].wait()
        for deed in (*streams, *waiting):
            deed.let.set()
        while crew.busy or crew.streams:
            pass
        assert leader(troupe)


def test_a_stream_that_ends_makes_room_where_the_system_had_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    with Troupe(2) as troupe:
        crew = troupe.crew
        troupe.mount.pace.slow = True
        streams = [begun(troupe), begun(troupe)]
        last = Blocked()
        troupe.ask(last)
        assert leader(troupe)
        monkeypatch.setattr(crew, "add_thread", lambda: False)
        for call in list(crew.running.values()):
            crew.set_apart(call)
        assert (crew.busy, crew.streams, len(crew.waiting)) == (0, 2, 1)
        streams[0].let.set()
        last.wait()
        last.let.set()
        streams[1].let.set()


def test_what_is_over_is_no_stream_any_more() -> None:
    with Troupe(2) as troupe:
        call = troupe.ask(quick)
        troupe.answered.get(timeout=PATIENCE)
        troupe.crew.set_apart(call)
        assert not call.stream
        assert (troupe.crew.busy, troupe.crew.streams) == (0, 0)


def test_threads_that_streams_had_leave_after_a_rest_and_their_numbers_are_given_again() -> None:
    with Troupe(2) as troupe:
        crew = troupe.crew
        troupe.mount.pace.slow = True
        streams = [begun(troupe) for _ in range(2)]
        for call in list(crew.running.values()):
            assert crew.set_apart(call)
        hired(troupe)
        assert (crew.hired, crew.surplus) == (5, 0)
        crew.dismiss(1000.0)
        assert crew.hired == 5
        for stream in streams:
            stream.let.set()
        while crew.streams:
            assert troupe.goes_on
        assert crew.surplus == 2
        for now in (1001.0, 1009.0, 1010.0, 1019.0):
            crew.dismiss(now)
        assert crew._idle == 4
        crew.dismiss(1020.0)
        assert crew._idle == 2
        while crew.hired > 3:
            assert troupe.goes_on
        assert len(crew.desks) == 5
        again = begun(troupe)
        (call,) = crew.running.values()
        crew.set_apart(call)
        assert crew.add_thread()
        assert (crew.hired, len(crew.desks)) == (4, 5)
        again.let.set()


# Time limits.

AT_ONCE = Limits(request_timeout=0.0)


def looped(rounds: int) -> None:
    """Steps in Python at each of which an exception would come."""
    for _ in range(rounds):
        threading.get_ident()


def stubborn(call: Call) -> None:
    """Goes on whatever happens."""
    put = call.begin(Response(200))
    for _ in range(3):
        try:
            put(b"piece")
        except RequestTimeout:
            continue


@STEPPED
@pytest.mark.parametrize("deed", [quick, put_pieces, stubborn])
@pytest.mark.parametrize("how", ["dispatched", "deposed", "alone"])
def test_a_timeout_comes_in_its_own_call_or_not_at_all(how: str, deed: Deed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call is told to stop just before each of its steps; the next one of that thread never notices."""
    expired = number = 0
    reached, step = True, 1 if deed is quick else 5
    with Troupe(1 if how == "alone" else 2, AT_ONCE) as troupe:
        crew = troupe.crew
        if how != "alone":
            hired(troupe)
        troupe.mount.pace.slow = how == "dispatched"
        while reached or number < WARM * step:
            number += step
            guilty, innocent = troupe.call(deed), troupe.call(lambda call: looped(20))
            steps = Steps(number, crew.lock, partial(expire, troupe, guilty, depose=how == "deposed"))
            with monkeypatch.context() as patch:
                patch.setattr(deadlines_module, "raise_in", steps.raise_in)
                for module in (crew_module, deadlines_module):
                    patch.setattr(module, "take_back", steps.take_back)
                troupe.steps = steps
                troupe.turns.put(partial(troupe.begin, guilty))
                while troupe.goes_on and not guilty.over:
                    pass
                reached = steps.reached
                steps.release()
            assert not steps.pending
            # Followed by nothing: since Python 3.12 steps are told only where the call before was followed as well.
            steps = troupe.steps = Steps(sys.maxsize, crew.lock, lambda: None)
            troupe.turns.put(partial(troupe.begin, innocent))
            while troupe.goes_on and not innocent.over:
                pass
            steps.release()
            assert innocent.error is None
            assert not innocent.expired
            assert leader(troupe)
            while crew._idle != (0 if how == "alone" else 2):
                pass
            assert (crew.busy, crew.running) == (0, {})
            expired += guilty.expired
            while guilty.expired and guilty not in troupe.noticed():
                pass
    assert troupe.raised is None
    print(f"{expired} of {number} calls were told to stop")
    assert number > expired > 10


def expire(troupe: Troupe, call: Call, *, depose: bool) -> None:
    if depose:
        troupe.crew.depose(call)
    troupe.crew.expire(call)


def test_a_timeout_while_the_thread_hands_in_its_call() -> None:
    """It is on its way when the thread has the lock, and comes in the middle of that."""
    for threads in (1, 2):
        with Troupe(threads, AT_ONCE) as troupe:
            crew = troupe.crew
            troupe.mount.pace.slow = threads > 1
            deed = begun(troupe)
            call = crew.call or next(iter(crew.running.values()))
            with crew.lock:  # as `expire` has it
                deed.let.set()
                while sys._current_frames()[deed.thread].f_code.co_name not in {"leave", "_over"}:
                    pass
                call.expired = True
                call.thread = deed.thread
                raise_in(deed.thread, RequestTimeout)
            while troupe.goes_on and not call.over:
                pass
            troupe.turns.put(None)
            troupe.thread.join(PATIENCE)
            assert crew.busy == 0
        assert troupe.raised is None


def test_what_is_over_is_not_told_to_stop() -> None:
    with Troupe(2, AT_ONCE) as troupe:
        call = troupe.ask(quick)
        troupe.answered.get(timeout=PATIENCE)
        troupe.crew.expire(call)
        assert not call.expired
        assert not troupe.crew.noticed


def test_what_was_given_more_time_in_the_last_moment_goes_on() -> None:
    with Troupe(2) as troupe:
        deed = begun(troupe)
        call = troupe.crew.call
        assert call
        troupe.crew.expire(call)
        assert not call.expired
        deed.let.set()
        troupe.answered.get(timeout=PATIENCE)


def test_the_loop_is_told_of_a_timeout_whatever_the_thread_was_about() -> None:
    """It was about to ring for a piece, and did not come to it."""
    with Troupe(2, AT_ONCE) as troupe:
        deed = begun(troupe)
        call = troupe.crew.call
        assert call
        call.noticed = True
        troupe.crew.depose(call)
        troupe.crew.expire(call)
        assert troupe.noticed() == [call]
        call.noticed = True
        deed.let.set()
        assert troupe.noticed() == [call]


def test_an_application_extends_its_time_within_the_limit() -> None:
    limits = Limits(request_timeout=10.0, request_timeout_max=100.0, kill_timeout=5.0)
    with Troupe(2, limits) as troupe:
        left: list[float] = []

        def deed(call: Call) -> None:
            desk = troupe.figures.desks[troupe.crew.leader]
            for seconds in (0.0, 5.0, 50.0, 1.0, 1000.0, -1000.0):
                left.append(call.extend(seconds))
                assert desk.deadline == call.deadline + 5.0
            assert call.deadline == call.began + 100.0

        call = troupe.ask(deed)
        troupe.answered.get(timeout=PATIENCE)
        assert call.error is None
        assert [round(seconds, -1) for seconds in left] == [10, 10, 50, 50, 100, 100]


def test_what_has_had_its_time_gets_no_more() -> None:
    with Troupe(2, AT_ONCE) as troupe:

        def deed(call: Call) -> None:
            try:
                while not call.expired:
                    troupe.crew.expire(call)
                looped(1000)
            except RequestTimeout:
                before = call.deadline
                assert call.extend(1000.0) == 0
                assert call.deadline == before

        troupe.mount.pace.slow = True
        troupe.ask(deed)
        (call, *more) = troupe.noticed()
        while not call.over:
            more += troupe.noticed()
        assert call.error is None


def test_a_piece_that_is_put_renews_the_time() -> None:
    with Troupe(2) as troupe:
        troupe.mount.pace.slow = True
        deadlines: list[float] = []

        def deed(call: Call) -> None:
            put = call.begin(troupe.response)
            call.deadline = 1.0
            put(b"piece")
            deadlines.append(call.deadline)

        begun_at = time.monotonic()
        call = troupe.ask(deed)
        while not call.over:
            assert {*troupe.noticed()} == {call}
        assert call.error is None
        assert deadlines[0] >= begun_at + troupe.crew.limits.request_timeout


def test_the_time_in_which_a_client_takes_nothing_is_not_the_applications() -> None:
    limits = Limits(request_timeout=10.0, kill_timeout=5.0, reply_memory=2, reply_spool=0)
    with Troupe(2, limits) as troupe:
        troupe.mount.pace.slow = True

        def deed(call: Call) -> None:
            call.open(troupe.response)
            call.put(b"first")
            call.put(b"second")

        call = troupe.ask(deed)
        while not (call.box and call.box._gates):
            pass
        desk = troupe.figures.desks[call.member]
        assert call.deadline == NEVER
        assert desk.deadline == 0.0  # for the master as well
        troupe.crew.expire(call)
        assert not call.expired
        assert troupe.noticed() == [call]
        assert next(call) == b"first"
        while not call.over:
            assert {*troupe.noticed()} == {call}
        assert call.error is None
        assert call.deadline < NEVER
        assert desk.deadline == call.deadline + 5.0
        assert next(call) == b"second"


def test_with_one_thread_a_call_has_its_time_from_its_own_begin() -> None:
    """Others in the same turn of the loop may have taken long, and the loop's clock stood still."""
    with Troupe(1) as troupe:
        seen: list[float] = []
        call = troupe.call(lambda call: seen.append(call.deadline))

        def turn() -> None:
            assert troupe.crew.enter(call, b"GET / HTTP/1.1", time.monotonic() - 1000)
            troupe.perform(call)
            assert troupe.crew.leave(call)

        troupe.lead(turn)
        assert seen[0] > time.monotonic()


def test_with_one_thread_everything_is_done_by_it() -> None:
    with Troupe(1) as troupe:
        troupe.mount.pace.slow = True
        seen: list[int] = []
        troupe.ask(lambda call: seen.append(threading.get_ident()))
        troupe.answered.get(timeout=PATIENCE)
        assert seen == [leader(troupe)] == [troupe.thread.ident]
        assert not troupe.crew.full
        assert len(troupe.crew.desks) == 0


# Ends.


def test_an_error_of_the_loop_ends_the_crew_and_is_raised() -> None:
    for threads in (1, 2):
        troupe = Troupe(threads)

        def fail() -> None:
            raise ZeroDivisionError("in the loop")

        troupe.thread.start()
        troupe.turns.put(fail)
        troupe.thread.join(PATIENCE)
        assert isinstance(troupe.raised, ZeroDivisionError)
        assert troupe.crew.ended


def test_an_error_of_ours_in_another_thread_ends_the_crew_too() -> None:
    troupe = Troupe(2)
    troupe.mount.pace.slow = True
    troupe.thread.start()

    def fail(call: Call) -> None:
        raise ZeroDivisionError("not the application's: that would have been caught")

    troupe.ask(fail)
    troupe.thread.join(PATIENCE)
    assert isinstance(troupe.raised, ZeroDivisionError)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_whoever_watches_ends_the_crew_once_the_call_in_hand_is_over(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = threading.Event()

    def fail() -> None:
        assert watching.wait(PATIENCE)
        raise ZeroDivisionError("while watching")

    troupe = Troupe(threads)
    monkeypatch.setattr(troupe, "_watch", fail)
    troupe.thread.start()
    deed = begun(troupe)
    watching.set()
    if threads == 1:
        assert select.select([troupe.crew.bell], [], [], PATIENCE)[0], "the loop is not told"
        deed.let.set()
        troupe.answered.get(timeout=PATIENCE)
    troupe.thread.join(PATIENCE)
    assert isinstance(troupe.raised, ZeroDivisionError)
    deed.let.set()


def test_when_the_loop_is_done_the_crew_is() -> None:
    troupe = Troupe(2)
    with troupe:
        assert leader(troupe)
    assert troupe.crew.ended
    assert troupe.raised is None
