"""A crew at work without sockets: a loop whose turns are given to it one by one, and calls that do what a test says."""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from forkserver.config.options import Limits
from forkserver.http.request import Asked, Ends
from forkserver.http.response import Response
from forkserver.serving import call as call_module
from forkserver.serving import crew as crew_module
from forkserver.serving import deadlines as deadlines_module
from forkserver.serving import outbox as outbox_module
from forkserver.serving import roster as roster_module
from forkserver.serving.call import Call
from forkserver.serving.crew import Crew
from forkserver.serving.pace import Pace
from forkserver.serving.roster import Part
from forkserver.serving.routing import Mount
from forkserver.serving.timeout import RequestTimeout
from tests.serving.fakes import FakeApp, head_of

PATIENCE = 30.0  # seconds; never waited for unless something is wrong
TRACED = (call_module, crew_module, deadlines_module, outbox_module, roster_module)
OURS = {module.__file__ for module in TRACED} | {__file__}


class FakeDesk:
    """Remembers which thread wrote to it, and the last deadline."""

    def __init__(self) -> None:
        self.line, self.deadline, self.steps, self.lasting = b"", 0.0, 0, False
        self.writers: set[int] = set()

    def begin(self, line: bytes, client: str, now: float, deadline: float) -> None:
        self.line, self.deadline = line, deadline
        self.writers.add(threading.get_ident())

    def end(self) -> None:
        self.line = b""
        self.writers.add(threading.get_ident())

    def extend(self, deadline: float) -> None:
        self.deadline = deadline

    def note(self, steps: int) -> None:
        self.steps = steps

    def lasts(self) -> None:
        self.lasting = True


class FakeFigures:
    def __init__(self) -> None:
        self.desks: dict[int, FakeDesk] = {}

    def desk(self, number: int) -> FakeDesk:
        return self.desks.setdefault(number, FakeDesk())

    def hold(self, client: str, change: int) -> int:
        raise AssertionError("a crew counts no clients")

    def count(self, connections: int, requests: int, sent: int) -> None:
        raise AssertionError("a crew counts no connections")


class Steady(Pace):
    """What a test says that it is, however long calls take."""

    def note(self, seconds: float) -> None:
        pass


class FakeConnection:
    ends = Ends(("192.0.2.1", 1234), ("192.0.2.2", 80))
    peer = "192.0.2.1"


