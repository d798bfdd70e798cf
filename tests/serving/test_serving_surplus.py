"""When threads that are too many leave; the clock is the test's."""

from __future__ import annotations

from forkserver.serving.surplus import REST, Surplus


def test_those_leave_that_were_needed_at_no_time_of_a_rest() -> None:
    surplus = Surplus()
    assert surplus.leaving(1000.0, 5) == 0  # nobody knows for how long
    assert [surplus.leaving(1000.0 + after, many) for after, many in ((1, 5), (2, 3), (9, 6))] == [0, 0, 0]
    assert surplus.leaving(1000.0 + REST, 6) == 3
    assert surplus.leaving(1000.0 + REST + 1, 3) == 0
    assert surplus.leaving(1000.0 + 2 * REST, 3) == 3
    assert surplus.leaving(1000.0 + 3 * REST, 0) == 0


def test_fewer_than_there_may_be_are_none_too_many() -> None:
    surplus = Surplus()
    assert [surplus.leaving(now, -2) for now in (1000.0, 1005.0, 1010.0, 1020.0)] == [0, 0, 0, 0]
    assert surplus.leaving(1030.0, 2) == 0
    assert surplus.leaving(1040.0, 2) == 2
