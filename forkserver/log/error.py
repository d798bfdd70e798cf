"""The error log, and the door to all that logs need: destinations, files that are renewed, writers of whole
lines.

The standard library's `logging` is left to the applications: it is one set of loggers for the whole
process, and an application that configures it (Django's dictConfig disables loggers that it does not know)
would silence its server.

Knows levels, times and the three forms a record takes; nothing of requests (`format.py` writes the
access log's lines) and nothing of when a file is opened anew (the master says so).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from functools import partial

from forkserver.log import syslog
from forkserver.log.dates import iso_date
from forkserver.log.file import LogFile, is_path, open_destination, put_in_place
from forkserver.log.writer import LineWriter, Report

__all__ = [
    "LEVELS",
    "ErrorLog",
    "LineWriter",
    "LogFile",
    "access_writer",
    "is_path",
    "open_destination",
    "put_in_place",
]

LEVELS = {
    "debug": syslog.DEBUG,
    "info": syslog.INFO,
    "warning": syslog.WARNING,
    "error": syslog.ERROR,
}
LONGEST_LINE = 8192  # characters; what is longer is cut

# C0, DEL and C1, surrogates, and what lets text run backwards or break a line on a screen.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def safe(text: str) -> str:
    """`text` as one line, with each character that could break it or forge another as \\xhh or \\uhhhh."""
    if len(text) > LONGEST_LINE:
        text = text[:LONGEST_LINE] + " [cut]"
    return UNSAFE.sub(lambda found: ascii(found[0])[1:-1], text)


def access_writer(destination: str, descriptor: int, on_recovered: Report) -> LineWriter:
    """The writer for an access log's lines; ValueError for an unknown facility."""
    facility = syslog.facility_of(destination)
    if facility is None:
        return LineWriter(descriptor, on_recovered)
    return syslog.SyslogWriter(descriptor, partial(syslog.header, facility, syslog.INFO), on_recovered)


class ErrorLog:
    """Records of one line each, with further lines indented below, in one write.

    Further lines come from `traceback`, or with `lines=True` from the text itself; any other line feed in a
    text, which may be a client's, is escaped.  `role` ("master", "worker 2") is to be set after a fork.  No
    text and no trouble with the descriptor makes a record raise.
    """

    def __init__(
        self,
        destination: str,
        descriptor: int,
        level: str = "info",
        *,
        role: str = "master",
        name: str = "error log",
        clock: Callable[[], float] = time.time,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """`name` is what lost lines are reported of.  Raises what configure() raises."""
        self._clock = clock
        self._name = name
        self._environ = environ
        self._role = role
        self.configure(destination, descriptor, level)

    def configure(self, destination: str, descriptor: int, level: str) -> None:
        """Write elsewhere from now on; KeyError for an unknown level, ValueError for an unknown facility."""
        facility = syslog.facility_of(destination)
        self.level = level
        self._layout = self._layout_for(facility, descriptor)
        report = self.report_of(self._name)
        if facility is None:
            self._writer = LineWriter(descriptor, report)
        else:  # the severity differs from record to record, so the layout makes the header
            self._writer = syslog.SyslogWriter(descriptor, bytes, report)

    @property
    def level(self) -> str:
        """The least that is written, a key of LEVELS."""
        return self._level

    @level.setter
    def level(self, level: str) -> None:
        self._threshold = LEVELS[level]
        self._level = level

    @property
    def role(self) -> str:
        """Who speaks, without its pid."""
        return self._role

    @role.setter
    def role(self, role: str) -> None:
        self._role = role
        self._writer.forget()

    def debug(self, text: str, *, traceback: str = "", lines: bool = False) -> None:
        """For those who develop forkserver or a handler."""
        self._record("debug", text, traceback, lines)

    def info(self, text: str, *, traceback: str = "", lines: bool = False) -> None:
        """What happens in the ordinary run of things, a peer's mistakes included."""
        self._record("info", text, traceback, lines)

    def warning(self, text: str, *, traceback: str = "", lines: bool = False) -> None:
        """Someone should look at it some day."""
        self._record("warning", text, traceback, lines)

    def error(self, text: str, *, traceback: str = "", lines: bool = False) -> None:
        """A request or a process came to harm."""
        self._record("error", text, traceback, lines)

    def report_of(self, name: str) -> Report:
        """An `on_recovered` for the writer of the log called `name`."""

        def report(count: int, reason: str) -> None:
            self.warning(f"{name}: {count} {'line' if count == 1 else 'lines'} lost: {reason}")

        return report

    def _record(self, level: str, text: str, traceback: str, lines: bool) -> None:
        severity = LEVELS[level]
        if severity > self._threshold:
            return
        before, before_others = self._layout(level, severity)
        first, *others = text.split("\n") if lines else [text]
        if traceback:
            others += traceback.rstrip("\n").split("\n")
        record = [before + safe(first), *(before_others + safe(line) for line in others)]
        self._writer.write(("\n".join(record) + "\n").encode(), len(record))

    # --- the three forms: what stands before the first line of a record, and before its others ---

    def _layout_for(self, facility: int | None, descriptor: int) -> Callable[[str, int], tuple[str, str]]:
        if facility is not None:
            return partial(self._syslog_layout, facility)
        return self._journal_layout if is_journal(descriptor, self._environ) else self._file_layout

    def _file_layout(self, level: str, _severity: int) -> tuple[str, str]:
        return f"{iso_date(self._clock())} [{level}] {self._role}[{os.getpid()}]: ", "    "

    def _journal_layout(self, _level: str, severity: int) -> tuple[str, str]:
        return f"<{severity}>{self._role}[{os.getpid()}]: ", f"<{severity}>    "

    def _syslog_layout(self, facility: int, _level: str, severity: int) -> tuple[str, str]:
        head = syslog.header(facility, severity).decode()
        return head, head + "    "


def is_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Whether a descriptor is the stream to the journal that JOURNAL_STREAM names (systemd.exec(5))."""
    if descriptor < 0 or not environ.get("JOURNAL_STREAM"):
        return False
    try:
        status = os.fstat(descriptor)
    except OSError:  # closed: the first write will find out and count
        return False
    return environ["JOURNAL_STREAM"] == f"{status.st_dev}:{status.st_ino}"