class Steps:
    """Has something done, by another thread, just before the n-th step of a call's thread through the crew's code.

    A step is one of the interpreter's; those while the crew's lock is taken are not counted, as others wait for it.
    What is raised in the thread by others comes at its very next step, which is earlier than the interpreter would have
    it, and in more places: `raise_in` and `take_back` stand in for that.
    """

    def __init__(self, number: int, lock: threading.Lock, act: Callable[[], None]) -> None:
        self.left, self.lock, self.act = number, lock, act
        self.pending: dict[int, type[BaseException]] = {}
        self.told: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._act, daemon=True)
        self.thread.start()

    @property
    def reached(self) -> bool:
        return self.left <= 0

    def _act(self) -> None:
        self.told.get()
        self.act()
        self.done.put(None)

    def release(self) -> None:
        """End the other thread."""
        if not self.reached:
            self.told.put(None)
        self.thread.join(PATIENCE)

    def raise_in(self, thread: int, error: type[BaseException]) -> None:
        self.pending[thread] = error

    def take_back(self, thread: int) -> None:
        self.pending.pop(thread, None)

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        """For sys.settrace."""
        if frame.f_code.co_filename not in OURS or frame.f_code.co_name == "watched":
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._step

    def _step(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "opcode" and not self.reached and not self.lock.locked():
            self.left -= 1
            if self.reached:
                self.told.put(None)
                self.done.get()
        if event == "opcode" and (error := self.pending.pop(threading.get_ident(), None)):
            raise error
        return self._step


@contextmanager
def watched(steps: Steps | None) -> Iterator[None]:
    """Let the steps of this thread be counted."""
    if steps:
        sys.settrace(steps.trace)
    try:
        yield
    finally:
        if steps:
            sys.settrace(None)


Deed = Callable[[Call], Any]


class Troupe:
    """A crew with its loop, in threads of their own; what is done in a turn of the loop is said by `turn`."""

    def __init__(self, threads: int, limits: Limits | None = None) -> None:
        self.figures = FakeFigures()
        self.crew = Crew(threads, limits or Limits(), self.figures)
        acts: Any = self
        self.crew.acts = acts
        self.steps: Steps | None = None  # when somebody wants to come between
        self.crew._work = self._work  # type: ignore[method-assign]
        self.done = False
        self.turns: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.deeds: dict[Call, Deed] = {}
        self.answered: queue.SimpleQueue[Call] = queue.SimpleQueue()  # by the leader itself
        self.taken_over: list[Call] = []
        self.complaints: list[str] = []
        self.ticks = 0  # times that the loop looked at the clock because of a call
        self.raised: BaseException | None = None
        self.response = Response(200)
        self.mount = Mount("", "", FakeApp(lambda request: self.response), Steady())
        self.others = {*threading.enumerate()}
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Troupe:
        self.thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.end()

    def end(self) -> None:
        self.turns.put(None)
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        for _ in range(self.crew.hired):  # whoever is without a job leaves
            self.crew._jobs.put(Part.LEAD)
        for thread in {*threading.enumerate()} - self.others:
            if thread.name.startswith("crew "):
                thread.join(PATIENCE)
                assert not thread.is_alive()
        os.close(self.crew.bell)

    def _run(self) -> None:
        try:
            self.crew.run(self, self._watch)
        except BaseException as error:
            self.raised = error

    def _watch(self) -> None:
        """Nobody looks at the clock but the test itself."""
        while not self.crew.ended:
            self.crew.alarm.acquire()

    # The loop.

    def turn(self) -> None:
        job = self.turns.get()
        if job is None:
            self.done = True
        else:
            job()

    def lead(self, job: Callable[[], Any]) -> Any:
        """Have the leader do something, and wait for what comes of it."""
        results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.turns.put(lambda: results.put(job()))
        return results.get(timeout=PATIENCE)

    # What a test does.

    @property
    def goes_on(self) -> bool:
        """Fails when the crew has ended."""
        assert not self.crew.ended, f"the crew ended: {self.crew.failure!r}"
        return True

    def call(self, deed: Deed) -> Call:
        connection: Any = FakeConnection()
        call = Call(Asked(head_of(), "", "/"), b"", time.time(), connection, self.mount, self.crew)
        self.deeds[call] = deed
        return call

    def begin(self, call: Call) -> None:
        """In the leader's thread: as Calls.begin, with nothing to send."""
        with watched(None if self.mount.pace.slow else self.steps):  # one thread's are counted
            if not self._begin(call):
                return
        self.answered.put(call)

    def _begin(self, call: Call) -> bool:
        crew = self.crew
        try:
            if not crew.enter(call, b"GET / HTTP/1.1", time.monotonic()):
                return False
            self.perform(call)
            leads = crew.leave(call)
        except RequestTimeout:
            leads = crew.leave(call)
        if not leads:
            crew.returned(call)
        return True

    def _work(self, call: Call, number: int) -> None:
        with self.crew.lock:  # whoever gave us the call has let go of it, and steps are counted from the first one on
            pass
        with watched(self.steps):
            Crew._work(self.crew, call, number)

    def ask(self, deed: Deed) -> Call:
        """Have the leader begin a call."""
        call = self.call(deed)
        self.turns.put(lambda: self.begin(call))
        return call

    def noticed(self) -> list[Call]:
        """Wait for the bell; all that want to be looked at."""
        assert select.select([self.crew.bell], [], [], PATIENCE)[0], "the bell does not ring"
        os.eventfd_read(self.crew.bell)
        noticed = self.crew.noticed
        calls = [noticed.popleft() for _ in range(len(noticed))]
        for call in calls:
            call.noticed = False
        return calls

    # What the crew does with calls.

    def perform(self, call: Call) -> None:
        try:
            self.deeds.pop(call)(call)
        except RequestTimeout as error:
            call.failed(error)

    def complain(self, why: str) -> None:
        self.complaints.append(why)

    def tick(self) -> float:
        self.ticks += 1
        return time.monotonic()

    def take_over(self, calls: list[Call]) -> None:
        self.taken_over += calls

    def transmit(self, call: Call) -> None:
        """The client takes all that there is."""
        assert call.box
        while call.box.take():
            pass

    def transmit_some(self, call: Call) -> None:
        self.transmit(call)


class Blocked:
    """A deed that goes on until it is let go."""

    def __init__(self) -> None:
        self.inside, self.let = threading.Event(), threading.Event()
        self.thread = 0

    def __call__(self, call: Call) -> None:
        self.thread = threading.get_ident()
        self.inside.set()
        assert self.let.wait(PATIENCE)

    def wait(self) -> None:
        assert self.inside.wait(PATIENCE), "nobody began it"
