"""A reload as a transaction, step by step; the first start is the same with nothing before it.

Listeners bound, logs opened, a new mold has loaded the applications, its first worker is ready: only then is the new
generation the current one and the old one drains.  Any failure before that leaves everything as it was.  Knows the
order of the steps; what each of them takes is known to `sockets.py`, `generation.py`, `pool.py` and `molds.py`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from forkserver.process.children import SERVING
from forkserver.process.generation import Generation, Logs
from forkserver.process.loading import LOAD_LIMIT
from forkserver.process.pool import Pool
from forkserver.process.sockets import CannotListen, Listener, open_listeners

if TYPE_CHECKING:
    import socket

    from forkserver.config import Config

SETTLE_LIMIT = 30.0  # seconds for the workers to change over; whoever asked, or asks next, waits no longer than that


class CannotChange(Exception):  # noqa: N818 - reads as the sentence it prints
    """The new generation cannot be put up; the text says why, and nothing has changed."""


class Transition:
    """From the current generation to the one of a new configuration."""

    def __init__(
        self, pool: Pool, config: Config, logs: Logs | None, gifts: dict[str, list[socket.socket]], now: float
    ) -> None:
        """Bind, open and fork a mold.  CannotChange when one of these fails."""
        self.pool = pool
        self.old = pool.current
        self.limit = now + LOAD_LIMIT
        self.promoted = False
        listeners = self._open_listeners(config, gifts)
        try:
            logs = logs or self._open_logs(config)
        except OSError as error:
            _close_but(listeners, self._kept)
            raise CannotChange(f"cannot write the log {error.filename}: {error.strerror}") from error
        number = pool.children.generation + 1
        while number in {child.generation for child in pool.children.by_seat.values()}:
            number += 1  # a refused candidate's worker may still be on its way out
        self.generation = Generation(number, config, listeners, logs)
        pool.generations[number] = self.generation
        try:
            pool.molds.start(self.generation)
        except OSError as error:
            self.undo()
            raise CannotChange(f"no process to load the applications in: {error.strerror}") from error

    @property
    def _kept(self) -> list[Listener]:
        """The listeners that were there before."""
        return self.old.listeners if self.old else []

    def _open_listeners(self, config: Config, gifts: dict[str, list[socket.socket]]) -> list[Listener]:
        try:
            return open_listeners(config.server.listen, config.server.backlog, self._kept, gifts)
        except CannotListen as error:
            raise CannotChange(f"cannot listen on {error}") from error

    def _open_logs(self, config: Config) -> Logs:
        """The files of before, when they are the same: one file, one descriptor."""
        background = self.old is not None and self.old.logs.background
        if self.old and self.old.logs.destinations() == Logs.wanted(config, background=background):
            return self.old.logs
        return Logs.open(config, background=background)

    def advance(self, now: float) -> str | None:
        """Take the next step if it is due; give its name: "auditioned", "promoted" or "settled".

        CannotChange when the new generation came up too slowly.
        """
        children = self.pool.children
        if self.promoted:
            # The old mold, too, holds the listeners: until it has gone, one that was dropped is not closed.
            alone = self.pool.molds.living.keys() <= {self.generation.mold}
            return "settled" if (children.settled() and alone) or now >= self.limit else None
        if now >= self.limit:
            raise CannotChange(f"the applications did not load within {LOAD_LIMIT:g} s")
        if children.candidate is None and self.generation.loaded:
            children.audition(self.generation.number)
            return "auditioned"
        serving = (c for c in children.by_seat.values() if c.life in SERVING)
        if any(child.generation == children.candidate for child in serving):
            self._promote()
            self.limit = now + SETTLE_LIMIT
            return "promoted"
        return None

    def _promote(self) -> None:
        """The point of no return."""
        config = self.generation.config
        self.promoted = True
        self.pool.children.promote(config.server.workers, config.limits.graceful_timeout)
        if not self.old:
            return
        self.pool.molds.hang_up(self.old)
        _close_but(self.old.listeners, self.generation.listeners)
        if self.old.logs is not self.generation.logs:
            self.old.logs.close()
        del self.pool.generations[self.old.number]

    def undo(self) -> None:
        """Take the new generation down again, unless it is the current one already."""
        if self.promoted:
            return
        for action in self.pool.children.dismiss(time.monotonic()):
            self.pool.carry_out(action)
        self.pool.molds.hang_up(self.generation)
        _close_but(self.generation.listeners, self._kept)
        if self.old and self.old.logs is not self.generation.logs:
            self.generation.logs.close()
        self.pool.generations.pop(self.generation.number, None)


def _close_but(listeners: list[Listener], kept: list[Listener]) -> None:
    """Close those of the listeners whose socket is not among the kept ones."""
    sockets = {listener.socket for listener in kept}
    for listener in listeners:
        if listener.socket not in sockets:
            listener.close()
