"""A memory bounded in bytes, from which the least lately used goes first.

Knows nothing of what it keeps.  Several threads may use it at once: reading takes no lock.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Values by key, each with its cost in bytes, together at most `limit`.

    `get` is the plain look-up of a dict and leaves no trace; `touch` says that a value is still in use, and
    is called now and then, not at each use, because it takes the lock.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._costs: dict[K, int] = {}
        self.get = self._entries.get

    def touch(self, key: K) -> None:
        """Make `key`, if it is here, the last one to go."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)

    def put(self, key: K, value: V, cost: int) -> None:
        """Keep a value, unless it is larger than the limit, and let the oldest go as far as need be."""
        with self._lock:
            self._remove(key)
            if cost > self.limit:
                return
            self._entries[key] = value
            self._costs[key] = cost
            self.used += cost
            while self.used > self.limit:
                self._remove(next(iter(self._entries)))

    def drop(self, key: K) -> None:
        """Forget `key`, if it is here."""
        with self._lock:
            self._remove(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._costs.clear()
            self.used = 0

    def _remove(self, key: K) -> None:
        if key in self._entries:
            del self._entries[key]
            self.used -= self._costs.pop(key)
