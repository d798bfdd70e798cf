"""What a worker has done: lines for the access log, and its figures for the eyes of others.

Knows how lines are gathered; when they are written is the loop's matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forkserver.log.format import AccessFormat, Exchange

if TYPE_CHECKING:
    from forkserver.log import LineWriter


class Ledger:
    """Lines gathered, requests and bytes counted."""

    def __init__(self, writer: LineWriter | None, access_format: AccessFormat) -> None:
        """Without a writer no lines are made."""
        self.writer, self.format = writer, access_format
        self.timed = access_format.timed  # whether an exchange must say when it ended
        self.lines: list[str] = []
        self.requests = 0
        self.sent = 0  # bytes

    def enter(self, exchange: Exchange) -> str:
        """Note an answered request; give its line."""
        self.count(exchange.sent)
        if self.writer is None:
            return ""
        line = self.format.render(exchange)
        self.lines.append(line)
        return line

    def count(self, sent: int) -> None:
        """Note one that is not to be logged."""
        self.requests += 1
        self.sent += sent

    def write(self) -> None:
        """Bring the lines to the log."""
        if self.lines and self.writer is not None:
            self.writer.write("".join(self.lines).encode("latin-1"), len(self.lines))
        self.lines.clear()
