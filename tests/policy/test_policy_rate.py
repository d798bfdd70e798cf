"""The bucket of tokens, by a clock of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.policy.rate import Bucket


def passed(bucket: Bucket, moments: list[float]) -> list[bool]:
    """Which of the requests at these moments may pass."""
    full, found = 0.0, []
    for now in moments:
        full, wait = bucket.take(full, now)
        found.append(wait == 0.0)
    return found


def test_a_burst_passes_and_then_the_rate() -> None:
    bucket = Bucket(2, 1.0, 4)
    assert passed(bucket, [100.0] * 6) == [True] * 4 + [False] * 2
    assert passed(bucket, [100.0] * 4 + [100.4, 100.5, 100.6, 101.0]) == [True] * 4 + [False, True, False, True]


def test_who_is_told_to_wait_may_pass_then() -> None:
    bucket, full = Bucket(100, 60.0, 1), 0.0
    full, wait = bucket.take(full, 50.0)
    assert wait == 0.0
    full, wait = bucket.take(full, 50.25)
    assert wait == pytest.approx(60 / 100 - 0.25)
    full, wait = bucket.take(full, 50.25 + wait)
    assert wait == 0.0


def test_a_refused_request_costs_nothing() -> None:
    bucket = Bucket(1, 10.0, 1)
    assert passed(bucket, [0.0, *(float(second) for second in range(1, 10)), 10.0]) == [True] + [False] * 9 + [True]


@given(st.integers(1, 50), st.integers(1, 20), st.lists(st.floats(0.0, 5.0), max_size=200))
def test_never_more_than_the_burst_and_the_rate(rate: int, burst: int, steps: list[float]) -> None:
    moments = [1000.0 + sum(steps[:count]) for count in range(len(steps))]
    good = [now for now, passes in zip(moments, passed(Bucket(rate, 10.0, burst), moments), strict=True) if passes]
    for first in range(len(good)):
        for last in range(first, len(good)):
            assert last - first + 1 <= burst + (good[last] - good[first]) * rate / 10.0 + 1e-6
