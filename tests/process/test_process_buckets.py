"""Numbers that processes share, each found by its tag."""

from __future__ import annotations

import os

from forkserver.process.buckets import PLACES, SLOTS, Buckets


def later(full: float, now: float) -> tuple[float, float]:
    """Move it on by one, and tell what it was."""
    return full + 1.0, full


def test_each_tag_has_its_number() -> None:
    buckets = Buckets()
    assert [buckets.spend(7, 0.0, later) for _ in range(3)] == [0.0, 1.0, 2.0]
    assert buckets.spend(8, 0.0, later) == 0.0
    assert buckets.spend(7, 0.0, later) == 3.0


def test_processes_share_them() -> None:
    buckets = Buckets()
    child = os.fork()
    if not child:
        buckets.spend(1 << 63, 0.0, later)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert buckets.spend(1 << 63, 0.0, later) == 1.0


def test_where_there_are_too_many_the_one_that_rested_longest_goes() -> None:
    buckets = Buckets()
    crowd = [1 + SLOTS * number for number in range(PLACES + 1)]  # all want the same place
    for number, tag in enumerate(crowd[:PLACES]):
        buckets.spend(tag, 0.0, lambda full, now, number=number: (10.0 + number, 0.0))  # type: ignore[misc]
    assert buckets.spend(crowd[PLACES], 0.0, lambda full, now: (99.0, full)) == 0.0
    assert [buckets.spend(tag, 0.0, lambda full, now: (full, full)) for tag in crowd[1:]] == [11.0, 12.0, 13.0, 99.0]


def test_the_last_place_is_followed_by_the_first() -> None:
    buckets = Buckets()
    crowd = [SLOTS - 1 + SLOTS * number for number in range(PLACES)]
    for tag in crowd:
        buckets.spend(tag, 0.0, later)
    assert [buckets.spend(tag, 0.0, later) for tag in crowd] == [1.0] * PLACES
