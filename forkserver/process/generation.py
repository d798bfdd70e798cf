"""One generation: a configuration, the listeners and log files it asked for, and the mold that holds its applications.

Knows how these are put up and taken down; knows nothing of when.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forkserver.log import NONE, STANDARD, LogFile, capture, is_path
from forkserver.process import forking
from forkserver.process.messages import Channel, Spawn
from forkserver.process.mold import Mold
from forkserver.process.program import Program
from forkserver.process.scoreboard import Scoreboard
from forkserver.process.sockets import Listener

if TYPE_CHECKING:
    from forkserver.config import Config


@dataclass(eq=False)
class Logs:
    """The three log files of a generation, each under one descriptor number for good."""

    access: LogFile
    error: LogFile
    slow: LogFile  # the error log's own, where both go to one destination
    nowhere: int  # stands for a log that is not wanted, as a worker is handed three descriptors in any case
    background: bool  # where the standard streams lead nowhere, so that the error log may have them
    stuck: set[str] = field(default_factory=set)  # destinations that could not be reopened, as was said already

    @classmethod
    def open(cls, config: Config, *, background: bool) -> Logs:
        """OSError when one of them cannot be written."""
        names = cls.wanted(config, background=background)
        with contextlib.ExitStack() as opened:
            access, error = (opened.enter_context(LogFile(name)) for name in names[:2])
            slow = error if names[2] == names[1] else opened.enter_context(LogFile(names[2]))
            nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            opened.pop_all()
        return cls(access, error, slow, nowhere, background)

    @staticmethod
    def wanted(config: Config, *, background: bool) -> tuple[str, str, str]:
        """The destinations that a configuration asks for: access log, error log, slow log.

        In the background a standard stream is none, but slow requests go where stderr goes: to the error log's file.
        """
        access, error, slow = config.log.access, config.log.error, config.log.slow
        if background:
            access, error = (NONE if name in STANDARD else name for name in (access, error))
            stderr = error if is_path(error) else NONE
            slow = stderr if slow in STANDARD else slow
        return access, error, slow

    def destinations(self) -> tuple[str, ...]:
        return tuple(file.destination for file in (self.access, self.error, self.slow))

    def descriptors(self) -> tuple[int, ...]:
        """Of access log, error log and slow log, for a worker."""
        numbers = (file.descriptor for file in (self.access, self.error, self.slow))
        return tuple(number if number >= 0 else self.nowhere for number in numbers)

    def files(self) -> set[LogFile]:
        """Each file once."""
        return {self.access, self.error, self.slow}

    def moved(self) -> bool:
        """Whether one of the files is no longer where its name says."""
        return any(file.moved() for file in self.files())

    def reopen(self, complain: Callable[[str], None]) -> None:
        """Open all anew.  What cannot be is complained of once, and written to where it is until it can."""
        for file in self.files():
            try:
                file.reopen()
                self.stuck.discard(file.destination)
            except OSError as error:
                if file.destination not in self.stuck:
                    self.stuck.add(file.destination)
                    complain(f"cannot reopen {file.destination}: {error.strerror}; writing to the old file")

    def capture(self) -> None:
        """In the background: what this process and its children print goes to the error log."""
        if self.background:
            capture(self.error.descriptor)

    def close(self) -> None:
        for file in self.files():
            file.close()
        os.close(self.nowhere)


@dataclass
class Generation:
    """Everything that a reload replaces."""

    number: int
    config: Config
    listeners: list[Listener]
    logs: Logs
    channel: Channel | None = None  # to the mold
    mold: int = 0  # its pid; 0 when there is none
    loaded: bool = False
    hazards: bool = False  # were found where loading once for all workers was tried

    @property
    def preloads(self) -> bool:
        """Whether the mold loads the applications, or each worker does."""
        preload = self.config.server.preload
        return preload == "yes" or (preload == "auto" and not self.hazards)

    def start_mold(self, program: Program, board: Scoreboard, let_go: Callable[[], None]) -> Channel:
        """Fork a mold; give the master's end of the conversation with it.  OSError when the system refuses."""
        ours, theirs = Channel.pair()

        def leave_behind() -> None:
            ours.close()
            self.logs.capture()
            let_go()

        listeners = tuple(self.listeners)
        background = self.logs.background
        mold = Mold(
            self.config, program, theirs, board, listeners, leave_behind, os.getpid(), self.preloads, background
        )
        self.loaded = False
        try:
            self.mold = forking.fork(f"mold {self.number}", mold.main)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self.channel = ours
        return ours

    def spawn(self, seat: int) -> Channel:
        """Have the mold fork a worker; give the master's end of the conversation with it.  OSError without room for it.

        Should the mold be gone, the other end closes with it, which is how the master will hear of it.
        """
        ours, theirs = Channel.pair()
        if self.channel is not None:
            self.channel.send(Spawn(seat), (theirs.fileno(), *self.logs.descriptors()))
        theirs.close()
        return ours
