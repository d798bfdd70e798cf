"""How long the calls of one application take, on average and of late: whether it is slow as a rule.

Knows times as numbers, and no clock.
"""

from __future__ import annotations

SLOW = 0.0005  # seconds of an average call, above which an application is given to another thread at once
QUICK = 0.0004  # ... and below which it no longer is
WEIGHT = 0.125  # of a new time in the average
LONGEST = 4 * SLOW  # seconds, as which anything longer counts there: one that was held up says little of others


class Pace:
    """How long an application takes, on average and of late."""

    __slots__ = ("average", "slow")

    def __init__(self) -> None:
        self.average = 0.0  # seconds
        self.slow = False

    def note(self, seconds: float) -> None:
        self.average += (min(seconds, LONGEST) - self.average) * WEIGHT
        if self.average > SLOW:
            self.slow = True
        elif self.average < QUICK:
            self.slow = False
