"""How a worker leaves: what it finishes, whom it still waits for, and how long.

Knows the ways of clients; knows nothing of who sent the order, and reads no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from forkserver.serving.connection import Connection
from forkserver.serving.connections import RESTED

SILENT = 1.0  # seconds that a new connection is given to say something when nobody takes over
MARGIN = 0.5  # seconds before the limit at which we go of our own accord: being killed would lose log lines


@dataclass(slots=True)
class Leaving:
    """A worker on its way out, since `since` and for `limit` seconds; `stopping` means that nobody takes over."""

    since: float
    limit: float
    stopping: bool

    def over(self, now: float) -> bool:
        """Whether whoever is still here must be left."""
        return now >= self.since + max(0.0, self.limit - MARGIN)

    def may_close(self, connection: Connection, now: float) -> bool:
        """Whether nobody waits for an answer there.

        A resting client may be about to send, and a request that crosses with our close is lost: while siblings
        would take its next connection it is given a little time.
        """
        if connection.idle:
            return self.stopping or now - max(connection.since, self.since) >= RESTED
        return self.stopping and connection.silent and now - connection.since >= SILENT
