"""A mold: a process that holds the loaded applications of one generation and only forks workers from them.

Knows how to load, to freeze and to fork; knows nothing of what it loads, and serves nobody.
"""

from __future__ import annotations

import gc
import os
import signal
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from forkserver.log import capture
from forkserver.process import evidence, forking, hazards, kinship, loading, privileges, signals, will
from forkserver.process.hazards import Survey
from forkserver.process.lifeline import Lifeline
from forkserver.process.messages import Channel, Hazards, Loaded, Logs, NotSpawned, Quit, Refused, Spawn, discard
from forkserver.process.program import CannotLoad, Place, Program
from forkserver.process.scoreboard import Scoreboard, Word
from forkserver.process.sockets import Listener

if TYPE_CHECKING:
    from forkserver.config import Config


NOT_OURS = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGTERM,
)


@dataclass
class Mold:
    """The life of the process, from the master's fork on."""

    config: Config
    program: Program
    channel: Channel
    board: Scoreboard
    listeners: tuple[Listener, ...]
    let_go: Callable[[], None]  # the master's list of what is not for its children
    master: int  # its pid
    preload: bool  # else each worker loads for itself
    background: bool  # the error log has what applications print

    def main(self) -> None:
        """Let go of the master's things, become the user, load, then fork workers until the master hangs up."""
        self.let_go()
        # The keyboard's INT and QUIT reach the whole process group, as does a TERM of timeout(1), and logrotate may
        # signal every process of our name: what these mean is the master's to say, to the workers as well, which
        # inherit this.  Programs that an application executes do not, and whoever ends a process that one has forked,
        # as multiprocessing does by TERM, means it.
        signals.ignore(*NOT_OURS)
        os.register_at_fork(after_in_child=partial(signal.signal, signal.SIGTERM, signal.SIG_DFL))
        signals.release()
        try:
            privileges.drop(self.config.server.user, self.config.server.group)
            kinship.end_with(self.master)  # even while it loads: it holds the listeners
            before = Survey.take()
            loaded = loading.load(self.program, self.config) if self.preload else None
        except CannotLoad as error:
            self.channel.send(Refused(str(error)))
        except Exception:  # what the system will not have: the master refuses the generation
            self.channel.send(Refused(traceback.format_exc()))
        else:
            if self._bears_fork(before):
                gc.collect()
                gc.freeze()  # what is loaded stays out of the collector's sight, so that its pages stay shared
                kinship.outlive_parent()
                self.channel.send(Loaded())
                self._fork_on_demand(loaded)

    def _bears_fork(self, before: Survey) -> bool:
        """Whether workers are forked from what is loaded; the master is told of hazards in any case."""
        found = hazards.since(before)
        if not found:
            return True
        self.channel.send(Hazards(found))
        if self.config.server.preload == "auto":
            return False
        # The interpreter's own warning, at each fork, would say less than has been said already.
        warnings.filterwarnings("ignore", r".*multi-threaded, use of fork", DeprecationWarning)
        return True

    def _fork_on_demand(self, loaded: Any) -> None:
        while True:
            self.channel.wait()
            heard = self.channel.receive(1)  # what comes beside the next order is not for this worker
            if heard is None:
                self._orphaned()
                return
            for order, descriptors in heard:
                if isinstance(order, Quit):  # our workers are not ours, and live on
                    return
                if isinstance(order, Spawn):
                    self._spawn(loaded, order.seat, descriptors)
                elif isinstance(order, Logs):
                    capture(descriptors[1])
                discard(*descriptors)

    def _orphaned(self) -> None:
        """The line ended without a word: the master was killed.  The port is let go before anything else."""
        for listener in self.listeners:
            listener.socket.close()
        will.carry_out(self.board, self.config.limits.graceful_timeout)

    def _spawn(self, loaded: Any, seat: int, descriptors: tuple[int, ...]) -> None:
        """Fork twice, so that the worker loses its parent and becomes the master's own child (prctl(2), subreaper)."""

        def between() -> int:
            try:
                forking.fork(f"worker {seat}", lambda: self._work(loaded, seat, descriptors))
            except OSError as error:
                return error.errno or 1
            return 0

        try:
            _, status = os.waitpid(forking.fork("mold", between), 0)
            trouble = os.waitstatus_to_exitcode(status)
        except OSError as error:
            trouble = error.errno or 1
        if trouble:
            self.channel.send(NotSpawned(seat, os.strerror(trouble) if trouble > 0 else f"signal {-trouble}"))

    def _work(self, loaded: Any, seat: int, descriptors: tuple[int, ...]) -> None:
        """A worker's life.  It keeps its descriptors and the listeners; the mold's channel is not for it."""
        notes = evidence.keep_notes()
        self.channel.close()
        end, *logs = descriptors
        slot = self.board.slots[seat]
        slot.words[Word.PID] = os.getpid()
        loading.reseed()
        lifeline = Lifeline(Channel.adopt(end), *logs, notes=notes, background=self.background)
        place = Place(seat, slot, self.board, lifeline, self.listeners, *logs)
        try:
            self.program.serve(self.config, loaded if self.preload else loading.load(self.program, self.config), place)
        except CannotLoad as error:
            lifeline.refused(str(error))
        lifeline.close()
