"""Where connections come in: the listeners of one worker, and when it does not listen to them.

Knows accept(2) and its troubles; knows nothing of what an accepted socket is for.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Collection
from typing import Any

REBALANCE = 16  # connections after which a listener goes to the end of the kernel's queue of waiters

# Trouble of one connection that waited, told here instead of by its first read: the next may be well (accept(2)).
PASSING = {
    *(errno.ECONNABORTED, errno.EPROTO, errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.EPERM),
    *(errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENONET),
}


class Door:
    """One listener, watched with EPOLLEXCLUSIVE: a connection wakes one worker, not all (epoll_ctl(2))."""

    def __init__(self, listener: socket.socket, epoll: select.epoll, *, proxied: bool = False) -> None:
        """`proxied`: who comes in here says first whose connection it is, by the PROXY protocol."""
        self.listener, self.epoll, self.proxied = listener, epoll, proxied
        self.descriptor = listener.fileno()
        self.unix = listener.family == socket.AF_UNIX
        self.local: tuple[str, int] = ("unix", 0) if self.unix else listener.getsockname()[:2]
        self.count = 0
        self.watched = False

    def watch(self, wanted: bool) -> None:
        if wanted != self.watched:
            self.watched = wanted
            if wanted:
                self.epoll.register(self.descriptor, select.EPOLLIN | select.EPOLLEXCLUSIVE)
            else:
                self.epoll.unregister(self.descriptor)

    def accept(self) -> tuple[socket.socket, tuple[str, int]] | None:
        """One connection: its socket, which does not block, and its peer (address, port); as for `take`."""
        taken = self.take()
        if taken is None:
            return None
        accepted, address = taken
        accepted.setblocking(False)
        return accepted, ("unix", 0) if self.unix else address[:2]

    def take(self) -> tuple[socket.socket, Any] | None:
        """One connection and its peer, as accept(2) gives them; None when there is none, as a sibling was quicker.

        The kernel wakes the waiter that came last, so that one worker would get nearly all; who has had its share
        goes to the end of the queue.  OSError when the system has no room for one more.
        """
        while True:
            try:
                accepted, address = self.listener.accept()
                break
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno not in PASSING:
                    raise
        self.count += 1
        if self.count % REBALANCE == 0 and self.watched:
            self.watch(False)
            self.watch(True)
        return accepted, address


class Doors:
    """All listeners of a worker, open or shut together."""

    def __init__(
        self, listeners: list[socket.socket], epoll: select.epoll, proxied: Collection[socket.socket] = ()
    ) -> None:
        """`proxied` are those of the listeners where connections begin with the PROXY protocol."""
        self._doors = {listener.fileno(): Door(listener, epoll, proxied=listener in proxied) for listener in listeners}
        self.open = False

    def at(self, descriptor: int) -> Door | None:
        return self._doors.get(descriptor)

    def all(self) -> list[Door]:
        return list(self._doors.values())

    def set_open(self, wanted: bool) -> None:
        if wanted != self.open:
            self.open = wanted
            for door in self._doors.values():
                door.watch(wanted)

    def close(self) -> None:
        """For good, in this process: afterwards there are no doors to open."""
        self.set_open(False)
        for door in self._doors.values():
            door.listener.close()
        self._doors = {}
