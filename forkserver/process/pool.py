"""The pool: workers as the master's children, forked, heard, ended and buried; beside them their molds.

Carries out what `children.py` plans.  Knows the messages of workers, while those of molds are known to `molds.py`;
knows nothing of signals, commands or why a generation is wanted.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from forkserver.process import children, messages
from forkserver.process.children import Action, Child, Children, Life
from forkserver.process.evidence import Evidence
from forkserver.process.forking import ended, kill
from forkserver.process.generation import Generation, Logs
from forkserver.process.loading import LOAD_LIMIT
from forkserver.process.messages import Channel, Garbled
from forkserver.process.molds import Molds
from forkserver.process.occupation import Load, Occupation
from forkserver.process.program import Program
from forkserver.process.scoreboard import SEATS, Scoreboard, Seat, Word

if TYPE_CHECKING:
    from forkserver.log import ErrorLog

QUIT_LIMIT = 2.0  # seconds from an order to leave at once until whoever is left is killed


class Pool:
    """All children of the master."""

    def __init__(self, program: Program, log: ErrorLog, selector: selectors.BaseSelector) -> None:
        self.program, self.log, self.selector = program, log, selector
        self.board = Scoreboard()
        self.children = Children(want=0, graceful=QUIT_LIMIT, seats=SEATS)
        self.channels: dict[int, Channel] = {}  # by seat
        self.logs: dict[int, Logs] = {}  # by seat: those that its worker writes to
        self.evidence = Evidence()
        self.occupation = Occupation()
        self.generations: dict[int, Generation] = {}  # the current one and the candidate
        self.molds = Molds(self)
        # Who takes an interest: set by the master.
        self.let_go: Callable[[], None] = lambda: None  # in a child: the master's own things
        self.failed: Callable[[int, str], None] = lambda generation, why: None  # a candidate
        self.buried: Callable[[Seat, bool], None] = lambda reading, expected: None

    @property
    def current(self) -> Generation | None:
        return self.generations.get(self.children.generation)

    # Keeping it as it should be.

    def keep(self, now: float) -> None:
        """Do what is to be done at this moment."""
        self.molds.keep(now)
        able = [generation.number for generation in self.generations.values() if generation.loaded]
        for action in self.children.plan(now, able):
            self.carry_out(action)

    def carry_out(self, action: Action) -> None:
        _CARRY_OUT[type(action)](self, action)

    def next_deadline(self, now: float) -> float:
        """When `keep` has something to do even if nothing happens."""
        return min(self.children.next_deadline(now), self.molds.next_deadline())

    def read(self, seat: int) -> Seat:
        return self.board.slots[seat].read(seat)

    def busy(self, now: float) -> set[int]:
        """The seats of workers of the current generation that have no room for more."""
        if not self.current:
            return set()
        here = [c for c in self.children.by_seat.values() if c.pid and c.generation == self.current.number]
        loads = [self._load(child) for child in here]
        return self.occupation.busy(loads, self.current.config.server.threads, now)

    def _load(self, child: Child) -> Load:
        slot = self.board.slots[child.seat]
        requests = slot.in_progress()
        return Load(child.seat, child.pid, len(requests), sum(r.lasts for r in requests), slot.words[Word.DESKS])

    def reopen(self, *, moved: bool = False) -> None:
        """Open all log files anew, or those alone that were `moved`, here and in the workers that write to them."""
        for logs in {generation.logs for generation in self.generations.values()}:
            if not moved or logs.moved():
                logs.reopen(self.log.error)
                self._hand_out(logs)

    def _hand_out(self, logs: Logs) -> None:
        """Files that were opened anew, to all who write to them."""
        for seat, channel in self.channels.items():
            if self.logs[seat] is logs:
                channel.send(messages.Logs(), logs.descriptors())
        for generation in self.generations.values():
            if generation.logs is logs and generation.channel and logs.background:
                generation.channel.send(messages.Logs(), logs.descriptors())
        if self.current and self.current.logs is logs:
            logs.capture()

    @property
    def empty(self) -> bool:
        """Nobody is left."""
        return not self.children.by_seat and not self.molds.living

    def drain(self) -> None:
        """Nobody is wanted any more: workers finish and leave, molds go, our copies of the listeners are closed.

        Ours first: the ports are free as soon as the last worker has closed its own.
        """
        self.children.stopping = True
        for generation in self.generations.values():
            self.molds.hang_up(generation)
            for listener in generation.listeners:
                listener.close()
            generation.listeners = []

    def quit(self) -> None:
        """Everybody leaves now."""
        self.drain()
        for channel in self.channels.values():
            channel.send(messages.Quit())
        self.children.hurry(time.monotonic() + QUIT_LIMIT)

    # The actions of a plan.

    def _spawn(self, action: children.Spawn) -> None:
        seat, generation = action.seat, self.generations[action.generation]
        self.board.give(seat, action.generation, time.monotonic())
        try:
            channel = generation.spawn(seat)
        except OSError as error:
            self._bury(self.children.by_seat[seat], f"could not be asked for: {error.strerror}", expected=False)
            return
        if not generation.preloads:
            self.children.by_seat[seat].limit = time.monotonic() + LOAD_LIMIT
        self.channels[seat], self.logs[seat] = channel, generation.logs
        self.selector.register(channel, selectors.EVENT_READ, lambda: self._hear(seat))

    def _drain(self, action: children.Drain) -> None:
        if action.seat in self.channels:
            self.channels[action.seat].send(messages.Drain(self.children.stopping))

    def _kill(self, action: children.Kill) -> None:
        child = self.children.by_seat[action.seat]
        self.log.warning(f"worker {action.seat} (pid {child.pid}) {action.why}: killed")
        if child.pid:
            kill(child.pid)
        else:
            self._bury(child, "was never forked", expected=False)

    # What workers say, and how they end.

    def _hear(self, seat: int) -> None:
        """A worker's words.  The end of the line of one that has said its pid is dealt with when it is reaped."""
        child = self.children.by_seat[seat]
        try:
            heard = self.channels[seat].receive()
        except Garbled as error:
            heard = None
            child.killed = True
            self._kill(children.Kill(seat, f"wrote to its master's line what is {error}"))
        if heard is None:
            if child.pid:
                self._hush(seat)
            elif seat in self.channels:
                self._bury(child, "ended before it could say its pid", expected=False)
            return
        for message, beside in heard:
            self._understand(child, message, beside)

    def _understand(self, child: Child, message: messages.Message, beside: tuple[int, ...]) -> None:
        if isinstance(message, messages.Born) and not child.pid:
            self.children.born(child.seat, message.pid)
            self.evidence.take(child.seat, beside)
            return
        messages.discard(*beside)
        if isinstance(message, messages.Ready):
            self.children.ready(child.seat)
            self.log.info(f"worker {child.seat} (pid {child.pid}) is ready")
        elif isinstance(message, messages.Retiring):
            self.children.retiring(child.seat)
            self.log.info(f"worker {child.seat} (pid {child.pid}) retires: {message.why}")
        elif isinstance(message, messages.Leaving):
            self.children.leaving(child.seat, time.monotonic())
        elif isinstance(message, messages.Refused):
            self.children.refused(child.seat)
            self.failed(child.generation, message.why)

    def _hush(self, seat: int) -> None:
        if channel := self.channels.pop(seat, None):
            self.selector.unregister(channel)
            channel.close()
            del self.logs[seat]

    def reap(self) -> None:
        """Bury the dead."""
        for pid, code in ended():
            self._reaped(pid, code)

    def _seat_of_dead(self, pid: int) -> int | None:
        """Where it sat, once all that it had to say is heard: that it was leaving, or even its pid."""
        seat = self.children.seat_of(pid)
        for unheard in list(self.channels) if seat is None else [seat]:
            if unheard in self.channels:
                self._hear(unheard)
        return self.children.seat_of(pid)

    def _reaped(self, pid: int, code: int) -> None:
        seat = self._seat_of_dead(pid)
        if seat is not None:
            child = self.children.by_seat[seat]
            reading, last = self.read(seat), self.board.slots[seat].last()
            words = self.evidence.of_death(code, reading, time.monotonic(), by_us=child.killed, last=last)
            going = child.life in (Life.DRAINING, Life.LEAVING) or self.children.stopping
            self._bury(child, words, expected=code == 0 and going)
        self.molds.reaped(pid, code)

    def _bury(self, child: Child, words: str, *, expected: bool) -> None:
        """Take a worker off the books, say how it ended, leave the seat clean."""
        words = f"worker {child.seat} (pid {child.pid}) {words}"
        candidate = child.generation == self.children.candidate
        self._hush(child.seat)
        reading = self.read(child.seat)
        pause = self.children.died(child.seat, time.monotonic(), served=reading.requests > 0)
        self.buried(reading, expected)
        self.evidence.drop(child.seat)
        self.board.slots[child.seat].clear()
        (self.log.info if expected else self.log.error)(words, lines=True)
        if pause:
            self.log.warning(f"a worker died young; the next one is forked in {pause:g} s")
        if candidate:
            self.failed(child.generation, f"its first worker failed: {words}")

    def leave_behind(self, generation: Generation) -> None:
        """A mold's first act: close what is not for it or its workers, who are handed their log files one by one."""
        self.let_go()
        self.selector.close()
        self.evidence.let_go()
        for channel in self.channels.values():
            channel.close()
        ours = {listener.socket for listener in generation.listeners}
        for other in self.generations.values():
            if other.channel:
                other.channel.close()
            for listener in other.listeners:
                if listener.socket not in ours:
                    listener.socket.close()
        for logs in {other.logs for other in self.generations.values()}:
            logs.close()


_CARRY_OUT: dict[type, Callable[[Pool, Any], None]] = {
    children.Spawn: Pool._spawn,
    children.Drain: Pool._drain,
    children.Kill: Pool._kill,
}
