"""The molds as the master's children: forked, heard, replaced and ended.

Knows the messages of molds; knows nothing of workers, and not when a generation begins or ends.
"""

from __future__ import annotations

import selectors
import time
from typing import TYPE_CHECKING

from forkserver.process import messages
from forkserver.process.forking import ending, kill
from forkserver.process.generation import Generation
from forkserver.process.messages import Garbled

if TYPE_CHECKING:
    from forkserver.process.pool import Pool

QUIT_LIMIT = 2.0  # seconds that a mold has to end by itself
PAUSE = 1.0  # seconds before a mold that died is made anew; twice as long each time that it does not come up
LONGEST_PAUSE = 60.0


class Molds:
    """One for each generation, and those of older ones that are on their way out."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.log, self.selector = pool, pool.log, pool.selector
        self.living: dict[int, float] = {}  # by pid, with the time by which they must have gone
        self.due = 0.0  # when one that died may be made anew
        self.pause = PAUSE

    def keep(self, now: float) -> None:
        """Do what is to be done at this moment."""
        if self._lacking() and now >= self.due and (current := self.pool.current):
            self._start_again(current)
        for pid in [pid for pid, limit in self.living.items() if now >= limit]:
            kill(pid)
            self.living[pid] = float("inf")

    def next_deadline(self) -> float:
        """When `keep` has something to do even if nothing happens."""
        return min(self.due if self._lacking() else float("inf"), *self.living.values(), float("inf"))

    def _lacking(self) -> bool:
        current = self.pool.current
        return bool(current and not current.mold and not self.pool.children.stopping)

    def start(self, generation: Generation) -> None:
        """Fork the generation's mold and listen to it.  OSError when the system refuses."""
        pool = self.pool
        channel = generation.start_mold(pool.program, pool.board, lambda: pool.leave_behind(generation))
        self.living[generation.mold] = float("inf")
        self.selector.register(channel, selectors.EVENT_READ, lambda: self._hear(generation))

    def _start_again(self, generation: Generation) -> None:
        try:
            self.start(generation)
        except OSError as error:
            self._died(generation, f"could not be forked: {error.strerror}")

    def hang_up(self, generation: Generation) -> None:
        """A mold is needed no more: it ends when its line does, and one that is still loading is ended at once."""
        if generation.mold:
            now = time.monotonic()
            self.living[generation.mold] = now + QUIT_LIMIT if generation.loaded else now
        if generation.channel:
            generation.channel.send(messages.Quit())
        self._close_channel(generation)
        generation.mold = 0

    def _close_channel(self, generation: Generation) -> None:
        if generation.channel:
            self.selector.unregister(generation.channel)
            generation.channel.close()
        generation.channel, generation.loaded = None, False

    # What they say, and how they end.

    def _hear(self, generation: Generation) -> None:
        assert generation.channel is not None
        try:
            heard = generation.channel.receive()
        except Garbled as error:
            self.log.error(f"mold {generation.number} said {error}: killed")
            kill(generation.mold)
            heard = None
        if heard is None:  # its death is reported when it is reaped
            self._close_channel(generation)
            return
        for message, beside in heard:
            messages.discard(*beside)
            self._understand(generation, message)

    def _understand(self, generation: Generation, message: messages.Message) -> None:
        if isinstance(message, messages.Loaded):
            generation.loaded = True
            self.pause = PAUSE
        elif isinstance(message, messages.Hazards):
            self._meet_hazards(generation, message.found)
        elif isinstance(message, messages.NotSpawned):
            self.log.error(f"worker {message.seat} could not be forked: {message.why}")
        elif isinstance(message, messages.Refused):
            self.log.debug(f"mold {generation.number} could not load")
            self.pool.failed(generation.number, message.why)

    def _meet_hazards(self, generation: Generation, found: str) -> None:
        """Loading left things behind that a fork does not bear."""
        left = f"loading the applications left {found}"
        if generation.config.server.preload == "yes":
            self.log.warning(f"{left}: workers are forked all the same, as [server] preload = yes")
            return
        self.log.warning(f"{left}, which a fork does not bear, so each worker loads its applications by itself")
        generation.hazards = True
        self.hang_up(generation)
        self._start_again(generation)

    def reaped(self, pid: int, code: int) -> None:
        """A child ended that may have been a mold; `code` as os.waitstatus_to_exitcode() gives it."""
        for generation in list(self.pool.generations.values()):
            if generation.mold == pid:
                if generation.channel:  # it may have said why, and be hung up for that
                    self._hear(generation)
                if generation.mold == pid:
                    self._died(generation, ending(code))
        self.living.pop(pid, None)

    def _died(self, generation: Generation, words: str) -> None:
        generation.mold, generation.loaded = 0, False
        if generation.number == self.pool.children.generation:
            self.due = time.monotonic() + self.pause
            self.log.error(f"mold {generation.number} {words}; its workers serve on, it is made anew")
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
        else:
            self.pool.failed(generation.number, f"the process that loads the applications {words}")
