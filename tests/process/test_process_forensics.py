"""What is said of a worker that died or hangs."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from forkserver.process import forensics
from forkserver.process.forensics import Oom
from forkserver.process.forking import FAULT
from forkserver.process.scoreboard import InProgress, Seat

SLOW = InProgress("GET /slow HTTP/1.1", "192.0.2.1", 100.0, 160.0, 0, 3)
QUICK = InProgress("GET /quick\n HTTP/1.1", "", 102.0, 162.0, 0, 0)


def seat(*requests: InProgress) -> Seat:
    return Seat(3, 4711, 2, 5, 1234, 0, 45.0, requests)


def death(code: int, *requests: InProgress, **more: Any) -> list[str]:
    return forensics.death(code, seat(*requests), 105.0, **more).split("\n")


def test_an_exit_without_an_error_and_with_nothing_in_hand_is_one_line() -> None:
    assert death(0, last=QUICK, stack="something old", oom=Oom(0, 1.0, "memory.events")) == ["exited with 0"]


def test_an_exit_names_all_requests_in_hand() -> None:
    assert death(3, SLOW, QUICK, last=QUICK) == [
        "exited with 3 while serving 'GET /slow HTTP/1.1'",
        "generation 2, 1234 requests served, up 60.0 s",
        "serving 'GET /slow HTTP/1.1' of 192.0.2.1 for 5.0 s",
        r"serving 'GET /quick\n HTTP/1.1' for 3.0 s",
        "the server never exits with 3: an application ended the process, by os._exit() or in C code",
    ]


def test_an_end_with_nothing_in_hand_names_the_last_request() -> None:
    last = "with nothing in hand; the last call was for 'GET /slow HTTP/1.1' of 192.0.2.1, begun 5.0 s before"
    by_itself = "the server never exits with 3: an application ended the process, by os._exit() or in C code"
    up = "generation 2, 1234 requests served, up 60.0 s"
    assert death(3, last=SLOW) == ["exited with 3", up, last, by_itself]
    assert death(-signal.SIGABRT, last=SLOW) == ["was killed by SIGABRT", up, last]
    assert death(FAULT, last=SLOW) == ["exited with 70: an error of its own, told above or on standard error", up, last]
    assert last not in death(3, SLOW, last=SLOW)


def test_a_signal_is_named_with_the_stack_it_left() -> None:
    assert death(-signal.SIGSEGV, SLOW, stack="Fatal Python error: Segmentation fault\n\nCurrent thread\n") == [
        "was killed by SIGSEGV while serving 'GET /slow HTTP/1.1'",
        "generation 2, 1234 requests served, up 60.0 s",
        "serving 'GET /slow HTTP/1.1' of 192.0.2.1 for 5.0 s",
        "Fatal Python error: Segmentation fault",
        "",
        "Current thread",
    ]


def test_a_signal_without_work_in_hand() -> None:
    assert death(-signal.SIGBUS) == ["was killed by SIGBUS", "generation 2, 1234 requests served, up 60.0 s"]


@pytest.mark.parametrize("file", ["memory.events", "memory.oom_control"])
def test_want_of_memory_is_told_as_the_kernel_counts_it(file: str) -> None:
    count = f"oom_kill in {file} of its control group"
    rose, stayed = (death(-signal.SIGKILL, oom=Oom(kills, 1.5, file))[-1] for kills in (2, 0))
    assert rose.startswith(f"the kernel killed for want of memory: {count} rose by 2 in the last 1.5 s ")
    assert stayed == f"not for want of memory: {count} did not rise"
    assert "oom" not in "".join(death(-signal.SIGKILL, oom=None))


def test_a_long_stack_is_bounded() -> None:
    assert len(death(-signal.SIGSEGV, stack="frame\n" * 100_000)) < 210


def test_a_clients_name_cannot_break_the_line() -> None:
    forger = InProgress("GET / HTTP/1.1", "1\n2", 100.0, 0.0, 0, 0)
    assert forensics.serving(forger, 101.0) == r"serving 'GET / HTTP/1.1' of 1\n2 for 1.0 s"
