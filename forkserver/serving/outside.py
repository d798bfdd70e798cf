"""What a worker is handed: the rest of the server as it sees it.

Knows the shape of the seam and nothing of what is behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from forkserver.serving.call import Call


class Orders(Protocol):
    """The line to whoever is in charge; an order is "drain", "stop" or "quit"."""

    def descriptors(self) -> tuple[int, ...]: ...

    def read(self) -> list[str]: ...

    def ready(self) -> None: ...

    def retire(self, why: str) -> None: ...

    def leaving(self) -> None: ...


class Progress(Protocol):
    """Where one request in progress is noted for the eyes of others; times are of the monotonic clock."""

    def begin(self, line: bytes, client: str, now: float, deadline: float) -> None: ...

    def end(self) -> None: ...

    def extend(self, deadline: float) -> None: ...

    def lasts(self) -> None: ...

    def note(self, steps: int) -> None: ...


class Clients(Protocol):
    """Where the connections of one client to all workers are counted."""

    def hold(self, client: str, change: int) -> int: ...


class Figures(Clients, Protocol):
    """The place for all our figures."""

    def desk(self, number: int) -> Progress: ...

    def count(self, connections: int, requests: int, sent: int) -> None: ...


class Loop(Protocol):
    """What is led, turn by turn."""

    @property
    def done(self) -> bool: ...

    def turn(self) -> None: ...


class Acts(Protocol):
    """What is done with calls: to run the application, in any thread; all else by the leader alone."""

    def perform(self, call: Call) -> None: ...

    def tick(self) -> float: ...

    def take_over(self, calls: list[Call]) -> None: ...

    def transmit(self, call: Call) -> None: ...

    def transmit_some(self, call: Call) -> None: ...

    def complain(self, why: str) -> None: ...
