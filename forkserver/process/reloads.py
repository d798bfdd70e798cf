"""Reloads, one at a time: who asked, how far it is, and what whoever asked is told; the first start is one, too.

The steps themselves are known to `transition.py`.  Knows nothing of signals, sockets and commands: an answer is
something to be called.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from forkserver.process.control import Reply
from forkserver.process.generation import Logs
from forkserver.process.notify import Notifier
from forkserver.process.pool import Pool
from forkserver.process.report import Report
from forkserver.process.transition import CannotChange, Transition

if TYPE_CHECKING:
    import socket

    from forkserver.config import Config
    from forkserver.log import ErrorLog


class Reloads:
    """The one under way, and those that wait for it."""

    def __init__(
        self,
        pool: Pool,
        report: Report,
        log: ErrorLog,
        notifier: Notifier,
        *,
        gifts: dict[str, list[socket.socket]],
        announce: Callable[[str], None],
    ) -> None:
        """`announce` is called once: with "" when the first generation serves, or with the reason why it will not."""
        self.pool, self.report, self.log, self.notifier = pool, report, log, notifier
        self.gifts, self._announce = gifts, announce
        self.transition: Transition | None = None
        self.asking: list[Reply] = []  # for the reload under way
        self.waiting: list[Reply] = []  # for the one after it
        self.unable = False  # to start: the first generation did not come up

    def ask(self, reply: Reply) -> None:
        """Take the configuration anew; those who ask while it is being done share the next time."""
        if self.pool.children.stopping:
            reply({"ok": False, "why": "the server is stopping"})
        elif self.transition:
            self.waiting.append(reply)
        else:
            self.asking = [reply]
            self._begin()

    def _begin(self) -> None:
        self.log.info("reloading")
        self.notifier.reloading()
        try:
            config = self.pool.program.configure()
        except Exception as error:  # a configuration may be wrong in any way; the old one serves on
            self._refuse(str(error))
            return
        self.change(config, None)

    def change(self, config: Config, logs: Logs | None) -> None:
        """Begin to put up a generation; `logs` are its files, if they are open already."""
        try:
            self.transition = Transition(self.pool, config, logs, self.gifts, time.monotonic())
        except CannotChange as error:
            self._refuse(str(error))

    def advance(self, now: float) -> bool:
        """Take the next step; False when none is due."""
        if not self.transition:
            return False
        try:
            step = self.transition.advance(now)
        except CannotChange as error:
            self._refuse(str(error))
            return True
        if step:
            STEPS[step](self)
        return step is not None

    def _promoted(self) -> None:
        assert self.pool.current is not None
        current = self.pool.current
        current.logs.capture()
        self.log.configure(current.config.log.error, current.logs.error.descriptor, current.config.log.level)
        where = ", ".join(listener.name for listener in current.listeners)
        want = self.pool.children.want
        self.log.info(f"generation {current.number} serves at {where} with {want} worker{'s' if want > 1 else ''}")
        self.report.last_refusal = ""
        self.notifier.ready(self.report.figures(time.monotonic()))
        self.announce("")

    def _settled(self) -> None:
        """The new generation is whole and the older ones accept no more: now it is true for whoever asked."""
        self.transition = None
        self.report.reloads += bool(self.asking)
        self._answer({"ok": True, "generation": self.pool.children.generation})

    def failed(self, generation: int, why: str) -> None:
        """The pool could not bring a generation up; the current one has other means."""
        if self.transition and self.transition.generation.number == generation and not self.transition.promoted:
            self._refuse(why)
        else:
            self.log.error(f"the applications cannot be loaded again: {why}", lines=True)

    def _refuse(self, why: str) -> None:
        """It came to nothing; whoever asked is told why."""
        self._undo()
        if self.pool.current:
            self.log.error(f"reload refused: {why}", lines=True)
            self.report.last_refusal = why
            self.notifier.ready(self.report.figures(time.monotonic()))
            self._answer({"ok": False, "why": why})
            return
        self.log.error(f"cannot start: {why}", lines=True)
        self.unable = True
        self.pool.drain()
        self.give_up(why)

    def _undo(self) -> None:
        if self.transition:
            self.transition.undo()
            self.transition = None

    def _answer(self, answer: dict[str, Any]) -> None:
        asking, self.asking = self.asking, []
        for reply in asking:
            reply(answer)
        if self.waiting:
            self.asking, self.waiting = self.waiting, []
            self._begin()

    def give_up(self, why: str) -> None:
        """What is under way comes to nothing, and nothing will follow; whoever asked is told."""
        self._undo()
        asking, self.asking, self.waiting = self.asking + self.waiting, [], []
        for reply in asking:
            reply({"ok": False, "why": why})
        self.announce(why)

    def announce(self, why: str) -> None:
        """Tell whoever started the server; the first word counts."""
        announce, self._announce = self._announce, lambda why: None
        announce(why)


STEPS: dict[str, Callable[[Reloads], None]] = {
    "auditioned": lambda reloads: None,
    "promoted": Reloads._promoted,
    "settled": Reloads._settled,
}
