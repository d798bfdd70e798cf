"""All streams of one worker: connections and datagrams that are not HTTP, each served at an address of its own.

What threads have to tell is brought to the loop here: the books, the log and epoll are its own.  Knows which stream is
meant; what becomes of a visitor is known to `stages.py`.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from forkserver.config.options import Limits
from forkserver.serving.accepting import Accepting
from forkserver.serving.clock import Clock
from forkserver.serving.crew import SWITCH
from forkserver.serving.ledger import Ledger
from forkserver.serving.receiving import Receiving
from forkserver.serving.stages import Stage, Stream
from forkserver.serving.visits import REFUSED, Desks, Visit

if TYPE_CHECKING:
    from forkserver.log import ErrorLog
    from forkserver.serving.outside import Figures

LAST = 0.25  # seconds that handlers are given to notice that their connection was ended as the worker leaves


class Hosting:
    """The streams of a worker; `count` is the number of connections and datagrams in hand."""

    def __init__(
        self,
        streams: Sequence[Stream],
        *,
        epoll: select.epoll,
        clock: Clock,
        ledger: Ledger,
        figures: Figures,
        limits: Limits,
        log: ErrorLog,
        give_up: Callable[[str], None],
    ) -> None:
        """`give_up` has this process replaced and is told why."""
        self.epoll, self.clock, self.ledger, self.figures = epoll, clock, ledger, figures
        self.limits, self.log, self.give_up = limits, log, give_up
        self.desks = Desks(figures)
        self.count = 0
        self.strayed = False  # this is a process that an application has forked
        self._told: deque[Callable[[], None]] = deque()  # by other threads, for the loop to do
        self._rung = False  # since the loop has begun to do it
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) if streams else -1
        self._ended_at = 0.0  # when those that were left were ended, as the worker leaves
        self.stages: list[Stage] = [(Receiving if one.datagram else Accepting)(one, self) for one in streams]
        self._at = {door.descriptor: stage for stage in self.stages for door in stage.doors.all()}

    # The loop's side.

    def open(self) -> None:
        """Start the applications and let visitors in."""
        if not self.stages:
            return
        sys.setswitchinterval(SWITCH)
        self.epoll.register(self._bell, select.EPOLLIN)
        host = _Host(self)
        for stage in self.stages:
            stage.app.start(stage.listeners(), host)
            stage.open()

    def ready(self, descriptor: int) -> None:
        """Something that the loop does not know by itself is ready."""
        if stage := self._at.get(descriptor):
            stage.ready(descriptor)
        elif descriptor == self._bell:
            os.eventfd_read(self._bell)
            self._rung = False  # before we look: what comes after that look rings anew
            for _ in range(len(self._told)):
                self._told.popleft()()

    @property
    def rests(self) -> bool:
        """Whether there is nothing to be looked after until somebody comes."""
        return not self.count and not any(stage.short for stage in self.stages)

    def sweep(self) -> None:
        for stage in self.stages:
            stage.sweep()

    def welcome(self, visit: Visit) -> bool:
        """Count a connection among its client's; False when those are too many."""
        most = self.limits.connections_per_client
        if not most or self.figures.hold(visit.peer[0], 1) <= most:
            return True
        visit.why, visit.status = "this client has too many connections", REFUSED
        self.log.info(f"{visit.peer[0]}: {visit.line}: {visit.why}: closed")
        return False

    def over(self, visit: Visit, *, logged: bool) -> None:
        """A visit has ended."""
        self.count -= 1
        if visit.desk:
            self.desks.give_back(visit.desk)
        if self.limits.connections_per_client and visit.socket:
            self.figures.hold(visit.peer[0], -1)
        exchange = visit.exchange(self.clock.wall)
        if logged:
            self.ledger.enter(exchange)
        else:
            self.ledger.count(exchange.sent)

    # The end.

    def leave(self, *, stopping: bool) -> None:
        """Let nobody in any more; `stopping`: nobody takes over."""
        for stage in self.stages:
            stage.leave(stopping=stopping)
        self._at = {}

    def dismiss(self, *, over: bool) -> bool:
        """Whether the worker, which leaves, has to wait for somebody; once it is `over`, whoever is left is ended."""
        if over and not self._ended_at:
            self._ended_at = self.clock.now
            for stage in self.stages:
                for visit in tuple(stage.visits):
                    stage.dismiss(visit, "did not finish in time", visit.status)
        return self.count > 0 and not (over and self.clock.now >= self._ended_at + LAST)

    # Of other threads.

    def tell(self, act: Callable[[], None]) -> None:
        """Have the loop do something."""
        self._told.append(act)
        if not self._rung and not self.strayed:
            self._rung = True
            os.eventfd_write(self._bell, 1)

    # In a child that an application has forked.

    def let_go(self) -> None:
        """What is ours must not be held open there; the handler that forked keeps its connection."""
        self.strayed = True
        for stage in self.stages:
            stage.let_go(threading.get_ident())

    def stop_stray(self, what: str) -> NoReturn:
        """It came back from its handler as if it were we."""
        self.log.error(f"{what}: the handler forked, and the child returned: it is ended")
        os._exit(1)


class _Host:
    """What applications see of us, from any thread."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting

    def error(self, text: str, *, traceback: str = "") -> None:
        self._hosting.log.error(text, traceback=traceback)

    def warning(self, text: str) -> None:
        self._hosting.log.warning(text)

    def give_up(self, why: str) -> None:
        self._hosting.tell(lambda: self._hosting.give_up(why))
