"""When a worker has done its part: after so many requests, so much memory or so long a time.

Pure: what is true of the worker, and the time, are arguments.  Knows nothing of who asks, and of what follows.
"""

from __future__ import annotations

import sys

from forkserver.config.options import Limits

SPREAD = 0.1  # of each limit, by which a worker may go early: those forked together do not all go together
LOOK = 5.0  # seconds between looks at its memory, for which the kernel walks through all of it
NEVER = float("inf")


class Retirement:
    """The limits of one worker's life."""

    def __init__(self, limits: Limits, jitter: float, now: float) -> None:
        """`jitter`, from 0 to 1, is how much of SPREAD this worker goes early; its life begins `now`."""
        part = 1.0 - SPREAD * jitter
        self.born = now
        self.requests = max(1, round(limits.requests * part)) if limits.requests else sys.maxsize
        self.memory = limits.memory * part if limits.memory else NEVER  # bytes
        self.end = now + limits.lifetime * part if limits.lifetime else NEVER
        self.next_look = now + LOOK if limits.memory else NEVER  # at its memory

    def due(self, now: float, requests: int, memory: int) -> str:
        """Why it should retire, in words for the log; "" when it need not.  `memory` is in bytes."""
        if requests >= self.requests:
            return f"{requests} requests answered"
        if memory > self.memory:
            age = now - self.born
            early = f" after {age:.0f} s: is [limits] memory too small for a worker at work?" if age < 2 * LOOK else ""
            return f"{memory / (1 << 20):.1f} MiB of memory of its own{early}"
        if now >= self.end:
            return f"{now - self.born:.0f} s in service"
        return ""

    def looked(self, now: float) -> None:
        """Its memory was read."""
        self.next_look = now + LOOK

    def over(self) -> None:
        """It is said, or of no interest any more: nothing will be due."""
        self.requests, self.memory, self.end, self.next_look = sys.maxsize, NEVER, NEVER, NEVER

    def forget_memory(self) -> None:
        """Its memory cannot be read."""
        self.memory, self.next_look = NEVER, NEVER
