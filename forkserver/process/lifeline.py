"""A worker's line to the master: orders come in, and its end means that the master is gone.

Knows the messages and the descriptors beside them; knows nothing of how a worker carries an order out.
"""

from __future__ import annotations

import os
import signal

from forkserver.log import capture, put_in_place
from forkserver.process.messages import Born, Channel, Drain, Leaving, Logs, Quit, Ready, Refused, Retiring
from forkserver.process.signals import Signals, release


class Lifeline:
    """Orders for one worker, from its master's messages and from signals that somebody sent to it alone."""

    def __init__(self, channel: Channel, *logs: int, notes: int, background: bool) -> None:
        """`logs` are descriptors, in the order in which they come beside the message Logs.

        `notes` is the one that the master is handed a copy of, -1 for none.  In the `background` the second log, which
        is the error log, has the standard streams, too.
        """
        self.channel = channel
        self.logs, self.background = logs, background
        self.cut = False  # closed, the master being gone or we
        self.signals = Signals([signal.SIGTERM])
        # Whoever ends a process that an application has forked, as multiprocessing does by TERM, does not mean us.
        os.register_at_fork(after_in_child=self.signals.close)
        self.channel.send(Born(os.getpid()), (notes,) if notes >= 0 else ())
        release()

    def descriptors(self) -> tuple[int, int]:
        """To be watched for reading."""
        return self.channel.fileno(), self.signals.fileno()

    def ready(self) -> None:
        self.channel.send(Ready())

    def retire(self, why: str) -> None:
        if not self.cut:
            self.channel.send(Retiring(why))

    def refused(self, why: str) -> None:
        """The applications cannot be loaded; nothing follows."""
        self.channel.send(Refused(why))

    def leaving(self) -> None:
        if not self.cut:
            self.channel.send(Leaving())

    def read(self) -> list[str]:
        """What was ordered since the last call, "drain", "stop" or "quit"; new log files are put in place at once.

        Without a master nobody takes over and nobody else could end us: finish as for a stop.  The line is closed
        then, as its end would wake us again and again.
        """
        orders = ["drain" for _ in self.signals.read()]
        heard = [] if self.cut else self.channel.receive()
        if heard is None:
            self.close()
            return [*orders, "stop"]
        for message, descriptors in heard:
            if isinstance(message, Logs):
                self._reopen(descriptors)
            elif isinstance(message, Drain):
                orders.append("stop" if message.stop else "drain")
            elif isinstance(message, Quit):
                orders.append("quit")
        return orders

    def close(self) -> None:
        self.cut = True
        self.channel.close()

    def _reopen(self, descriptors: tuple[int, ...]) -> None:
        """Under the old numbers, so that no reference to them has to change."""
        for fresh, number in zip(descriptors, self.logs, strict=True):
            put_in_place(fresh, number)
        if self.background:
            capture(self.logs[1])
