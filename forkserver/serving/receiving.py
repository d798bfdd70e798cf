"""A stream of datagrams in one worker: read some at a time, each handed to a thread, with a socket to answer by.

Knows how datagrams come in; what becomes of them in time is known to `stages.py`.  An application with a loop of its
own reads them itself.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from forkserver.serving.accepted import Answering
from forkserver.serving.doors import Door
from forkserver.serving.stages import Stage, Stream
from forkserver.serving.visits import Visit

if TYPE_CHECKING:
    from forkserver.serving.hosting import Hosting

LARGEST = 65535  # bytes of a datagram
BATCH = 32  # datagrams that are read at one go


class Receiving(Stage):
    """A stream of datagrams, each of which is handled by itself."""

    def __init__(self, stream: Stream, hosting: Hosting) -> None:
        super().__init__(stream, hosting)
        self.answering = {door.listener: Answering(door.listener) for door in self.doors.all()}

    def listeners(self) -> Sequence[socket.socket]:
        return list(self.answering.values())

    def look(self) -> None:
        """What has a loop of its own reads for itself."""
        self.doors.set_open(self.listening and self.app.blocking and not self.full)

    def ready(self, descriptor: int) -> None:
        """Some at one go: the others are for the siblings."""
        door = self.doors.at(descriptor)
        for _ in range(BATCH):
            if door is None or self.full or not self.take(door):
                break
        self.look()

    def take(self, door: Door) -> bool:
        if not self.app.blocking:
            return False
        try:
            data, address = door.listener.recvfrom(LARGEST, socket.MSG_DONTWAIT)
        except OSError:  # nothing is there, or what is there is an error of one that was sent
            return False
        self.hand_over(self.begin(door, address, data=data))
        return True

    def call(self, visit: Visit) -> None:
        sock = self.answering[visit.listener]
        try:
            self.app.receive(visit.data, visit.address, sock)
        finally:
            visit.sent = sock.taken()

    def let_go(self, thread: int) -> None:
        """The child may want to answer."""
        for door in self.doors.all():
            door.listener.close()
