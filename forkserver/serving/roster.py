"""The books of a crew: its threads, the calls that they have, those that wait, those that the loop is to look at.

What is here is true for all threads, under one lock.  Knows who has what; knows nothing of what a thread does with it.
"""

from __future__ import annotations

import enum
import os
import queue
import threading
from collections import deque
from typing import TYPE_CHECKING

from forkserver.serving.call import Call
from forkserver.serving.surplus import Surplus

if TYPE_CHECKING:
    from forkserver.config.options import Limits
    from forkserver.serving.outside import Figures, Progress

DESKS = 65  # at most, for as many threads
SHORT = "calls wait for one another; see the limits of tasks: TasksMax and pids.max, ulimit -u"


class Part(enum.Enum):
    """What a thread is to do that is not a call."""

    LEAD = enum.auto()
    LEAVE = enum.auto()


class Roster:
    """`threads` calls at once, and one thread more; beside them the streams, each with a thread of its own."""

    def __init__(self, threads: int, limits: Limits, figures: Figures) -> None:
        self.threads, self.limits, self.figures = threads, limits, figures
        self.lock = threading.Lock()
        self.running: dict[int, Call] = {}  # what others than the leader run, by the number of their thread
        self.waiting: deque[Call] = deque()  # for a thread
        self.busy = 0  # calls that others run, or have been told to; without the streams
        self.streams = 0  # calls that go on and on
        self.noticed: deque[Call] = deque()  # for the loop to look at
        self.bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # readable when there is one
        self.desks: list[Progress] = []  # one a thread, by its number
        self.desk = figures.desk(0)  # the leader's
        self._jobs: queue.SimpleQueue[Call | Part] = queue.SimpleQueue()
        self._idle = 0  # threads without a job, or about to be
        self._hiring = threading.Lock()  # numbers are given one by one
        self._vacant: list[int] = []  # numbers of threads that have left
        self._short = False  # the system has no more, and that was said
        self._surplus = Surplus()

    @property
    def full(self) -> bool:
        """Whether a further call would have to wait."""
        return self.busy >= self.threads

    @property
    def unfinished(self) -> bool:
        """Whether there are calls that may yet end."""
        with self.lock:
            return bool(self.waiting) or any(not call.expired for call in self.running.values())

    @property
    def spare(self) -> bool:
        """Whether somebody is there to take the lead."""
        return self._idle > 0

    @property
    def hired(self) -> int:
        """Threads that there are."""
        return len(self.desks) - len(self._vacant)

    @property
    def surplus(self) -> int:
        """Those of them that are more than there may be now."""
        return self.hired - (self.threads + 1 + self.streams)

    # Threads.

    def live(self, number: int) -> None:
        """The life of a thread."""
        raise NotImplementedError

    def complain(self, why: str) -> None:
        """Of what hinders us."""
        raise NotImplementedError

    def add_thread(self) -> bool:
        """One more, if there may be; False when there may not, or the system has none."""
        with self._hiring:
            if self.surplus >= 0:
                return False
            number = self._vacant.pop() if self._vacant else len(self.desks)
            if number == len(self.desks):
                self.desks.append(self.figures.desk(number))
            try:
                threading.Thread(target=self.live, args=(number,), name=f"crew {number}", daemon=True).start()
            except RuntimeError as error:
                self._vacant.append(number)
                self._say_short(error)
                return False
            self._short = False
        with self.lock:
            self._idle += 1
        return True

    def _say_short(self, error: RuntimeError) -> None:
        """Once, until there is another one."""
        if not self._short:
            self._short = True
            self.complain(f"there is no thread for a further call ({error}): {SHORT}")

    def dismiss(self, now: float) -> None:
        """Every now and then: let threads leave that have been too many for a while."""
        with self.lock:
            leaving = min(self._surplus.leaving(now, self.surplus), self._idle)
            for _ in range(leaving):
                self.summon(Part.LEAVE)

    def left(self, number: int) -> None:
        """A thread has; its number is for another one."""
        with self._hiring:
            self._vacant.append(number)

    def summon(self, job: Call | Part) -> None:
        """Give a job to an idle thread; the caller has the lock and knows that there is one."""
        self._idle -= 1
        self._jobs.put(job)

    # Calls.

    def submit(self, call: Call, now: float) -> bool:
        """Have another thread run it, now or in its turn; False when there is none that could."""
        if self._idle < 2:
            self.add_thread()
        with self.lock:
            if not (self._idle or self.busy):
                return False
            call.queued = now
            if self.busy < self.threads and self._idle:
                self.busy += 1
                self.summon(call)
            else:
                self.waiting.append(call)
        return True

    def let_go(self, call: Call) -> None:
        """Its thread is idle in a moment: for one that waits, or for whatever comes.  The caller has the lock."""
        call.over = True
        self.running.pop(call.member, None)
        self._idle += 1
        if call.stream:
            self.streams -= 1
        else:
            self.busy -= 1
        if self.waiting and self.busy < self.threads:
            self.busy += 1
            self.summon(self.waiting.popleft())

    def set_apart(self, call: Call) -> bool:
        """Its answer goes on and on: it does not count among the `threads` any more.

        False when it does: it is over, or there are no desks for more.
        """
        with self.lock:
            if call.over or call.stream or self.threads + self.streams >= DESKS - 1:
                return False
            call.stream = True
            if self.threads == 1:  # it is not counted in the first place
                return True
            self.streams += 1
            self.busy -= 1
        if self.waiting and not self.spare:
            self.add_thread()
        with self.lock:
            if self.waiting and self._idle and self.busy < self.threads:
                self.busy += 1
                self.summon(self.waiting.popleft())
        os.eventfd_write(self.bell, 1)  # there may be room for new connections
        return True

    def overdue(self, now: float) -> list[Call]:
        """Those that have waited for a thread for longer than they might have run; they wait no more."""
        with self.lock:
            late = [call for call in self.waiting if now - call.queued > self.limits.request_timeout]
            for call in late:
                self.waiting.remove(call)
                call.expired = call.over = True
        return late

    def desk_of(self, call: Call) -> Progress:
        """Where its thread notes it."""
        return self.desk if call.member < 0 else self.desks[call.member]

    def notice(self, call: Call) -> None:
        """Have the loop look at a call."""
        if not call.noticed:
            self.insist(call)

    def insist(self, call: Call) -> None:
        """The same for certain: a RequestTimeout may have come just when its thread was about to ring."""
        call.noticed = True
        self.noticed.append(call)
        os.eventfd_write(self.bell, 1)
