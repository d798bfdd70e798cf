"""How many threads have been too many for a while: those that streams had, once these are over.

Pure: numbers in, a number out, and the time is an argument.
"""

from __future__ import annotations

REST = 10.0  # seconds in which they were needed at no time


class Surplus:
    """The fewest that were too many since the last time that some left."""

    def __init__(self) -> None:
        self.since = 0.0
        self.fewest = 0

    def leaving(self, now: float, surplus: int) -> int:
        """How many may leave now, where so many are too many; to be asked every now and then."""
        surplus = max(0, surplus)
        self.fewest = min(self.fewest, surplus)
        if now - self.since < REST:
            return 0
        leaving = self.fewest
        self.since, self.fewest = now, surplus - leaving
        return leaving
