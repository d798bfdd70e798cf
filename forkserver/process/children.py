"""Who should live, who does, and what to do about the difference.

Pure book-keeping: forks nothing, kills nobody, reads no clock.  The master tells it what happened and carries out
what it plans; time, in seconds of the monotonic clock, is an argument.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forkserver.process.adapting import Adapting, Census

if TYPE_CHECKING:
    from forkserver.config.options import Workers

YOUNG = 5.0  # seconds; who dies before that without having served anything died young
LONGEST_PAUSE = 30.0  # seconds between attempts, however often a worker dies young
DOUBLINGS = 5  # of the pause of one second, after which it is longer than that
START_LIMIT = 30.0  # seconds from the fork until a worker must be ready


class Life(enum.Enum):
    """Of a worker, as the master sees it."""

    STARTING = "starting"
    READY = "ready"
    RETIRING = "retiring"  # has done its part: serves until somebody has taken its place
    DRAINING = "draining"  # told to leave, may still accept
    LEAVING = "leaving"  # accepts no more


SERVING = (Life.READY, Life.RETIRING)
STAYING = (Life.STARTING, Life.READY)  # those that count among the wanted
HERE = (*STAYING, Life.RETIRING)  # not told to leave yet


@dataclass(slots=True)
class Child:
    """One worker, from the decision to fork it to its end."""

    seat: int
    generation: int
    since: float  # when it was asked for
    life: Life = Life.STARTING
    pid: int = 0  # 0 until it has said so
    limit: float = 0.0  # when it must be ready, or gone
    killed: bool = False
    refused: bool = False  # could not load its applications: it dies young, however long that took


@dataclass(frozen=True, slots=True)
class Spawn:
    """Have a worker of this generation forked into this seat."""

    seat: int
    generation: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Tell the worker in this seat to finish and leave."""

    seat: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End the worker in this seat, which has outlived its limit."""

    seat: int
    why: str


Action = Spawn | Drain | Kill


@dataclass
class Children:
    """The pool: `want` workers of the current generation, and what is left of older ones.

    A candidate generation (`audition`) gets one worker first; once that one is ready the generation is `promoted`,
    and for each further worker of it that becomes ready one of the older generations drains.  A worker that is
    `retiring` is treated as one of those: it does not count, and drains once another one is ready in its place.
    """

    want: int
    graceful: float  # seconds that a draining worker has
    seats: int
    generation: int = 0
    candidate: int | None = None
    adapting: Adapting | None = None  # what `want` follows; None before the first promotion
    stopping: bool = False
    not_before: float = 0.0  # no fork before this time
    young_deaths: int = 0  # in a row
    by_seat: dict[int, Child] = field(default_factory=dict)

    def plan(self, now: float, able: Collection[int]) -> list[Action]:
        """What to do at this moment; each action is already entered in the books when it is returned.

        `able` are the generations whose mold can fork at present.
        """
        actions: list[Action] = [*self._overdue(now)]
        if self.stopping:
            return actions + self._drain(list(self.by_seat.values()), now)
        return actions + self._spawn(now, able) + self._drain(self._surplus(), now)

    def next_deadline(self, now: float) -> float:
        """When `plan` has something to say even if nothing happens; infinity when never."""
        limits = [child.limit for child in self.by_seat.values() if child.limit and not child.killed]
        if now < self.not_before and not self.stopping and self._missing():
            limits.append(self.not_before)
        return min(limits, default=float("inf"))

    def _overdue(self, now: float) -> list[Action]:
        late = [c for c in self.by_seat.values() if c.limit and now >= c.limit and not c.killed]
        for child in late:
            child.killed = True
        return [
            Kill(c.seat, "was not ready in time" if c.life is Life.STARTING else "did not finish in time") for c in late
        ]

    def _of(self, generation: int | None, *lives: Life) -> list[Child]:
        return [c for c in self.by_seat.values() if c.generation == generation and c.life in lives]

    def _missing(self) -> list[int]:
        """A generation number for each worker that should be there and is not."""
        alive = len(self._of(self.generation, *STAYING))
        missing = [self.generation] * (self.want - alive if self.generation else 0)
        if self.candidate is not None and not self._of(self.candidate, *HERE):
            missing.insert(0, self.candidate)
        return missing

    def _spawn(self, now: float, able: Collection[int]) -> list[Action]:
        actions: list[Action] = []
        for generation in self._missing():
            if generation not in able:
                continue
            # A candidate's worker does not wait for the throttle of the generation that it may be the cure for.
            if now < self.not_before and generation != self.candidate:
                continue
            seat = next((n for n in range(self.seats) if n not in self.by_seat), None)
            if seat is None:
                break
            self.by_seat[seat] = Child(seat, generation, now, limit=now + START_LIMIT)
            actions.append(Spawn(seat, generation))
        return actions

    def _surplus(self) -> list[Child]:
        """Workers that should go: the newest of too many, and one old or retiring one for each that is ready."""
        if not self.generation:
            return []
        staying = sorted(self._of(self.generation, *STAYING), key=lambda c: c.since)
        ready = len(self._of(self.generation, Life.READY))
        older = [
            c for c in self.by_seat.values() if c.generation not in (self.generation, self.candidate) and c.life in HERE
        ]
        passing = [*self._of(self.generation, Life.RETIRING), *older]
        passing.sort(key=lambda c: (c.life is not Life.RETIRING, c.since))
        too_many = max(0, len(passing) + ready - self.want)
        return passing[:too_many] + staying[self.want :]

    def _drain(self, children: list[Child], now: float) -> list[Action]:
        actions: list[Action] = []
        for child in children:
            if child.life in HERE:
                child.life = Life.DRAINING
                self._limit(child, now + self.graceful)
                actions.append(Drain(child.seat))
        return actions

    # What happened.

    def born(self, seat: int, pid: int) -> None:
        self.by_seat[seat].pid = pid

    def ready(self, seat: int) -> None:
        child = self.by_seat[seat]
        if child.life is Life.STARTING:
            child.life = Life.READY
            child.limit = 0.0

    def retiring(self, seat: int) -> None:
        """It has done its part, and serves until another one does in its place."""
        child = self.by_seat[seat]
        if child.life is Life.READY:
            child.life = Life.RETIRING

    def refused(self, seat: int) -> None:
        self.by_seat[seat].refused = True

    def leaving(self, seat: int, now: float) -> None:
        """It accepts no more: because it was told to, or of its own accord."""
        child = self.by_seat[seat]
        if child.life is not Life.DRAINING:
            child.limit = 0.0  # that of its start counts no more
            self._limit(child, now + self.graceful)
        child.life = Life.LEAVING

    def died(self, seat: int, now: float, served: bool) -> float:
        """Take it off the books; give the pause in seconds before the next fork, 0 when there is none."""
        child = self.by_seat.pop(seat)
        if child.life in (Life.DRAINING, Life.LEAVING) or child.generation != self.generation:
            return 0.0
        if not child.refused and (served or now - child.since >= YOUNG):
            self._forgive()
            return 0.0
        if now >= self.not_before + LONGEST_PAUSE:
            self._forgive()  # the last one is so long ago that it has another reason
        if child.since >= self.not_before:  # those forked together and dying together count once
            self.young_deaths += 1
        pause = min(LONGEST_PAUSE, 2.0 ** min(self.young_deaths - 1, DOUBLINGS))
        self.not_before = now + pause
        return pause

    def _forgive(self) -> None:
        self.young_deaths = 0
        self.not_before = 0.0

    def hurry(self, limit: float) -> None:
        """Everybody was told to leave at once: there is nothing to drain, and whoever is here at `limit` is killed."""
        for child in self.by_seat.values():
            if child.life is not Life.LEAVING:
                child.life = Life.DRAINING
            self._limit(child, limit)

    def _limit(self, child: Child, limit: float) -> None:
        """A limit may come nearer, never move away."""
        child.limit = min(child.limit or limit, limit)

    def seat_of(self, pid: int) -> int | None:
        return next((c.seat for c in self.by_seat.values() if c.pid == pid), None)

    # What is wanted.

    def audition(self, generation: int) -> None:
        """Let one worker of a new generation show that it comes up."""
        self.candidate = generation

    def promote(self, workers: Workers, graceful: float) -> None:
        """The candidate is the current generation from now on; the older ones give way as it fills up.

        As many are wanted as before, the load being what it was, within the new bounds.
        """
        assert self.candidate is not None
        self.generation, self.candidate = self.candidate, None
        self.want, self.graceful = workers.nearest(self.want), graceful
        self.adapting = Adapting(workers)
        self._forgive()

    @property
    def adapts(self) -> bool:
        """Whether the number follows the load."""
        return self.adapting is not None and self.adapting.workers.low < self.adapting.workers.high

    def adapt(self, now: float, busy: Collection[int]) -> str:
        """Once a second: let the number follow the load; give a complaint, "" for none.

        `busy` are the seats of workers without room for a further request.
        """
        if not self.adapting:
            return ""
        starting, ready = self._of(self.generation, Life.STARTING), self._of(self.generation, Life.READY)
        census = Census(len(starting), len(ready), sum(child.seat in busy for child in ready))
        self.want = self.adapting.look(now, self.want, census)
        return self.adapting.complaint

    def move(self, by: int) -> None:
        """Somebody wants more than were configured, or fewer; at least one stays."""
        if self.adapting:
            self.adapting.move(by, self.seats // 2)  # the other half is for those that drain
            self.want = self.adapting.workers.nearest(self.want + by)

    def dismiss(self, now: float) -> list[Action]:
        """The candidate was refused: its worker, if there is one, leaves."""
        generation, self.candidate = self.candidate, None
        return self._drain(self._of(generation, *HERE), now)

    def settled(self) -> bool:
        """Whether the current generation is whole and no older worker still accepts."""
        accepting = [c for c in self.by_seat.values() if c.life in (*HERE, Life.DRAINING)]
        serving = self._of(self.generation, *SERVING)
        return len(serving) >= self.want and all(c.generation == self.generation for c in accepting)
