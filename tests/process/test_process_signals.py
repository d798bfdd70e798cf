"""Signals as numbers, and the fork that keeps them apart."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from forkserver.process import forking, kinship
from forkserver.process.signals import Signals, handlers, ignore, put_back, release
from tests.daemons import PATIENCE, wait_for_end

WANTED = [signal.SIGUSR1, signal.SIGHUP]


@pytest.fixture
def signals() -> Iterator[Signals]:
    made = Signals(WANTED)
    yield made
    made.close()
    assert [signal.getsignal(number) for number in WANTED] == [signal.SIG_DFL] * 2


def status_of(main: Callable[[], int | None]) -> int:
    """The code that a child ends with."""
    pid = forking.fork("child", main)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_each_signal_is_read_once_in_order(signals: Signals) -> None:
    assert signals.read() == []
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGHUP):
        os.kill(os.getpid(), number)
    assert select.select([signals], [], [], PATIENCE)[0]
    assert signals.read() == [signal.SIGHUP, signal.SIGUSR1]
    assert signals.read() == []


def test_a_child_that_lets_go_does_not_speak_to_its_parent(signals: Signals) -> None:
    def child() -> int:
        signals.close()
        ignore(*WANTED)
        release()
        os.kill(os.getpid(), signal.SIGHUP)
        return 7

    assert status_of(child) == 7
    assert signals.read() == []


def test_what_is_ignored_is_none_of_those_that_are_read(signals: Signals) -> None:
    before = signal.getsignal(signal.SIGUSR2)
    ignore(signal.SIGUSR2)
    try:
        for number in (signal.SIGUSR2, signal.SIGHUP):
            os.kill(os.getpid(), number)
        assert signals.read() == [signal.SIGHUP]
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_what_is_ignored_is_not_so_in_a_program_that_is_executed() -> None:
    def child() -> int:
        ignore(*WANTED)
        release()
        for number in WANTED:
            os.kill(os.getpid(), number)
        words = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True).stdout
        masks = dict(line.split(":\t") for line in words.splitlines() if line.startswith("Sig"))
        ours = sum(1 << (number - 1) for number in WANTED)  # whoever runs the tests may ignore others
        return 1 if (int(masks["SigIgn"], 16) | int(masks["SigBlk"], 16)) & ours else 0

    assert status_of(child) == 0


def test_closing_twice_leaves_alone_what_came_since() -> None:
    made = Signals(WANTED)
    made.close()
    reader, writer = os.pipe()  # the same numbers again
    before = signal.signal(WANTED[0], signal.SIG_IGN)
    try:
        made.close()
        assert signal.getsignal(WANTED[0]) == signal.SIG_IGN
    finally:
        signal.signal(WANTED[0], before)
        os.close(reader)
        os.close(writer)


def test_no_signal_reaches_a_child_before_it_has_arranged_its_own() -> None:
    def child() -> int:
        os.kill(os.getpid(), signal.SIGTERM)  # pending: everything is blocked
        mine = Signals([signal.SIGTERM])
        assert mine.read() == []
        release()
        assert select.select([mine], [], [], PATIENCE)[0]
        return 7 if mine.read() == [signal.SIGTERM] else 8

    assert status_of(child) == 7


def test_the_parents_mask_is_as_before() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    try:
        assert status_of(lambda: 0) == 0
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before | {signal.SIGUSR2}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_child_ends_with_the_status_of_its_main() -> None:
    assert [status_of(lambda: None), status_of(lambda: 0), status_of(lambda: 5)] == [0, 0, 5]


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(0), KeyboardInterrupt()], ids=repr)
def test_a_child_never_returns_and_says_why(capfd: pytest.CaptureFixture[str], error: BaseException) -> None:
    def child() -> None:
        raise error

    assert status_of(child) == forking.FAULT
    told = capfd.readouterr().err
    assert "forkserver: child[" in told
    assert "ended by an error of its own\nTraceback" in told
    assert type(error).__name__ in told


def test_a_child_never_returns_whatever_status_it_gives() -> None:
    assert status_of(lambda: (1 << 40) + 7) == 7


def test_a_child_ends_even_when_what_it_printed_cannot_be_written() -> None:
    def child() -> int:
        sys.stdout = open("/dev/full", "w", buffering=4096)  # noqa: SIM115 - closed with the process
        print("lost")
        return 7

    assert status_of(child) == 7


def test_what_was_printed_before_a_fork_is_written_once(capfd: pytest.CaptureFixture[str]) -> None:
    def child() -> None:
        print("by the child")

    print("by the parent")
    assert status_of(child) == 0
    assert capfd.readouterr().out.splitlines() == ["by the parent", "by the child"]


def test_endings_in_words() -> None:
    assert forking.ending(3) == "exited with 3"
    assert forking.ending(0) == "exited with 0"
    assert forking.ending(-9) == "was killed by SIGKILL"
    assert forking.ending(-40) == "was killed by signal 40"  # a real-time signal without a name


def test_killing_what_has_ended_is_no_trouble() -> None:
    pid = forking.fork("child", lambda: None)
    assert os.waitpid(pid, 0)[0] == pid
    forking.kill(pid)
    assert not os.path.exists(f"/proc/{pid}")


def test_the_ended_are_reaped_with_their_codes() -> None:
    """In a child of its own, as reaping takes everybody."""

    def parent() -> int:
        assert list(forking.ended()) == []
        pids = [forking.fork("child", partial(int, code)) for code in (0, 3)]
        for pid in pids:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return 0 if dict(forking.ended()) == {pids[0]: 0, pids[1]: 3} else 1

    assert status_of(parent) == 0


def test_orphans_come_to_who_adopts_them() -> None:
    def adopter() -> int:
        kinship.adopt_orphans()
        reader, writer = os.pipe()

        def between() -> None:
            grandchild = forking.fork("grandchild", lambda: 9)
            os.write(writer, str(grandchild).encode())

        child = forking.fork("between", between)
        assert os.waitpid(child, 0)[1] == 0
        grandchild = int(os.read(reader, 20))
        return os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1])

    assert status_of(adopter) == 9


def test_a_child_that_ends_with_its_parent() -> None:
    reader, writer = os.pipe()

    def parent() -> None:
        me = os.getpid()

        def child() -> None:
            kinship.end_with(me)
            release()
            os.write(writer, str(os.getpid()).encode())
            signal.pause()

        forking.fork("child", child)
        release()
        signal.pause()

    pid = forking.fork("parent", parent)
    child = int(os.read(reader, 20))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    wait_for_end(child)  # fails when it does not
    assert child != pid
    os.close(reader)
    os.close(writer)


def test_a_child_whose_parent_has_gone_already_ends() -> None:
    def child() -> int:
        kinship.end_with(1 << 22)  # nobody's pid, so not our parent's
        return 7

    assert status_of(child) == -signal.SIGKILL


def test_handlers_are_put_back() -> None:
    before = handlers()
    kept = signal.getsignal(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, lambda number, frame: None)
    try:
        assert put_back(before) == [signal.SIGUSR2]
        assert signal.getsignal(signal.SIGUSR2) == kept
        assert put_back(before) == []
    finally:
        signal.signal(signal.SIGUSR2, kept)
