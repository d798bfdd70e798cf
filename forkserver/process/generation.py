"""One generation: a configuration, the listeners and log files it asked for, and the mold that holds its applications.

Knows how these are put up and taken down; knows nothing of when.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forkserver.log import LogFile
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
    """The two log files of a generation, each under one descriptor number for good."""

    access: LogFile
    error: LogFile
    nowhere: int  # stands for a log that is not wanted, as a worker is handed two descriptors in any case
    stuck: set[str] = field(default_factory=set)  # destinations that could not be reopened, as was said already

    @classmethod
    def open(cls, config: Config) -> Logs:
        """OSError when one of them cannot be written."""
        access = LogFile(config.log.access)
        try:
            error = LogFile(config.log.error)
        except OSError:
            access.close()
            raise
        return cls(access, error, os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))

    def descriptors(self) -> tuple[int, int]:
        """Of access log and error log, for a worker."""
        access, error = (
            file.descriptor if file.descriptor >= 0 else self.nowhere for file in (self.access, self.error)
        )
        return access, error

    def destinations(self) -> tuple[str, str]:
        return self.access.destination, self.error.destination

    def moved(self) -> bool:
        """Whether one of the files is no longer where its name says."""
        return self.access.moved() or self.error.moved()

    def reopen(self, complain: Callable[[str], None]) -> None:
        """Open both anew.  What cannot be is complained of once, and written to where it is until it can."""
        for file in (self.access, self.error):
            try:
                file.reopen()
                self.stuck.discard(file.destination)
            except OSError as error:
                if file.destination not in self.stuck:
                    self.stuck.add(file.destination)
                    complain(f"cannot reopen {file.destination}: {error.strerror}; writing to the old file")

    def close(self) -> None:
        self.access.close()
        self.error.close()
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

    def start_mold(self, program: Program, board: Scoreboard, let_go: Callable[[], None]) -> Channel:
        """Fork a mold; give the master's end of the conversation with it.  OSError when the system refuses."""
        ours, theirs = Channel.pair()

        def leave_behind() -> None:
            ours.close()
            let_go()

        mold = Mold(self.config, program, theirs, board, tuple(self.listeners), leave_behind, os.getpid())
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
