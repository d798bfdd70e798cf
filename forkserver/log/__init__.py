"""Logs: the error log, the access log, and whole lines to wherever they go.

`error.py` is the error log, `slow.py` the slow log, `format.py` and `letters.py` the lines of the access log,
`file.py` the destinations and their renewal, `writer.py` and `syslog.py` bring lines there.
Nothing here knows when a line is due.
"""

from forkserver.log.error import LEVELS, ErrorLog, access_writer
from forkserver.log.file import NONE, STANDARD, LogFile, capture, is_path, open_destination, put_in_place
from forkserver.log.format import AccessFormat, Exchange, compile_format
from forkserver.log.slow import slow_log, slow_record
from forkserver.log.writer import LineWriter

__all__ = [
    "LEVELS",
    "NONE",
    "STANDARD",
    "AccessFormat",
    "ErrorLog",
    "Exchange",
    "LineWriter",
    "LogFile",
    "access_writer",
    "capture",
    "compile_format",
    "is_path",
    "open_destination",
    "put_in_place",
    "slow_log",
    "slow_record",
]
