"""What the master is handed: the halves of the server that it must not know.

Knows the shape of the hand-over and nothing of what is inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from forkserver.config import Config
    from forkserver.process.lifeline import Lifeline
    from forkserver.process.scoreboard import Scoreboard, Slot
    from forkserver.process.sockets import Listener


class CannotLoad(Exception):  # noqa: N818 - reads as the sentence it prints
    """The applications of a configuration cannot be loaded; the text is all that a person needs to know."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a new worker finds at its seat."""

    seat: int
    slot: Slot
    board: Scoreboard
    lifeline: Lifeline
    listeners: tuple[Listener, ...]
    access_log: int  # descriptors, the same numbers for the worker's whole life
    error_log: int
    slow_log: int


class Program(Protocol):
    """The server's content, from outside."""

    def configure(self) -> Config:
        """Read the configuration anew; ConfigError with all complaints when it is wrong."""
        ...

    def show(self, config: Config) -> str:
        """A configuration as text that can be parsed again."""
        ...

    def load(self, config: Config) -> Any:
        """In a mold, once: load the applications; CannotLoad, or any other exception, refuses the generation."""
        ...

    def prepare(self, config: Config, loaded: Any) -> None:
        """In a worker, before it serves: load what a fork would not bear; CannotLoad and the like as above."""
        ...

    def serve(self, config: Config, loaded: Any, place: Place) -> None:
        """In a worker: a whole life; returns when it is time to go."""
        ...
