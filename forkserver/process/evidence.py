"""What explains a worker's end, or what it is stuck in: its stack, written by itself, and the count of OOM kills.

A worker's stack is written by the faulthandler module, in C and without the interpreter's lock, into a file in memory
of which the master holds a descriptor: so it is there even when the process is not.  Knows files and signals; the words
are those of `forensics.py`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal

from forkserver.process import forensics
from forkserver.process.messages import discard
from forkserver.process.oomkills import OomKills
from forkserver.process.scoreboard import InProgress, Seat

ASK = signal.SIGRTMIN + 5  # has a worker write down what it is doing
MOST = 1 << 18  # bytes of a stack that are read


def keep_notes() -> int:
    """In a worker, before anything else: have its stack written down should a signal end it or the master ask for it.

    Gives the descriptor of the file in memory (memfd_create(2)), -1 when the system will not have one: then the
    worker lives as well, and its end is told without a stack.
    """
    try:
        notes = os.memfd_create("forkserver-notes", os.MFD_CLOEXEC)
    except OSError:
        return -1
    faulthandler.enable(file=notes, all_threads=True)
    faulthandler.register(ASK, file=notes, all_threads=True, chain=False)
    return notes


class Notes:
    """The master's side of that file; the owner of its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.read = 0  # bytes so far

    def fresh(self) -> str:
        """What was written since the last call.  The place in the file is the writer's, so ours is kept here."""
        size = os.fstat(self.descriptor).st_size
        begin, self.read = max(self.read, size - MOST), size
        return os.pread(self.descriptor, size - begin, begin).decode("utf-8", "replace")

    def close(self) -> None:
        os.close(self.descriptor)


def ask(pid: int) -> bool:
    """Have a worker write down what it is doing; False when it cannot.

    Where an application has taken the handler away, the signal would end the process.
    """
    if not _catches(pid, ASK):
        return False
    with contextlib.suppress(ProcessLookupError):  # it ended in this very moment
        os.kill(pid, ASK)
    return True


def _catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal (SigCgt in proc(5))."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
            masks = [int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return any(mask >> (number - 1) & 1 for mask in masks)


class Evidence:
    """All that the master holds of this kind."""

    def __init__(self) -> None:
        self.notes: dict[int, Notes] = {}  # by seat
        self.oom_kills = OomKills()

    def take(self, seat: int, descriptors: tuple[int, ...]) -> None:
        """What came beside a worker's first word: the descriptor of its notes, if anything."""
        self.drop(seat)
        if descriptors:
            self.notes[seat] = Notes(descriptors[0])
            discard(*descriptors[1:])

    def drop(self, seat: int) -> None:
        """The worker is buried."""
        if notes := self.notes.pop(seat, None):
            notes.close()

    def let_go(self) -> None:
        """In a child of the master."""
        for seat in list(self.notes):
            self.drop(seat)

    def of_death(self, code: int, reading: Seat, now: float, *, by_us: bool, last: InProgress | None = None) -> str:
        """How a worker ended; `code` as os.waitstatus_to_exitcode() gives it, `by_us` when the master killed it.

        `last` is the request that an application was handed last.
        """
        oom = self.oom_kills.since(now)
        notes = self.notes.get(reading.seat)
        stack = notes.fresh() if notes else ""
        return forensics.death(
            code, reading, now, last=last, stack=stack, oom=oom if code == -signal.SIGKILL and not by_us else None
        )
