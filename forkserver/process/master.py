"""The master: signals, commands and reloads, and the loop around them.

It imports no user code, starts no thread, parses no HTTP: nothing that an application does can bring it down.
Who should live is known to `children.py`, how to bring that about to `pool.py`, the steps of a reload to
`transition.py`.
"""

from __future__ import annotations

import selectors
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from forkserver.process import kinship
from forkserver.process.control import ControlServer, Reply
from forkserver.process.generation import Logs
from forkserver.process.notify import Notifier
from forkserver.process.pool import Pool
from forkserver.process.program import Program
from forkserver.process.report import Report
from forkserver.process.signals import Signals, ignore
from forkserver.process.transition import CannotChange, Transition
from forkserver.process.trouble import Trouble

if TYPE_CHECKING:
    import socket

    from forkserver.config import Config
    from forkserver.log import ErrorLog

TICK = 1.0  # seconds between looks at log files, request limits and figures


class Master:
    """The first process and the last one."""

    def __init__(
        self,
        program: Program,
        log: ErrorLog,
        notifier: Notifier,
        *,
        control_path: str,
        gifts: dict[str, list[socket.socket]],
        announce: Callable[[str], None],
        let_go: Callable[[], None],
    ) -> None:
        """`gifts` are sockets that were passed in, by name.

        `announce` is called once: with "" when the server serves, or with the reason why it will not.  `let_go` is
        called in each child, to close what is its caller's.  OSError when the control socket cannot be had.
        """
        self.program, self.log, self.notifier = program, log, notifier
        self.gifts, self.announce, self.let_go = gifts, announce, let_go
        self.selector = selectors.DefaultSelector()
        self.control = ControlServer(control_path, self.selector, self._obey)  # its bind is the lock
        self.signals = Signals(ACTIONS)
        ignore(signal.SIGUSR2)
        self.selector.register(self.signals, selectors.EVENT_READ, self._act_on_signals)
        self.pool = Pool(program, log, self.selector)
        self.trouble = Trouble(self.pool, log)
        self.report = Report(self.pool)
        self.pool.let_go, self.pool.failed, self.pool.buried = self._let_go, self._failed, self.report.buried
        self.transition: Transition | None = None
        self.asking: list[Reply] = []  # for the reload under way
        self.waiting: list[Reply] = []  # for the one after it
        self.status: int | None = None  # the exit status, once it is known
        kinship.adopt_orphans()  # workers lose their parents by design, see `mold.py`

    def run(self, config: Config, logs: Logs) -> int:
        """Serve until told to end; give the exit status: 0, or 1 when the first generation did not come up."""
        self._change(config, logs)
        tick = 0.0
        while not (self.pool.children.stopping and self.pool.empty):
            now = time.monotonic()
            if now >= tick:
                tick = now + self.notifier.pace(TICK)
                self._tick(now)
            self.pool.keep(now)
            if self._advance(now):
                continue  # the pool has new aims
            wait = min(tick, self.pool.next_deadline(now)) - time.monotonic()
            for key, _ in self.selector.select(max(0.0, wait)):
                if self.selector.get_map().get(key.fd) is key:  # an earlier one of this round may have closed it
                    key.data()
        self._end()
        return self.status or 0

    def _tick(self, now: float) -> None:
        self.notifier.alive()
        self.control.listen_again()
        self.trouble.look(now)
        self.pool.reopen(moved=True)
        if self.pool.current and not self.pool.children.stopping:
            self._adapt(now)
            self.notifier.say(self.report.figures(now))

    def _adapt(self, now: float) -> None:
        """Have as many workers as the load asks for."""
        before = self.pool.children.want
        if complaint := self.pool.children.adapt(now, self.pool.busy()):
            self.log.warning(complaint)
        if self.pool.children.want != before:
            self._say_how_many()

    def _let_go(self) -> None:
        """In a child: close what is the master's alone."""
        self.signals.close()
        self.control.let_go()
        for given in self.gifts.values():
            for one in given:
                one.close()
        self.let_go()

    def _end(self) -> None:
        """Nobody is left; what applications have left running is not ours to wait for."""
        self.control.close()
        self.signals.close()
        self.selector.close()

    # Signals.

    def _act_on_signals(self) -> None:
        for number in self.signals.read():
            ACTIONS[number](self)

    def stop(self) -> None:
        """TERM: no new connections; what is in flight is answered, up to `graceful_timeout`."""
        self._begin_end("stopping: finishing what is in flight", self.pool.drain)

    def quit(self) -> None:
        """INT, QUIT: now."""
        self._begin_end("ending now", self.pool.quit)

    def _begin_end(self, words: str, end: Callable[[], None]) -> None:
        self.log.info(words)
        self.notifier.stopping()
        self.notifier.say(words)
        end()
        self._give_up("the server is stopping")

    def _give_up(self, why: str) -> None:
        """A transition under way comes to nothing, and none will follow; whoever asked is told."""
        if self.transition:
            self.transition.undo()
            self.transition = None
        asking, self.asking, self.waiting = self.asking + self.waiting, [], []
        for reply in asking:
            reply({"ok": False, "why": why})
        self._announce(why)

    def _announce(self, why: str) -> None:
        """The first word counts."""
        announce, self.announce = self.announce, lambda why: None
        announce(why)

    def hang_up(self) -> None:
        """HUP: reload; nobody is told but the log."""
        self.reload(lambda answer: None)

    def reopen(self) -> None:
        """USR1: whoever rotates the logs has renamed them."""
        self.pool.reopen()

    def more(self) -> None:
        """TTIN: one worker more."""
        self.pool.children.move(1)
        self._say_how_many()

    def fewer(self) -> None:
        """TTOU: one worker less; the last one stays."""
        self.pool.children.move(-1)
        self._say_how_many()

    def _say_how_many(self) -> None:
        self.log.info(f"{self.pool.children.want} workers wanted")

    def reap(self) -> None:
        """CHLD."""
        self.pool.reap()

    # Reloads.

    def reload(self, reply: Reply) -> None:
        """Take the configuration anew; one at a time, and those who ask meanwhile share the next."""
        if self.pool.children.stopping:
            reply({"ok": False, "why": "the server is stopping"})
        elif self.transition:
            self.waiting.append(reply)
        else:
            self.asking = [reply]
            self._begin_reload()

    def _begin_reload(self) -> None:
        self.log.info("reloading")
        self.notifier.reloading()
        try:
            config = self.program.configure()
        except Exception as error:  # a configuration may be wrong in any way; the old one serves on
            self._refuse(str(error))
            return
        self._change(config, None)

    def _change(self, config: Config, logs: Logs | None) -> None:
        try:
            self.transition = Transition(self.pool, config, logs, self.gifts, time.monotonic())
        except CannotChange as error:
            self._refuse(str(error))

    def _advance(self, now: float) -> bool:
        """Take the next step of a transition; False when none is due."""
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
        self.log.configure(current.config.log.error, current.logs.error.descriptor, current.config.log.level)
        where = ", ".join(listener.name for listener in current.listeners)
        want = self.pool.children.want
        self.log.info(f"generation {current.number} serves at {where} with {want} worker{'s' if want > 1 else ''}")
        self.report.last_refusal = ""
        self.notifier.ready(self.report.figures(time.monotonic()))
        self._announce("")

    def _settled(self) -> None:
        """The new generation is whole and the older ones accept no more: now it is true for whoever asked."""
        self.transition = None
        self.report.reloads += bool(self.asking)
        self._answer({"ok": True, "generation": self.pool.children.generation})

    def _failed(self, generation: int, why: str) -> None:
        """The pool could not bring a generation up; the current one has other means."""
        if self.transition and self.transition.generation.number == generation and not self.transition.promoted:
            self._refuse(why)
        else:
            self.log.error(f"the applications cannot be loaded again: {why}", lines=True)

    def _refuse(self, why: str) -> None:
        """A reload, or the start, came to nothing; whoever asked is told why."""
        if self.transition:
            self.transition.undo()
            self.transition = None
        if self.pool.current:
            self.log.error(f"reload refused: {why}", lines=True)
            self.report.last_refusal = why
            self.notifier.ready(self.report.figures(time.monotonic()))
            self._answer({"ok": False, "why": why})
            return
        self.log.error(f"cannot start: {why}", lines=True)
        self.status = 1
        self.pool.drain()
        self._give_up(why)

    def _answer(self, answer: dict[str, Any]) -> None:
        asking, self.asking = self.asking, []
        for reply in asking:
            reply(answer)
        if self.waiting:
            self.asking, self.waiting = self.waiting, []
            self._begin_reload()

    # The control socket.

    def _obey(self, command: dict[str, Any], reply: Reply) -> None:
        known: dict[str, Callable[[], None]] = {
            "status": lambda: reply(self.report.status()),
            "reload": lambda: self.reload(reply),
            "config": lambda: reply(self._shown()),
        }
        act = known.get(str(command.get("command")))
        if act:
            act()
        else:
            reply({"ok": False, "why": f"unknown command; known are {', '.join(known)}"})

    def _shown(self) -> dict[str, Any]:
        if self.pool.current is None:
            return {"ok": False, "why": "nothing serves yet"}
        return {"ok": True, "text": self.program.show(self.pool.current.config)}


STEPS: dict[str, Callable[[Master], None]] = {
    "auditioned": lambda master: None,
    "promoted": Master._promoted,
    "settled": Master._settled,
}

ACTIONS: dict[signal.Signals, Callable[[Master], None]] = {
    signal.SIGTERM: Master.stop,
    signal.SIGINT: Master.quit,
    signal.SIGQUIT: Master.quit,
    signal.SIGHUP: Master.hang_up,
    signal.SIGUSR1: Master.reopen,
    signal.SIGTTIN: Master.more,
    signal.SIGTTOU: Master.fewer,
    signal.SIGCHLD: Master.reap,
}
