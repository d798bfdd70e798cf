"""How many workers the load asks for, between two bounds, as Apache's prefork and event modules decide it.

Pure: what was seen of the workers, and the time in seconds of the monotonic clock, are arguments.  Knows nothing of
who is forked or drained for it.

A look sees one instant, and requests are short: one look without a spare worker is enough to grow, as somebody may be
waiting, but only a whole while of them is reason to shrink.  Having to grow again soon afterwards doubles that while.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from forkserver.config.options import Workers

LOOK = 1.0  # seconds between two looks, at least
MIN_SPARE = 1  # workers with room, below which the pool grows
MAX_SPARE = 1  # ... and above which, after a while, it shrinks
LARGEST_STEP = 32  # workers that are added at one look
QUIET = 10.0  # seconds in which every look found more spare workers than that
LONGEST_QUIET = 320.0
STUCK = 3.0  # seconds in which every look found the largest pool busy, before that is said


@dataclass(frozen=True, slots=True)
class Census:
    """Workers of the current generation that are to stay, as one look finds them."""

    starting: int
    ready: int
    busy: int  # of those ready: without room for a further request, see `occupation.py`

    @property
    def spare(self) -> int:
        return self.ready - self.busy


@dataclass
class Spell:
    """Looks in a row that found the same."""

    since: float | None = None
    last: float = float("-inf")

    def seen(self, now: float, there: bool) -> float:
        """Note a look; give for how long there has been no other."""
        if not there:
            self.since = None
            return 0.0
        self.since, self.last = now if self.since is None else self.since, now
        return now - self.since


@dataclass
class Adapting:
    """The number that is wanted, look by look."""

    workers: Workers
    complaint: str = ""  # of the last look: what somebody should be told
    _next_look: float = 0.0
    _step: int = 1  # workers to be added when the next look finds too few, too
    _quiet: float = QUIET
    _short: Spell = field(default_factory=Spell)
    _plenty: Spell = field(default_factory=Spell)
    _shrunk: float | None = None  # when, if it has not grown since
    _told: bool = False  # that the largest pool is too small; once an episode

    def look(self, now: float, want: int, census: Census) -> int:
        """How many are wanted from now on, where `want` have been."""
        self.complaint = ""
        if self.workers.low == self.workers.high or now < self._next_look:
            return want
        self._next_look = now + LOOK
        short_for = self._short.seen(now, census.spare + census.starting < MIN_SPARE)
        plenty_for = self._plenty.seen(now, census.spare > MAX_SPARE)
        if self._short.since is not None:
            if census.ready < want:
                return want  # those that are missing come first
            return self._more(now, want) if want < self.workers.high else self._too_few(want, short_for)
        self._step = 1
        self._told = self._told and now < self._short.last + QUIET
        if plenty_for >= self._quiet and want > self.workers.low:
            self._shrunk = now
            return want - 1
        return want

    def _more(self, now: float, want: int) -> int:
        if self._shrunk is not None:
            regretted = now - self._shrunk < 2 * self._quiet
            self._quiet = min(2 * self._quiet, LONGEST_QUIET) if regretted else QUIET
            self._shrunk = None
        step, self._step = self._step, min(2 * self._step, LARGEST_STEP)
        return min(want + step, self.workers.high)

    def _too_few(self, want: int, short_for: float) -> int:
        if short_for >= STUCK and not self._told:
            self._told = True
            self.complaint = (
                f"{want} workers are all busy; raise [server] workers = {self.workers}, "
                "or see with `forkserver status` what holds them up"
            )
        return want

    def move(self, by: int, most: int) -> None:
        """Both bounds go up or down, within 1 and `most`."""
        low, high = (min(max(1, bound + by), most) for bound in (self.workers.low, self.workers.high))
        self.workers = Workers(low, high)
