"""What a memo keeps and what it lets go."""

from __future__ import annotations

import pytest

from forkserver.http.memo import SEEN, Memo


def test_what_is_asked_for_stays_and_what_is_not_goes() -> None:
    memo: Memo[bytes, int] = Memo(4, 1000)
    memo.put(b"always", 1)
    memo.put(b"once", 2)
    for number in range(100):
        memo.put(b"%d" % number, number)
        assert memo.find(b"always") == 1
    assert memo.find(b"once") is None
    assert len(memo) <= 4
    assert len(memo.old) <= 4


def test_weight_bounds_a_generation() -> None:
    memo: Memo[bytes, int] = Memo(1000, 100)
    for number in range(50):
        memo.put(b"%010d" % number, number)
        assert sum(map(len, memo)) <= 100
        assert sum(map(len, memo.old)) <= 100
    assert memo.find(b"%010d" % 49) == 49


def test_what_is_too_heavy_is_not_kept() -> None:
    memo: Memo[bytes, int] = Memo(10, 80)
    memo.put(b"x" * 11, 1)
    memo.put(b"x" * 10, 2)
    assert memo == {b"x" * 10: 2}


def test_what_is_asked_for_is_made_until_it_comes_again() -> None:
    made: list[bytes] = []
    memo: Memo[bytes, int] = Memo(4, 1000, make=lambda key: made.append(key) or len(made))  # type: ignore[func-returns-value]
    assert [memo[b"a"], memo[b"a"]] == [1, 2]
    assert memo == {b"a": 2}
    for number in range(4):
        memo.put(b"%d" % number, number)
    assert memo.old == {b"a": 2, **{b"%d" % number: number for number in range(3)}}
    assert memo[b"a"] == 2
    assert memo == {b"3": 3, b"a": 2}


def test_a_flood_is_forgotten() -> None:
    memo: Memo[bytes, int] = Memo(4, 1000, make=len)
    assert memo[b"early"] == 5
    for number in range(SEEN):
        assert memo[b"%d" % number] > 0
    assert len(memo._seen) <= SEEN
    assert memo[b"early"] == 5
    assert memo == {}


def test_what_cannot_be_made_leaves_no_trace() -> None:
    memo: Memo[bytes, int] = Memo(4, 1000, make=int)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            memo[b"none"]
    assert not memo._seen
    nobody: Memo[bytes, int] = Memo(4, 1000)
    with pytest.raises(KeyError):
        nobody[b"none"]


def test_what_is_not_true_any_more_is_forgotten() -> None:
    memo: Memo[bytes, int] = Memo(1, 1000)
    memo.put(b"a", 1)
    memo.put(b"b", 2)
    for key in (b"a", b"b", b"c"):
        memo.forget(key)
        assert memo.find(key) is None
