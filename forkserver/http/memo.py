"""A bounded memory of results of pure functions, in which what comes once cannot push out what comes always.

Knows nothing of what it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sized
from typing import Protocol, TypeVar

SEEN = 4096  # keys remembered by their hash alone, until one comes a second time


class Key(Hashable, Sized, Protocol):
    """Bytes, text or a tuple."""


K = TypeVar("K", bound=Key)
V = TypeVar("V")


class Memo(dict[K, V]):
    """A dictionary of two generations: itself, the young one, and `old`.

    New results are young.  When there are too many they become the old generation, and what had been old is let
    go: a result asked for at least once a generation is carried over for ever, and one that nobody asks
    for again is gone after two.  A generation holds at most so many `entries` and so many bytes of
    `weight`, as `weigh(key, value)` tells, or else the size of the key: for results about as large as the bytes they
    were made from.  A result that would take more than an eighth of the weight is not kept.

    `memo[key]` is the result, made where it is not known; `find` is for results that are made elsewhere.  `get` looks
    among the young alone.  Threads may share a memo: each step is one dictionary operation, and a race loses results
    at worst.
    """

    __slots__ = ("_entries", "_make", "_room", "_seen", "_weigh", "_weight", "old")

    def __init__(
        self,
        entries: int,
        weight: int,
        weigh: Callable[[K, V], int] | None = None,
        make: Callable[[K], V] | None = None,
    ) -> None:
        super().__init__()
        self.old: dict[K, V] = {}
        self._entries = entries
        self._weight = weight
        self._weigh = weigh
        self._make = make
        self._room = weight
        self._seen: set[int] = set()

    def __missing__(self, key: K) -> V:
        """The result for a key that is not among the young; a new one is kept if the key came before.

        What comes once is forgotten while it is still at hand, which costs a fraction of letting it go later.
        Whatever `make` raises comes through, and leaves no trace.
        """
        value = self.old.get(key)
        if value is not None:
            self.put(key, value)
            return value
        if self._make is None:
            raise KeyError(key)
        value = self._make(key)
        seen, mark = self._seen, hash(key)
        if mark in seen:
            self.put(key, value)
        else:
            if len(seen) >= SEEN:
                seen.clear()
            seen.add(mark)
        return value

    def find(self, key: K) -> V | None:
        """What was kept for `key`, which is young again then; None when it is unknown."""
        value = self.get(key)
        if value is None:
            value = self.old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep `value`, which must not be None, for `key`."""
        weight = self._weigh(key, value) if self._weigh else len(key)
        if weight * 8 > self._weight:
            return
        if len(self) >= self._entries or weight > self._room:
            self.old = dict(self)
            self.clear()
            self._room = self._weight
        self._room -= weight
        self[key] = value

    def forget(self, key: K) -> None:
        """What was kept for `key`, if anything, is not true any more."""
        self.pop(key, None)
        self.old.pop(key, None)
