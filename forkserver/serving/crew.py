"""The threads of one worker: who leads the loop, and who runs applications.

The leader runs an application's call itself, because handing it to another thread costs more than a fast call.  A call
that lasts loses it the lead: a spare thread takes the loop over, and the old leader, once its call has returned, hands
in the answer and becomes a spare.  Applications that are slow as a rule are given to a spare thread at once.  Knows
threads and calls; knows nothing of sockets and of what is answered.
"""

from __future__ import annotations

import ctypes
import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, Protocol

from forkserver.serving.call import Call, RequestTimeout
from forkserver.serving.outbox import Outbox

if TYPE_CHECKING:
    from forkserver.config.options import Limits
    from forkserver.serving.outside import Figures, Progress

SAMPLE = 16  # of so many calls that the leader runs one is timed
SWITCH = 0.001  # seconds that a thread may keep the interpreter while others want it
DESKS = 65  # at most, for as many threads
NEVER = float("inf")


class Deposed(BaseException):
    """The thread has lost the lead while it was in a call: nothing below it on the stack is its business any more."""


class Loop(Protocol):
    """What is led, turn by turn."""

    @property
    def done(self) -> bool: ...

    def turn(self) -> None: ...


class Acts(Protocol):
    """What is done with calls: to run the application, in any thread; all else by the leader alone."""

    def perform(self, call: Call) -> None: ...

    def take_over(self, calls: list[Call]) -> None: ...

    def transmit(self, call: Call) -> None: ...

    def transmit_some(self, call: Call) -> None: ...

    def complain(self, why: str) -> None: ...


