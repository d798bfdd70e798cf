"""A stream of connections in one worker: accepted one by one, and handed to a thread or to the application's own loop.

Knows how connections come in; what becomes of them in time is known to `stages.py`.
"""

from __future__ import annotations

from functools import partial

from forkserver.serving.accepted import accepted
from forkserver.serving.doors import Door
from forkserver.serving.stages import Stage
from forkserver.serving.visits import Visit


class Accepting(Stage):
    """A stream of connections."""

    def ready(self, descriptor: int) -> None:
        """One connection a wake-up: the siblings are awake for the next."""
        door = self.doors.at(descriptor)
        if door is not None and not self.full:
            self.take(door)

    def take(self, door: Door) -> bool:
        try:
            taken = door.take()
        except OSError as error:
            self.hosting.log.warning(f"no more connections for now: {error.strerror}")
            self.short = True
            self.doors.set_open(False)  # until one is closed or the next sweep: never spin
            return False
        if taken is None:
            return False
        sock, address = taken
        visit = self.begin(door, address, socket=accepted(sock))
        if self.full:
            self.doors.set_open(False)
        if not self.hosting.welcome(visit):
            self.close(visit)
        elif self.app.blocking:
            self.hand_over(visit)
        else:
            self._pass_on(visit)
        return True

    def _pass_on(self, visit: Visit) -> None:
        """To an application with a loop of its own: the end of the socket is the end of the connection."""
        assert visit.socket
        visit.socket.ended = partial(self.hosting.tell, partial(self.end, visit))
        try:
            self.call(visit)
        except Exception as error:  # the application's trouble, of whatever kind, and this connection's
            self.failed(visit, error)
            visit.socket.finish()

    def call(self, visit: Visit) -> None:
        assert visit.socket
        self.app.serve(visit.socket, visit.address, visit.listener)
