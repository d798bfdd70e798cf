"""A bounded memory of results of pure functions, in which what comes once cannot push out what comes always.

Knows nothing of what it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sized
from typing import Generic, Protocol, TypeVar

SEEN = 4096  # keys remembered by their hash alone, until one is offered a second time


class Key(Hashable, Sized, Protocol):
    """Bytes, text or a tuple."""


K = TypeVar("K", bound=Key)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """A dictionary of two generations.

    New results go into `young`.  When that is full it becomes the old generation, and what had been old is
    let go: a result asked for at least once a generation is carried over for ever, and one that nobody asks
    for again is gone after two.  A generation holds at most so many `entries` and so many bytes of
    `weight`, as `weigh(key, value)` tells, or else the size of the key: for results about as large as the bytes they
    were made from.  A result that would take more than an eighth of the weight is not kept.

    `young` may be read directly where a call would cost too much; on a miss there, ask `get` or `recall`.  Threads
    may share a memo: each step is one dictionary operation, and a race loses a result at worst.
    """

    __slots__ = ("_entries", "_room", "_seen", "_weigh", "_weight", "old", "young")

    def __init__(self, entries: int, weight: int, weigh: Callable[[K, V], int] | None = None) -> None:
        self.young: dict[K, V] = {}
        self.old: dict[K, V] = {}
        self._entries = entries
        self._weight = weight
        self._weigh = weigh
        self._room = weight
        self._seen: set[int] = set()

    def get(self, key: K) -> V | None:
        """What was kept for `key`, which is young again then; None when it is unknown."""
        value = self.young.get(key)
        if value is None:
            value = self.old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def recall(self, key: K, make: Callable[[K], V]) -> V:
        """The result for a key that is not among the young: an old one, else what `make` gives, which is offered.

        What `make` raises comes through, and leaves no trace.
        """
        value = self.old.get(key)
        if value is not None:
            self.put(key, value)
        else:
            value = make(key)
            self.offer(key, value)
        return value

    def offer(self, key: K, value: V) -> bool:
        """Keep `value` for `key` if that was offered before; False when it is the first time.

        What comes once is forgotten while it is still at hand, which costs a fraction of letting it go later.
        """
        mark = hash(key)
        if mark in self._seen:
            self.put(key, value)
            return True
        if len(self._seen) >= SEEN:
            self._seen.clear()
        self._seen.add(mark)
        return False

    def put(self, key: K, value: V) -> None:
        """Keep `value`, which must not be None, for `key`."""
        weight = self._weigh(key, value) if self._weigh else len(key)
        if weight * 8 > self._weight:
            return
        if len(self.young) >= self._entries or weight > self._room:
            self.old, self.young, self._room = self.young, {}, self._weight
        self._room -= weight
        self.young[key] = value
