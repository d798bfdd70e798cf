"""Where a log goes: a destination's descriptor, and its renewal behind an unchanged number.

Knows files, pipes and the names `stdout`, `stderr`, `syslog` and `none`; nothing of lines.
"""

from __future__ import annotations

import contextlib
import os
import stat

from forkserver.log import syslog

FILE_MODE = 0o640
FOLDER_MODE = 0o750
STANDARD = {"stdout": 1, "stderr": 2}
NONE = "none"


def open_destination(destination: str, syslog_socket: str = syslog.SOCKET) -> int:
    """A descriptor, close-on-exec, for a path or one of `stdout`, `stderr`, `syslog`, `syslog:FACILITY`,
    `none` (-1).

    Raises OSError (with the path) for what cannot be opened, ValueError for an unknown facility.
    """
    if destination == NONE:
        return -1
    if destination in STANDARD:
        return open_standard(STANDARD[destination])
    if syslog.facility_of(destination) is not None:
        return syslog.connect(syslog_socket)
    return open_path(destination)


def open_standard(number: int) -> int:
    """Another descriptor for one of the standard streams.

    A pipe is opened anew, since it is shared with whoever started us: only our side may be non-blocking, so that a
    reader who has stalled costs lines and never makes us wait.
    """
    if not stat.S_ISFIFO(os.fstat(number).st_mode):
        return os.dup(number)
    return os.open(f"/proc/self/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def is_path(destination: str) -> bool:
    """Whether a destination is a file's name and none of the words; ValueError for an unknown facility."""
    return not (destination == NONE or destination in STANDARD or syslog.facility_of(destination) is not None)


def open_path(path: str) -> int:
    """Open a file for appending, made with its folders where missing; a fifo never makes us wait."""
    make_folders(os.path.dirname(path))
    # A fifo is opened for both ends: so it needs no reader yet, and outlives the one it has (fifo(7)).
    how = os.O_RDWR if is_fifo(path) else os.O_WRONLY | os.O_APPEND | os.O_CREAT
    return os.open(path, how | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, FILE_MODE)


def is_fifo(path: str) -> bool:
    """Whether a fifo stands at `path`."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def make_folders(folder: str) -> None:
    """Make a folder and those above it with FOLDER_MODE (os.makedirs would give that to the last only)."""
    if not folder or os.path.isdir(folder):
        return
    make_folders(os.path.dirname(folder))
    with contextlib.suppress(FileExistsError):  # someone was quicker; if it is no folder, opening the file says so
        os.mkdir(folder, FOLDER_MODE)


def put_in_place(fresh: int, descriptor: int) -> None:
    """Make the number `descriptor` mean the file of `fresh`, which is closed; atomic for other threads."""
    try:
        os.dup2(fresh, descriptor, inheritable=False)
    finally:
        os.close(fresh)


def capture(descriptor: int) -> None:
    """Have standard output and standard error lead to a log that is a regular file, else nowhere.

    A fifo of ours never waits and a socket takes records: who prints expects neither.  Programs that are started
    inherit both streams.
    """
    regular = descriptor >= 0 and stat.S_ISREG(os.fstat(descriptor).st_mode)
    target = os.dup(descriptor) if regular else os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    for number in STANDARD.values():
        os.dup2(target, number)
    os.close(target)


class LogFile:
    """An open log: `descriptor` is one number for life (-1 for none), whatever file it means by now."""

    def __init__(self, destination: str, syslog_socket: str = syslog.SOCKET) -> None:
        """Raises what open_destination() raises."""
        self.destination = destination
        self.syslog_socket = syslog_socket
        self.descriptor = open_destination(destination, syslog_socket)

    def reopen(self) -> None:
        """Open the destination anew; on OSError the old file stays in use."""
        if self.descriptor >= 0:
            put_in_place(open_destination(self.destination, self.syslog_socket), self.descriptor)

    def moved(self) -> bool:
        """Whether the path no longer names the open file: it was renamed, deleted or replaced.

        True until reopen() succeeds.  False for what is no path, and where the path may not be looked at.
        """
        if self.descriptor < 0 or not is_path(self.destination):
            return False
        held = os.fstat(self.descriptor)
        try:
            named = os.stat(self.destination)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:  # no permission, say: nobody knows, and reopening would fail as well
            return False
        return (named.st_dev, named.st_ino) != (held.st_dev, held.st_ino)

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back; once."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
