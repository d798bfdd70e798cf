"""The time of one turn of the loop: read once, used by everything that happens in it.

Knows two clocks: the monotonic one for limits, the wall's for dates.
"""

from __future__ import annotations

import time

from forkserver.http.dates import http_date


class Clock:
    """`now` in seconds of the monotonic clock, `wall` in seconds since the epoch, `date` as the Date field has it."""

    __slots__ = ("_ahead", "_until", "date", "now", "second", "wall")

    def __init__(self) -> None:
        self._until = self._ahead = 0.0
        self.now = 0.0
        self.tick()

    def tick(self) -> bool:
        """Read the clock; True when a new second has begun."""
        self.now = now = time.monotonic()
        if now < self._until:
            self.wall = now + self._ahead
            return False
        self.wall = time.time()
        self._ahead = self.wall - now  # anew each second, since the wall's clock may be set
        self.second = int(self.wall)
        self._until = now + 1 - (self.wall - self.second)
        self.date = http_date(self.second).encode("ascii")
        return True
