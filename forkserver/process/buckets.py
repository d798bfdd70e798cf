"""Numbers that all workers share, each found by a tag: when a client's bucket of requests will be full again.

Knows the layout; what the numbers mean is known to whoever spends from them.  Takes no lock: where two workers serve
the same client in the same microsecond one of the two may go uncounted, and nobody ever waits for a process that died.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable

SLOTS = 1 << 16  # clients that are told apart at one time
PLACES = 4  # where one may stand

Take = Callable[[float, float], tuple[float, float]]


class Buckets:
    """Made by the master before the first fork, inherited by all; memory is taken as it is used."""

    def __init__(self) -> None:
        shared = memoryview(mmap.mmap(-1, 16 * SLOTS))  # anonymous, mmap(2)
        self._tags = shared[: 8 * SLOTS].cast("Q")
        self._full = shared[8 * SLOTS :].cast("d")

    def spend(self, tag: int, now: float, take: Take) -> float:
        """Have `take(full, now)` give the new time at which the bucket is full, and what is told to the caller.

        `tag` is any number of 64 bits but 0; times are of the monotonic clock.
        """
        place = self._find(tag)
        self._full[place], told = take(self._full[place], now)
        return told

    def _find(self, tag: int) -> int:
        """The tag's place; a new one takes that of whoever has rested longest, who hardly misses it."""
        places = [(tag + step) % SLOTS for step in range(PLACES)]
        for place in places:
            if self._tags[place] == tag:
                return place
        place = min(places, key=self._full.__getitem__)
        self._tags[place], self._full[place] = tag, 0.0
        return place
