"""Connections and datagrams of streams while they are in an application's hands: where they are noted, how they end.

Knows one of them at a time; knows nothing of listeners and threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from forkserver.log.format import Exchange

if TYPE_CHECKING:
    import socket

    from forkserver.serving.accepted import Accepted
    from forkserver.serving.outside import Figures, Progress

FIRST_DESK = 65  # those before are for calls of HTTP
DESKS = 64  # for streams; connections beyond are served like all others, but not named in reports
NEVER = float("inf")

# What the access log says in place of a status, as servers of streams have come to do.
DONE, FAILED, LATE, REFUSED = 200, 500, 408, 503


class Bounds(Protocol):
    """How many at once, how long, and whether they are logged: the options of a stream; 0 seconds: any time."""

    connections: int
    idle_timeout: float
    total_timeout: float
    access_log: bool


@dataclass(slots=True, eq=False)
class Visit:
    """One connection, or one datagram; times are of the monotonic clock, but `wall`."""

    line: str  # what the access log has in place of a request's line
    address: Any  # of the client, as the system gives it
    listener: socket.socket  # which may have been closed meanwhile
    port: int  # of the listener
    began: float
    wall: float
    look: float  # when a limit may have been reached
    desk: Progress | None
    socket: Accepted | None = None  # of a connection
    data: bytes = b""  # of a datagram
    sent: int = 0  # bytes, of a datagram's handler
    status: int = DONE
    why: str = ""  # it was ended by us, and not by its handler
    thread: int = 0  # that it is handled in, by its identifier

    @property
    def peer(self) -> tuple[str, int]:
        """Host and port of the client, as the log has them."""
        return self.address[:2] if isinstance(self.address, tuple) else ("unix", 0)

    def exchange(self, wall: float) -> Exchange:
        """What the access log is told, at the end."""
        received = self.socket.received if self.socket else len(self.data)
        sent = self.socket.sent if self.socket else self.sent
        return Exchange(
            peer=self.peer[0],
            peer_port=self.peer[1],
            local_port=self.port,
            server_name="",
            head=None,
            line=self.line,
            user="",
            status=self.status,
            body_sent=sent,
            received=received,
            sent=sent,
            began=self.wall,
            ended=wall,
            fields=(),
            keep=False,
            aborted=bool(self.why),
        )


class Desks:
    """The desks that streams share: who comes when all are taken has none."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._used = 0
        self._free: list[Progress] = []

    def take(self, line: str, client: str, now: float, deadline: float) -> Progress | None:
        """Note a visit; that it lasts is no sign of trouble."""
        if not self._free:
            if self._used == DESKS:
                return None
            self._free.append(self._figures.desk(FIRST_DESK + self._used))
            self._used += 1
        desk = self._free.pop()
        desk.begin(line.encode(), client, now, deadline)
        desk.lasts()
        return desk

    def give_back(self, desk: Progress) -> None:
        desk.end()
        self._free.append(desk)
