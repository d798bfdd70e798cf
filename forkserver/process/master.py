"""The master: signals and commands, and the loop around them.

It imports no user code, starts no thread, parses no HTTP: nothing that an application does can bring it down.
Who should live is known to `children.py`, how to bring that about to `pool.py`, what a reload is to `reloads.py`.
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
from forkserver.process.reloads import Reloads
from forkserver.process.report import Report
from forkserver.process.signals import Signals, ignore
from forkserver.process.trouble import Trouble

if TYPE_CHECKING:
    import socket

    from forkserver.config import Config
    from forkserver.log import ErrorLog

TICK = 1.0  # seconds between looks at log files and figures


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
        self.gifts, self.let_go = gifts, let_go
        self.selector = selectors.DefaultSelector()
        self.control = ControlServer(control_path, self.selector, self._obey)  # its bind is the lock
        self.signals = Signals(ACTIONS)
        ignore(signal.SIGUSR2)
        self.selector.register(self.signals, selectors.EVENT_READ, self._act_on_signals)
        self.pool = Pool(program, log, self.selector)
        self.trouble = Trouble(self.pool, log)
        self.report = Report(self.pool)
        self.reloads = Reloads(self.pool, self.report, log, notifier, gifts=gifts, announce=announce)
        self.pool.let_go, self.pool.failed, self.pool.buried = self._let_go, self.reloads.failed, self.report.buried
        kinship.adopt_orphans()  # workers lose their parents by design, see `mold.py`

    def run(self, config: Config, logs: Logs) -> int:
        """Serve until told to end; give the exit status: 0, or 1 when the first generation did not come up."""
        self.reloads.change(config, logs)
        tick = 0.0
        while not (self.pool.children.stopping and self.pool.empty):
            now = time.monotonic()
            if now >= tick:
                tick = now + self.notifier.pace(TICK)
                self._tick(now)
            if now >= self.trouble.due:
                self.trouble.look(now)
            self.pool.keep(now)
            if self.reloads.advance(now):
                continue  # the pool has new aims
            wait = min(tick, self.trouble.due, self.pool.next_deadline(now)) - time.monotonic()
            for key, _ in self.selector.select(max(0.0, wait)):
                if self.selector.get_map().get(key.fd) is key:  # an earlier one of this round may have closed it
                    key.data()
        self._end()
        return 1 if self.reloads.unable else 0

    def _tick(self, now: float) -> None:
        self.notifier.alive()
        self.control.listen_again()
        self.pool.reopen(moved=True)
        if self.pool.current and not self.pool.children.stopping:
            self._adapt(now)
            self.notifier.say(self.report.figures(now))

    def _adapt(self, now: float) -> None:
        """Have as many workers as the load asks for."""
        children = self.pool.children
        if not children.adapts:
            return
        before = children.want
        if complaint := children.adapt(now, self.pool.busy(now)):
            self.log.warning(complaint)
        if children.want != before:
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
        self.reloads.give_up("the server is stopping")

    def hang_up(self) -> None:
        """HUP: reload; nobody is told but the log."""
        self.reloads.ask(lambda answer: None)

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
        want = self.pool.children.want
        self.log.info(f"{want} worker{'s' if want > 1 else ''} wanted")

    def reap(self) -> None:
        """CHLD."""
        self.pool.reap()

    # The control socket.

    def _obey(self, command: dict[str, Any], reply: Reply) -> None:
        known: dict[str, Callable[[], None]] = {
            "status": lambda: reply(self.report.status()),
            "reload": lambda: self.reloads.ask(reply),
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
