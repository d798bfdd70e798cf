"""How often a client may come: a bucket of tokens that fills at a constant rate.

Pure arithmetic over a number that somebody else keeps; knows no clock, and nothing of clients and processes.
"""

from __future__ import annotations


class Bucket:
    """The rule, in the form of the generic cell rate algorithm (ITU-T I.371, annex A): one number tells all.

    That number is the time at which the bucket will be full again; each request moves it on by `interval`, and it may
    not be further ahead than `burst` of them.
    """

    def __init__(self, requests: int, period: float, burst: int) -> None:
        """`requests` in `period` seconds in the long run, and up to `burst` at once."""
        self.interval = period / requests  # seconds that a token takes to come
        self.tolerance = self.interval * burst

    def take(self, full: float, now: float) -> tuple[float, float]:
        """(the new `full`, 0.0) for a request that may pass, else (`full`, seconds until the next one may)."""
        after = max(full, now) + self.interval
        wait = after - self.tolerance - now
        return (full, wait) if wait > 1e-9 else (after, 0.0)