class Crew:
    """`threads` application calls at once, and one thread more, so that the loop always has one.

    With one thread there is nobody to take the lead, and it runs everything.
    """

    def __init__(self, threads: int, limits: Limits, figures: Figures) -> None:
        self.threads, self.limits, self.figures = threads, limits, figures
        self.loop: Loop
        self.acts: Acts
        self.lock = threading.Lock()
        self.call: Call | None = None  # what the leader runs itself
        self.running: dict[int, Call] = {}  # what others run, by the number of their thread
        self.waiting: deque[Call] = deque()  # for a thread
        self.busy = 0  # calls that others run, or have been told to; without the streams
        self.streams = 0  # calls that go on and on
        self.noticed: deque[Call] = deque()  # for the loop to look at
        self.bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  # readable when there is one
        self.lost: list[Call] = []  # by leaders, for the next one to take over
        self.desks: list[Progress] = []
        self.desk = figures.desk(0)  # the leader's
        self.leader = 0  # the number of its thread
        self.leader_thread = 0  # its identifier
        self.count = 0  # calls
        self.timed: Call | None = None  # the one that is timed
        self.resting = False  # whoever watches us sleeps until he is woken
        self.alarm = threading.Semaphore(0)
        self.strayed = False  # this is a process that an application has forked
        self.ended = False
        self.failure: BaseException | None = None  # what it ended by, when that was not an order
        self._jobs: queue.SimpleQueue[Call | None] = queue.SimpleQueue()  # None: lead
        self._idle = 0  # threads without a job, or about to be
        self._hiring = threading.Lock()  # numbers are given one by one

    @property
    def full(self) -> bool:
        """Whether a further call would have to wait."""
        return self.busy >= self.threads

    @property
    def unfinished(self) -> bool:
        """Whether there are calls that may yet end."""
        with self.lock:
            return bool(self.waiting) or any(not call.expired for call in self.running.values())

    # Threads.

    def run(self, loop: Loop, watch: Callable[[], None]) -> None:
        """Lead the loop until it is done; `watch` is called in a thread of its own, and returns then, too.

        With several threads the caller's own is the one that watches: whatever an application does to its thread, that
        one goes on.
        """
        self.loop = loop
        if self.threads == 1:
            threading.Thread(target=watch, name="watch", daemon=True).start()
            try:
                self._lead(0)
            finally:
                self.end()
            return
        sys.setswitchinterval(SWITCH)
        if not self.add_thread():
            raise RuntimeError("the system has no thread for the loop")
        self.add_thread()
        with self.lock:
            self._summon(None)
        watch()
        if self.failure:
            raise self.failure

    def end(self) -> None:
        """The loop is done."""
        self.ended = True
        self.alarm.release()

    def add_thread(self) -> bool:
        """One more, if there may be; False when there may not, or the system has none."""
        with self._hiring:
            number = len(self.desks)
            if number > self.threads + self.streams:
                return False
            self.desks.append(self.figures.desk(number))
            try:
                threading.Thread(target=self._live, args=(number,), name=f"crew {number}", daemon=True).start()
            except RuntimeError:  # the system has no more
                self.desks.pop()
                return False
        with self.lock:
            self._idle += 1
        return True

    def _live(self, number: int) -> None:
        while not self.ended:
            call = self._jobs.get()
            try:
                if call is None:
                    self._lead(number)
                else:
                    self._work(call, number)
            except Deposed:
                pass  # what it had in hand is with others now
            except BaseException as error:  # ours: it ends the process, by the thread that watches
                self.failure = error
                self.end()
                return

    def _lead(self, number: int) -> None:
        self.leader, self.desk = number, self.figures.desk(number)
        self.leader_thread = threading.get_ident()
        with self.lock:
            lost, self.lost = self.lost, []
        self.acts.take_over(lost)
        loop = self.loop
        while not loop.done:
            loop.turn()
        self.end()

    def _summon(self, job: Call | None) -> None:
        """Give a job to an idle thread; the caller has the lock and knows that there is one."""
        self._idle -= 1
        self._jobs.put(job)

    @property
    def spare(self) -> bool:
        """Whether somebody is there to take the lead."""
        return self._idle > 0

    # Calls that the leader runs.

    def enter(self, call: Call, line: bytes, now: float) -> bool:
        """The leader is about to run a call itself; False when it must not, and another thread will."""
        if self.threads == 1:
            now = time.monotonic()  # those before it in this turn of the loop may have taken their time
        elif self.busy >= self.threads or call.mount.pace.slow:
            self._submit(call, now)
            return False
        call.deadline = deadline = now + self.limits.request_timeout
        call.began = now
        self.desk.begin(line, call.connection.peer, now, deadline + self.limits.kill_timeout)
        self.count += 1
        if not self.count % SAMPLE:
            call.began = time.monotonic()
            self.timed = call
        self.call = call
        if self.resting:
            self.wake()
        return True

    def leave(self, call: Call) -> bool:
        """The call has returned; False when its thread is not the leader any more.

        RequestTimeout when that was on its way: then nothing has been done, and it comes once only.
        """
        if self.strayed:
            self._stop_stray(call)
        with self.lock:
            if call.expired:
                _take_back(call)
            if self.call is not call:
                self._let_go(call)
                return False
            self.call = None
            call.over = True
        self.desk.end()
        if self.timed is call:
            call.mount.pace.note(time.monotonic() - call.began)
        return True

    def depose(self, call: Call) -> None:
        """The leader's call lasts: let another thread lead."""
        with self.lock:
            if self.call is not call or not self._idle:
                return
            self._lose(call)

    def _lose(self, call: Call) -> None:
        self.call = None
        call.member, call.thread = self.leader, self.leader_thread
        self.running[call.member] = call
        self.busy += 1
        self.lost.append(call)
        self._summon(None)

    def returned(self, call: Call) -> None:
        """In a thread that has lost the lead: its call has returned."""
        self._hand_in(call)
        raise Deposed

    # Calls that other threads run.

    def _submit(self, call: Call, now: float) -> None:
        call.queued = now
        if self._idle < 2:
            self.add_thread()
        with self.lock:
            if self.busy < self.threads and self._idle:
                self.busy += 1
                self._summon(call)
            else:
                self.waiting.append(call)

    def _work(self, call: Call, number: int) -> None:
        """Run a call to its end; then those that have waited for a thread."""
        now = time.monotonic()
        call.began, call.member, call.thread = now, number, threading.get_ident()
        call.deadline = now + self.limits.request_timeout
        line = call.head.line.text.encode("latin-1")
        self.desks[number].begin(line, call.connection.peer, now, call.deadline + self.limits.kill_timeout)
        try:
            self.running[number] = call
            if self.resting:
                self.wake()
            self.acts.perform(call)
            self._over(call)
        except RequestTimeout as error:  # it came when the application was through already
            call.failed(error)
            self._over(call)
        self._hand_in(call)

    def _stop_stray(self, call: Call) -> NoReturn:
        """A child that an application has forked came back from its call, as if it were we."""
        self.acts.complain(f"{call.head.line.text!r}: the application forked, and the child returned: it is ended")
        os._exit(1)

    def _over(self, call: Call) -> None:
        """The call has returned.  RequestTimeout as with `leave`."""
        if self.strayed:
            self._stop_stray(call)
        with self.lock:
            if call.expired:
                _take_back(call)
            self._let_go(call)

    def _let_go(self, call: Call) -> None:
        """Its thread is idle in a moment: for one that waits, or for whatever comes.  The caller has the lock."""
        call.over = True
        self.running.pop(call.member, None)
        self._idle += 1
        if call.stream:
            self.streams -= 1
        elif self.waiting:
            self._summon(self.waiting.popleft())
        else:
            self.busy -= 1

    def set_apart(self, call: Call) -> None:
        """Its answer goes on and on: it does not count among the `threads` any more, while there are desks for more."""
        with self.lock:
            if call.over or call.stream or self.threads + self.streams >= DESKS - 1:
                return
            call.stream = True
            if self.threads == 1:  # it is not counted in the first place
                return
            self.streams += 1
            self.busy -= 1
        if self.waiting and not self.spare:
            self.add_thread()
        with self.lock:
            if self.waiting and self._idle and self.busy < self.threads:
                self.busy += 1
                self._summon(self.waiting.popleft())
        os.eventfd_write(self.bell, 1)  # there may be room for new connections

    def _hand_in(self, call: Call) -> None:
        self.desks[call.member].end()
        call.mount.pace.note(time.monotonic() - call.began)
        self.insist(call)

    # What a call asks of us.

    def outbox(self) -> Outbox:
        return Outbox(self.limits.reply_memory, self.limits.reply_spool)

    def given(self, call: Call) -> None:
        """A piece was put: a reply that goes on is not late."""
        if self.call is not call:
            self._renew(call, call.deadline)
            self.notice(call)
        elif self.threads == 1:
            self._aside(call, self.acts.transmit)

    def wait_for_room(self, call: Call) -> None:
        """The client is slower than the application: sleep until it has taken something."""
        if self.call is call and self.threads > 1:
            if not self.spare:
                self.add_thread()
            self.depose(call)
        if self.call is call:  # there is nobody else
            self._aside(call, self.acts.transmit_some)
            return
        assert call.box is not None
        deadline = self._stop_clock(call)
        self.notice(call)
        call.box.wait()
        self._renew(call, deadline)

    def _aside(self, call: Call, act: Callable[[Call], None]) -> None:
        """The only thread does the loop's work in the middle of a call: that is no part of the call."""
        deadline = self._stop_clock(call, aside=True)
        try:
            act(call)
        finally:
            self._renew(call, deadline)
            self.call = call

    def extended(self, call: Call, seconds: float) -> float:
        """See Request.extend; what has had its time gets no more."""
        now = time.monotonic()
        latest = call.began + max(self.limits.request_timeout, self.limits.request_timeout_max)
        wanted = min(now + seconds, latest)
        if seconds > 0 and wanted > call.deadline and not call.expired:
            self._set_deadline(call, wanted)
        return max(0.0, call.deadline - now)

    def _renew(self, call: Call, deadline: float) -> None:
        """From now on it has its time anew, or until `deadline` where that is later; not what has had its time."""
        call.renewed = now = time.monotonic()
        self._set_deadline(call, deadline if call.expired else max(deadline, now + self.limits.request_timeout))

    def _set_deadline(self, call: Call, deadline: float) -> None:
        call.deadline = deadline
        self.desk_of(call).extend(deadline + self.limits.kill_timeout)

    def _stop_clock(self, call: Call, *, aside: bool = False) -> float:
        """What comes now is not the application's time but the client's, which has limits of its own.

        Gives the deadline.  RequestTimeout when that is on its way: it comes now, or not before the clock goes again.
        """
        with self.lock:
            if call.expired:
                _take_back(call)
            deadline, call.deadline = call.deadline, NEVER
            if aside:
                self.call = None
        self.desk_of(call).extend(0.0)
        return deadline

    def desk_of(self, call: Call) -> Progress:
        """Where its thread notes it."""
        return self.desk if call.member < 0 else self.desks[call.member]

    def notice(self, call: Call) -> None:
        """Have the loop look at a call."""
        if not call.noticed:
            call.noticed = True
            self.noticed.append(call)
            os.eventfd_write(self.bell, 1)

    def insist(self, call: Call) -> None:
        """The same for certain: a RequestTimeout may have come just when its thread was about to ring."""
        call.noticed = True
        self.noticed.append(call)
        os.eventfd_write(self.bell, 1)

    def wake(self) -> None:
        """Whoever watches is needed."""
        self.resting = False
        self.alarm.release()

    # Time limits.

    def overdue(self, now: float) -> list[Call]:
        """Those that have waited for a thread for longer than they might have run; they wait no more."""
        with self.lock:
            late = [call for call in self.waiting if now - call.queued > self.limits.request_timeout]
            for call in late:
                self.waiting.remove(call)
                call.expired = call.over = True
        return late

    def expire(self, call: Call) -> None:
        """It has had its time: tell the application, once, and have the client told."""
        with self.lock:
            if call.over or call.expired or not (self.call is call or self.running.get(call.member) is call):
                return
            if time.monotonic() < call.deadline:  # it has been given more in this very moment
                return
            call.expired = True
            call.thread = call.thread or self.leader_thread
            _raise_in(call.thread, RequestTimeout)
        self.insist(call)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Have a thread raise at its next step in Python; None takes that back (PyThreadState_SetAsyncExc)."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), error and ctypes.py_object(error))


def _take_back(call: Call) -> None:
    _raise_in(call.thread, None)
