"""What a memo keeps and what it lets go."""

from __future__ import annotations

from forkserver.http.memo import SEEN, Memo


def test_what_is_asked_for_stays_and_what_is_not_goes() -> None:
    memo: Memo[bytes, int] = Memo(4, 1000)
    memo.put(b"always", 1)
    memo.put(b"once", 2)
    for number in range(100):
        memo.put(b"%d" % number, number)
        assert memo.get(b"always") == 1
    assert memo.get(b"once") is None
    assert len(memo.young) <= 4
    assert len(memo.old) <= 4


def test_weight_bounds_a_generation() -> None:
    memo: Memo[bytes, int] = Memo(1000, 100)
    for number in range(50):
        memo.put(b"%010d" % number, number)
        assert sum(map(len, memo.young)) <= 100
        assert sum(map(len, memo.old)) <= 100
    assert memo.get(b"%010d" % 49) == 49


def test_what_is_too_heavy_is_not_kept() -> None:
    memo: Memo[bytes, int] = Memo(10, 80)
    memo.put(b"x" * 11, 1)
    memo.put(b"x" * 10, 2)
    assert memo.young == {b"x" * 10: 2}


def test_what_is_offered_once_is_not_kept() -> None:
    memo: Memo[bytes, int] = Memo(4, 1000)
    memo.offer(b"once", 1)
    assert memo.get(b"once") is None
    memo.offer(b"twice", 1)
    memo.offer(b"twice", 2)
    assert memo.get(b"twice") == 2


def test_what_is_recalled_is_made_until_it_comes_again() -> None:
    memo: Memo[bytes, int] = Memo(4, 1000)
    made: list[bytes] = []

    def make(key: bytes) -> int:
        made.append(key)
        return len(made)

    assert [memo.recall(b"a", make), memo.recall(b"a", make)] == [1, 2]
    assert memo.young == {b"a": 2}
    for number in range(4):
        memo.put(b"%d" % number, number)
    assert memo.old == {b"a": 2, **{b"%d" % number: number for number in range(3)}}
    assert memo.recall(b"a", make) == 2
    assert memo.young == {b"3": 3, b"a": 2}


def test_a_flood_of_offers_is_forgotten() -> None:
    memo: Memo[bytes, int] = Memo(4, 1000)
    memo.offer(b"early", 1)
    for number in range(SEEN):
        memo.offer(b"%d" % number, number)
    assert len(memo._seen) <= SEEN
    memo.offer(b"early", 1)
    assert memo.get(b"early") is None
