"""Whole lines to one descriptor, whatever happens to it.

A full disk, a dead reader or a vanished device loses lines, counts them and says so once there is room
again; it never raises, as no request may fail for its log line.  Knows descriptors and errors; nothing of
what a line says, of paths (`file.py`) or of who reports the loss.

Several threads may write: the good path touches no state, and in the bad one a count may be off by a few.
There is no lock on purpose: a process may fork while another of its threads writes, and the child would
wait for ever.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

LONGEST_REST = 64 * 1024  # bytes of a torn line that are kept
REPORT_EVERY = 1.0  # seconds at least between two reports, as a slow reader loses lines all the time

Report = Callable[[int, str], None]  # (lines lost, why)


def report_nothing(_count: int, _reason: str) -> None:
    """For a writer whose losses nobody wants to hear of."""


class TornLine(NamedTuple):
    """The rest of a line that a file has the beginning of, and which file, so that no other gets it."""

    rest: bytes
    device: int
    inode: int
    size: int  # bytes in the file with the line's beginning


class LineWriter:
    """Appends whole lines to a descriptor, which stays its caller's; -1 throws all lines away.

    A file gets each batch in one write(2), so that with O_APPEND the lines of several processes never mix.
    For the same reason a pipe gets portions of whole lines no longer than PIPE_BUF (pipe(7)).  A write that
    stops within a line keeps the rest of that line only, for the beginning of the next batch.

    When a batch got through after losses, `on_recovered(lines, reason)` is called, at most once in
    REPORT_EVERY seconds of `clock()`.  It is a callable and no line in the same log, because only the log's
    reader knows its form: an access log in JSON must stay JSON.
    """

    def __init__(
        self,
        descriptor: int,
        on_recovered: Report = report_nothing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.descriptor = descriptor
        self._on_recovered = on_recovered
        self._clock = clock
        self._portion = portion_of(descriptor)
        self.forget()

    def forget(self) -> None:
        """Begin with no losses: a forked child must not repeat its parent's torn line and report."""
        self.lost = 0  # lines, since the last report
        self._reason = ""
        self._torn: TornLine | None = None
        self._next_report = float("-inf")

    def write(self, data: bytes, lines: int = 1) -> None:
        """Append `lines` whole lines, each with its line feed; never raises, never tries again later."""
        if self.descriptor < 0:
            return
        rest = self._take_rest() if self._torn else b""
        if rest:
            data, lines = rest + data, lines + 1
        written = self._put(data)
        if written < len(data):
            self._lose(data, lines, written, torn_before=bool(rest))
        elif self.lost:
            self._report()

    def _put(self, data: bytes) -> int:
        """Write what can be written now, and say how many bytes that was."""
        written = 0
        try:
            for end in portions(data, self._portion):
                while written < end:
                    written += os.write(self.descriptor, data[written:end])
        except OSError as error:
            self._reason = os.strerror(error.errno or 0)
        return written

    def _lose(self, data: bytes, lines: int, written: int, torn_before: bool) -> None:
        """Count what did not get through, and keep the rest of a line that did in part."""
        torn = data[written - 1 : written] != b"\n" if written else torn_before
        rest = data[written : data.find(b"\n", written) + 1] if torn else b""
        self.lost += lines - data.count(b"\n", 0, written) - bool(rest)
        self._torn = self._torn_line(rest[-LONGEST_REST:]) if rest else None

    def _torn_line(self, rest: bytes) -> TornLine | None:
        try:
            status = os.fstat(self.descriptor)
        except OSError:  # closed behind our back: there is no file left to complete
            self.lost += 1
            return None
        return TornLine(rest, status.st_dev, status.st_ino, status.st_size)

    def _take_rest(self) -> bytes:
        """The rest of the torn line; it is lost when the file was exchanged or emptied meanwhile."""
        torn, self._torn = self._torn, None
        now = self._torn_line(b"")
        if torn is None or now is None:
            return b""
        if (now.device, now.inode) == (torn.device, torn.inode) and now.size >= torn.size:
            return torn.rest
        self.lost += 1
        return b""

    def _report(self) -> None:
        """Tell of the losses; they are forgotten first, as the report may be a line for this very writer."""
        if self._clock() < self._next_report:
            return
        self._next_report = self._clock() + REPORT_EVERY
        lost, self.lost = self.lost, 0
        self._on_recovered(lost, self._reason)


def portion_of(descriptor: int) -> int:
    """How many bytes a write may have without mixing with those of others; 0: any number."""
    try:
        return os.fpathconf(descriptor, "PC_PIPE_BUF") if stat.S_ISFIFO(os.fstat(descriptor).st_mode) else 0
    except OSError:  # none at all, or closed: the first write will find out and count
        return 0


def portions(data: bytes, limit: int) -> Iterator[int]:
    """The ends of portions of whole lines of at most `limit` bytes; a longer line is a portion of its own."""
    begin, size = 0, len(data)
    while limit and size - begin > limit:
        begin = data.rfind(b"\n", begin, begin + limit) + 1 or data.find(b"\n", begin) + 1 or size
        yield begin
    if begin < size:
        yield size
