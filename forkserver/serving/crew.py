"""The threads of one worker: who leads the loop, and who runs applications.

The leader runs an application's call itself, because handing it to another thread costs more than a fast call.  A call
that lasts loses it the lead: a spare thread takes the loop over, and the old leader, once its call has returned, hands
in the answer and becomes a spare.  Applications that are slow as a rule are given to a spare thread at once.  Knows
the course of a call through its thread; its time limits are kept in `deadlines.py`, and who has what in `roster.py`.
Knows nothing of sockets and of what is answered.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from forkserver.serving.call import Call
from forkserver.serving.deadlines import Deadlines
from forkserver.serving.outbox import Outbox
from forkserver.serving.roster import Part
from forkserver.serving.timeout import RequestTimeout, take_back

if TYPE_CHECKING:
    from forkserver.config.options import Limits
    from forkserver.serving.outside import Acts, Figures, Loop

SAMPLE = 16  # of so many calls that the leader runs one is timed; with one thread all are
SWITCH = 0.001  # seconds that a thread may keep the interpreter while others want it


class Deposed(BaseException):
    """The thread has lost the lead while it was in a call: nothing below it on the stack is its business any more."""


class Crew(Deadlines):
    """`threads` application calls at once, and one thread more, so that the loop always has one.

    With one thread there is nobody to take the lead, and it runs everything.
    """

    def __init__(self, threads: int, limits: Limits, figures: Figures) -> None:
        super().__init__(threads, limits, figures)
        self.loop: Loop
        self.acts: Acts
        self.lost: list[Call] = []  # by leaders, for the next one to take over
        self.leader = 0  # the number of its thread
        self.count = 0  # calls
        self.sample = SAMPLE if threads > 1 else 1
        self.timed: Call | None = None  # the one after which the clock is looked at
        self.resting = False  # whoever watches us sleeps until he is woken
        self.alarm = threading.Semaphore(0)
        self.strayed = False  # this is a process that an application has forked
        self.ended = False
        self.failure: BaseException | None = None  # what it ended by, when that was not an order

    # Threads.

    def run(self, loop: Loop, watch: Callable[[], None]) -> None:
        """Lead the loop until it is done; `watch` is called in a thread of its own, and returns then, too.

        With several threads the caller's own is the one that watches: whatever an application does to its thread, that
        one goes on.
        """
        self.loop = loop
        if self.threads == 1:
            self._run_alone(watch)
        else:
            sys.setswitchinterval(SWITCH)
            if not self.add_thread():
                raise RuntimeError("the system has no thread for the loop")
            self.add_thread()
            with self.lock:
                self.summon(Part.LEAD)
            watch()
        if self.failure:
            raise self.failure

    def _run_alone(self, watch: Callable[[], None]) -> None:
        """Lead in the caller's own thread."""
        threading.Thread(target=self._watch_over, args=(watch,), name="watch", daemon=True).start()
        try:
            self._lead(0)
        finally:
            self.end()

    def _watch_over(self, watch: Callable[[], None]) -> None:
        """In a thread of its own: without whoever watches no limit of time would hold, so its end is ours, too."""
        try:
            watch()
        except BaseException as error:  # ours
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """End by an error of ours, which is raised by `run`; the call that the leader is in may end first."""
        self.failure = error
        self.end()
        os.eventfd_write(self.bell, 1)

    def end(self) -> None:
        """The loop is done."""
        self.ended = True
        self.alarm.release()

    def live(self, number: int) -> None:
        while not self.ended:
            job = self._jobs.get()
            try:
                if job is Part.LEAD:
                    self._lead(number)
                elif job is Part.LEAVE:
                    self.left(number)
                    return
                else:
                    self._work(job, number)
            except Deposed:
                pass  # what it had in hand is with others now
            except BaseException as error:  # ours: it ends the process, by the main thread
                self._fail(error)
                return

    def _lead(self, number: int) -> None:
        self.leader, self.desk = number, self.figures.desk(number)
        self.leader_thread = threading.get_ident()
        with self.lock:
            lost, self.lost = self.lost, []
        self.acts.take_over(lost)
        loop = self.loop
        while not (loop.done or self.ended):
            loop.turn()
        self.end()

    def complain(self, why: str) -> None:
        self.acts.complain(why)

    # Calls that the leader runs.

    def enter(self, call: Call, line: bytes, now: float) -> bool:
        """The leader is about to run a call itself; False when it must not, and another thread will."""
        if (self.busy >= self.threads or call.mount.pace.slow) and self.threads > 1 and self.submit(call, now):
            return False
        self.count += 1
        if not self.count % self.sample:
            now = time.monotonic()
            self.timed = call
        call.deadline = deadline = now + self.limits.request_timeout
        call.began = now
        self.desk.begin(line, call.connection.peer, now, deadline + self.limits.kill_timeout)
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
                take_back(call.thread)
            if self.call is not call:
                self.let_go(call)
                return False
            self.call = None
            call.over = True
        self.desk.end()
        if self.timed is call:
            now = self.acts.tick()  # the loop stood still meanwhile, and what comes next is to have its own time
            if self.threads > 1:
                call.mount.pace.note(now - call.began)
        return True

    def depose(self, call: Call) -> None:
        """The leader's call lasts: let another thread lead."""
        with self.lock:
            if self.call is not call:
                return
            if self._idle:
                self._lose(call)
            else:  # the loop has to wait for it
                self.timed = call

    def _lose(self, call: Call) -> None:
        self.call = None
        call.member, call.thread = self.leader, self.leader_thread
        self.running[call.member] = call
        self.busy += 1
        self.lost.append(call)
        self.summon(Part.LEAD)

    def returned(self, call: Call) -> None:
        """In a thread that has lost the lead: its call has returned."""
        self._hand_in(call)
        raise Deposed

    # Calls that other threads run.

    def _work(self, call: Call, number: int) -> None:
        """Run a call to its end; then those that have waited for a thread."""
        if call.gone:  # its client did not want to wait for so long
            with self.lock:
                self.let_go(call)
            self.insist(call)
            return
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
                take_back(call.thread)
            self.let_go(call)

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
            if self.resting and not call.stream:  # it may be one from now on
                self.wake()
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

    def wake(self) -> None:
        """Whoever watches is needed."""
        self.resting = False
        self.alarm.release()
