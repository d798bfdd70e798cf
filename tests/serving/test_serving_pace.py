"""Whether an application is slow as a rule: what moves the answer, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.serving.pace import LONGEST, QUICK, SLOW, Pace


def paced(*times: float) -> Pace:
    pace = Pace()
    for seconds in times:
        pace.note(seconds)
    return pace


def test_nobody_is_slow_before_the_first_call() -> None:
    assert not Pace().slow


def test_one_that_takes_long_each_time_is_slow_soon() -> None:
    pace = Pace()
    calls = 0
    while not pace.slow:
        pace.note(0.01)
        calls += 1
    assert calls <= 3


@pytest.mark.parametrize("seconds", [0.01, 1.0, 3600.0])
def test_one_call_that_was_held_up_does_not_make_it_slow(seconds: float) -> None:
    assert not paced(*[0.00001] * 20, seconds).slow


def test_a_slow_one_that_gets_quick_is_not_slow_any_more() -> None:
    pace = paced(*[1.0] * 100)
    assert pace.slow
    calls = 0
    while pace.slow:
        pace.note(0.00001)
        calls += 1
    assert calls < 40  # however long it was slow, and however slow it was


def test_between_the_two_marks_it_stays_what_it_was() -> None:
    between = (SLOW + QUICK) / 2
    assert not paced(*[between] * 100).slow
    assert paced(*[1.0] * 10, *[between] * 100).slow


@given(st.lists(st.floats(0, 1e6)))
def test_the_average_keeps_within_what_it_averages(times: list[float]) -> None:
    pace = paced(*times)
    assert 0 <= pace.average <= LONGEST * (1 + 1e-9)
    if times and max(times) <= QUICK:
        assert not pace.slow
