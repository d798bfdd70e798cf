"""One stream in one worker: its visitors, handed over, limited in time and seen off.

Knows when somebody may come in and when he must go; how connections come in is known to `accepting.py`, how datagrams
do to `receiving.py`.  Knows nothing of what is said, which is the application's matter.
"""

from __future__ import annotations

import socket
import threading
import traceback
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from forkserver.serving.doors import Door, Doors
from forkserver.serving.hands import Hands
from forkserver.serving.visits import FAILED, LATE, NEVER, Bounds, Visit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forkserver.apps.stream.app import StreamApp
    from forkserver.serving.hosting import Hosting

REPLACED = 60.0  # seconds in which the master has another worker in our place, having been told


@dataclass(frozen=True)
class Stream:
    """One section as a worker is handed it."""

    name: str  # of the section: "tcp 127.0.0.1:7000"
    app: StreamApp
    bounds: Bounds
    listeners: list[socket.socket]
    datagram: bool


class Stage:
    """What connections and datagrams have in common.  Everything but `_handle` is done by the loop's thread."""

    def __init__(self, stream: Stream, hosting: Hosting) -> None:
        self.app, self.bounds, self.hosting = stream.app, stream.bounds, hosting
        self.doors = Doors(stream.listeners, hosting.epoll)
        self.lines = {door.descriptor: f"{stream.name.split()[0].upper()} {_told(door)}" for door in self.doors.all()}
        self.visits: set[Visit] = set()
        self.hands = Hands(stream.name, stream.bounds.connections)
        self.listening = False  # until it is opened, and from the moment on when the worker leaves
        self.short = False  # the system had no descriptor for one more

    @property
    def full(self) -> bool:
        return len(self.visits) >= self.bounds.connections

    def listeners(self) -> Sequence[socket.socket]:
        """What the application sees as the sockets that its visitors come by."""
        return [door.listener for door in self.doors.all()]

    def open(self) -> None:
        self.listening = True
        self.look()

    def look(self) -> None:
        """Let somebody in, unless it is full: then a sibling takes him, or he waits."""
        self.short = False
        self.doors.set_open(self.listening and not self.full)

    def ready(self, descriptor: int) -> None:
        """Somebody is at one of the doors."""
        raise NotImplementedError

    def begin(self, door: Door, address: Any, **facts: Any) -> Visit:
        """Note a visit that begins."""
        clock, bounds = self.hosting.clock, self.bounds
        line = self.lines[door.descriptor]
        host = address[0] if isinstance(address, tuple) else "unix"
        end = clock.now + bounds.total_timeout + self.hosting.limits.kill_timeout if bounds.total_timeout else 0.0
        visit = Visit(
            line=line,
            address=address,
            listener=door.listener,
            port=door.local[1],
            began=clock.now,
            wall=clock.wall,
            look=clock.now + min(bounds.total_timeout or NEVER, bounds.idle_timeout or NEVER),
            desk=self.hosting.desks.take(f"{line} {self.app.name}", host, clock.now, end),
            **facts,
        )
        self.visits.add(visit)
        self.hosting.count += 1
        return visit

    def end(self, visit: Visit) -> None:
        """It is over: off the books, into the log."""
        self.visits.discard(visit)
        self.hosting.over(visit, logged=self.bounds.access_log)
        if not self.doors.open:
            self.look()

    def sweep(self) -> None:
        """Once a second: who has had his time is told so; what was shut for want of descriptors is open again."""
        now = self.hosting.clock.now
        for visit in [visit for visit in self.visits if visit.look <= now]:
            self._expire(visit, now)
        if not self.doors.open:
            self.look()

    def _expire(self, visit: Visit, now: float) -> None:
        limit, kill = self.bounds.total_timeout, self.hosting.limits.kill_timeout
        over = visit.began + limit if limit else NEVER
        if now >= over + kill / 2:
            self._despair(visit, now)
        elif now >= over:
            self.dismiss(visit, f"has lasted {limit:g} s, as long as it may", LATE)
            visit.look = over + kill / 2
        else:
            visit.look = min(over, self._rested(visit, now))

    def _rested(self, visit: Visit, now: float) -> float:
        """End a connection on which nothing was said for too long; give when the next look is due."""
        limit = self.bounds.idle_timeout
        if not limit or visit.socket is None or visit.why:
            return NEVER
        quiet = visit.socket.quiet(now)
        if quiet >= limit:
            self.dismiss(visit, f"nothing was said for {limit:g} s", LATE)
            return NEVER
        return now + limit - quiet

    def _despair(self, visit: Visit, now: float) -> None:
        """Its handler does not end by itself: another worker takes our place, and it ends with us."""
        visit.look = NEVER
        if visit.desk:
            visit.desk.extend(now + REPLACED + self.hosting.limits.graceful_timeout)
        self.hosting.give_up(f"{visit.line} {self.app.name} does not end")

    def dismiss(self, visit: Visit, why: str, status: int) -> None:
        """End a connection from outside; whoever handles it will notice."""
        if visit.socket and not visit.why:
            visit.why, visit.status = why, status
            visit.socket.shut()
            self.hosting.log.info(f"{visit.peer[0]}: {visit.line}: {why}: closed")

    def leave(self, *, stopping: bool) -> None:
        """Let nobody in any more.  When nobody takes over, those that the kernel had queued are let in before."""
        while stopping and not self.full and any(self.take(door) for door in self.doors.all()):
            pass
        self.listening = False
        self.doors.close()
        self.app.leave()

    def take(self, door: Door) -> bool:
        """Let one in; False when there is nobody."""
        raise NotImplementedError

    def let_go(self, thread: int) -> None:
        """In a child that the handler in this thread has forked: what is not its own is not held open there."""
        for door in self.doors.all():
            door.listener.close()
        for visit in self.visits:
            if visit.socket and visit.thread == thread:
                visit.socket.keep()
            elif visit.socket:
                visit.socket.abandon()

    def hand_over(self, visit: Visit) -> None:
        """Have a thread handle it."""
        if not self.hands.give(partial(self._handle, visit), len(self.visits)):
            self.hosting.log.error(f"{visit.peer[0]}: {visit.line}: the system has no thread for it: closed")
            visit.status = FAILED
            self.close(visit)

    def close(self, visit: Visit) -> None:
        """Let go of what it has."""
        if visit.socket:
            visit.socket.finish()
        self.hosting.tell(partial(self.end, visit))

    # In a thread of its own.

    def _handle(self, visit: Visit) -> None:
        """From the first to the last moment; nothing that the application raises gets out of here."""
        visit.thread = threading.get_ident()
        try:
            self.call(visit)
        except BaseException as error:  # the application's trouble, of whatever kind, and this visit's
            self.failed(visit, error)
        if self.hosting.strayed:
            self.hosting.stop_stray(f"{visit.line} {self.app.name}")
        self.close(visit)

    def call(self, visit: Visit) -> None:
        """Call the application."""
        raise NotImplementedError

    def failed(self, visit: Visit, error: BaseException) -> None:
        """Tell the log what was raised; that a client has gone, or was sent away, is no fault of the application's."""
        if visit.why:
            return
        name = f"{visit.peer[0]}: {visit.line}: {self.app.name}"
        if isinstance(error, (ConnectionError, TimeoutError)):
            self.hosting.log.info(f"{name}: {error or type(error).__name__}")
        else:
            visit.status = FAILED
            self.hosting.log.error(f"{name} failed", traceback=traceback.format_exc())


def _told(door: Door) -> str:
    """Where a door is, for a log line."""
    name = door.listener.getsockname()
    if not isinstance(name, tuple):
        return f"unix:{name}"
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
