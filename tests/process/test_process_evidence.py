"""What a worker leaves behind: notes of its stack, written in C; what is told of its end."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import resource
import select
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from forkserver.process import evidence, forking, signals
from forkserver.process.evidence import MOST, Evidence, Notes
from forkserver.process.messages import Born, Channel
from forkserver.process.oomkills import OomKills
from forkserver.process.scoreboard import InProgress, Seat


class Worker:
    """A child that keeps notes, and our copy of them."""

    def __init__(self, life: Callable[[], object]) -> None:
        ours, theirs = Channel.pair()

        def main() -> None:
            ours.close()
            notes = evidence.keep_notes()
            assert not os.get_inheritable(notes)
            signals.release()
            theirs.send(Born(os.getpid()), (notes,))
            life()

        self.pid = forking.fork("worker", main)
        theirs.close()
        ours.wait()
        heard = ours.receive()
        ours.close()
        assert heard is not None
        ((_, (self.notes,)),) = heard

    def end(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def read_at_zero() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def wait_to_be_asked() -> None:
    while True:
        signal.pause()


def until_written(notes: Notes) -> str:
    """A file in memory cannot be waited for: look until something is there, which takes a moment."""
    for _ in range(10_000_000):
        if text := notes.fresh():
            return text
    raise AssertionError("nothing was written")


def seat_of(pid: int, *requests: InProgress) -> Seat:
    return Seat(5, pid, 1, 0, 0, 0, 0.0, requests)


def test_a_crash_leaves_its_stack() -> None:
    worker = Worker(read_at_zero)
    held = Evidence()
    held.take(5, (worker.notes,))
    code = worker.end()
    assert code == -signal.SIGSEGV
    words = held.of_death(code, seat_of(worker.pid), 1.0, by_us=False)
    assert words.startswith("was killed by SIGSEGV\n")
    assert "Fatal Python error: Segmentation fault" in words
    assert "in read_at_zero" in words
    held.drop(5)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(worker.notes)
    held.drop(5)  # there is nothing left to close


def test_who_is_asked_writes_down_what_it_is_doing_and_goes_on() -> None:
    worker = Worker(wait_to_be_asked)
    notes = Notes(worker.notes)
    try:
        assert notes.fresh() == ""
        for _ in range(2):
            text = ""
            while "in wait_to_be_asked" not in text:  # asked early it may still be on its way there
                assert evidence.ask(worker.pid)
                text += until_written(notes)
        assert os.waitpid(worker.pid, os.WNOHANG) == (0, 0)
    finally:
        os.kill(worker.pid, signal.SIGKILL)
        assert worker.end() == -signal.SIGKILL
        notes.close()


def test_who_has_no_handler_is_not_asked() -> None:
    """The signal would end it."""
    reader, writer = os.pipe()

    def life() -> None:
        faulthandler.unregister(evidence.ASK)
        os.write(writer, b"done")
        wait_to_be_asked()

    worker = Worker(life)
    assert select.select([reader], [], [], 20)[0]
    assert not evidence.ask(worker.pid)
    assert os.waitpid(worker.pid, os.WNOHANG) == (0, 0)
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.end() == -signal.SIGTERM
    assert not evidence.ask(worker.pid)
    for descriptor in (reader, writer, worker.notes):
        os.close(descriptor)


def test_long_notes_are_read_from_their_end() -> None:
    descriptor = os.memfd_create("notes")
    notes = Notes(descriptor)
    os.write(descriptor, b"x" * MOST + b"the end")
    assert len(text := notes.fresh()) == MOST
    assert text.endswith("the end")
    assert notes.fresh() == ""
    os.write(descriptor, b"more")
    assert notes.fresh() == "more"
    notes.close()


def test_more_descriptors_than_one_are_closed() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    held = Evidence()
    held.take(1, tuple(os.dup(0) for _ in range(3)))
    held.take(1, (os.dup(0),))
    held.take(2, ())
    assert len(os.listdir("/proc/self/fd")) == len(before) + 1
    held.let_go()
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_sigkill_is_told_with_the_kernels_count_unless_it_was_ours(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\noom_kill 3\n")
    held = Evidence()
    held.oom_kills = OomKills(str(events), now=10.0)
    events.write_text("low 0\noom_kill 4\n")
    words = held.of_death(-signal.SIGKILL, seat_of(7), 12.0, by_us=False)
    assert "oom_kill in memory.events of its control group rose by 1 in the last 2.0 s" in words
    assert "oom" not in held.of_death(-signal.SIGKILL, seat_of(7), 12.0, by_us=True)
    assert "oom" not in held.of_death(-signal.SIGSEGV, seat_of(7), 12.0, by_us=False)
