"""Who is busy: by the calls in hand, and by CPU time, with the system's account of it and with one of the test's."""

from __future__ import annotations

import os
import time

import pytest

from forkserver.process.occupation import FULL, Load, Occupation, cpu_time


def idle(seat: int, requests: int = 0, desks: int = 3, lasting: int = 0) -> Load:
    return Load(seat, 1000 + seat, requests, lasting, desks)


@pytest.mark.parametrize(
    ("threads", "desks", "fewest"),
    [(8, 9, 4), (8, 3, 4), (7, 8, 4), (4, 5, 2), (3, 4, 2), (2, 3, 1), (1, 1, 1), (64, 65, 32)],
)
def test_with_half_of_its_threads_in_calls_a_worker_is_busy(threads: int, desks: int, fewest: int) -> None:
    at_rest = Occupation(lambda pid: 0.0)
    assert [len(at_rest.busy([idle(0, requests, desks)], threads, 1.0)) for requests in range(threads + 1)] == [
        requests >= fewest for requests in range(threads + 1)
    ]


def test_a_worker_that_uses_no_threads_is_busy_with_one_call() -> None:
    at_rest = Occupation(lambda pid: 0.0)
    assert at_rest.busy([idle(0, 0, desks=1), idle(1, 1, desks=1), idle(2, 1, desks=9)], 8, 1.0) == {1}


def test_replies_that_go_on_and_on_have_threads_of_their_own_where_there_are_threads() -> None:
    at_rest = Occupation(lambda pid: 0.0)
    loads = [idle(0, 9, 17, lasting=6), idle(1, 9, 17, lasting=5), idle(2, 1, 1, lasting=1)]
    assert at_rest.busy(loads, 8, 1.0) == {1, 2}


def test_a_worker_that_has_used_a_cpu_to_the_full_is_busy() -> None:
    used = {1000: 0.0, 1001: 0.0, 1002: 7.0}
    looks = Occupation(used.__getitem__)
    loads = [idle(0), idle(1), idle(2)]
    assert looks.busy(loads, 8, 100.0) == set()  # it is known how much, not since when
    used.update({1000: FULL, 1001: FULL - 0.1, 1002: 9.5})
    assert looks.busy(loads, 8, 101.0) == {0, 2}
    assert looks.busy(loads, 8, 102.0) == set()
    used[1001] += 2 * FULL
    assert looks.busy(loads, 8, 104.0) == {1}


def test_a_seat_that_somebody_else_has_taken_is_looked_at_afresh() -> None:
    looks = Occupation(float)
    assert looks.busy([Load(0, 10, 0, 0, 9)], 8, 1.0) == set()
    assert looks.busy([Load(0, 99, 0, 0, 9)], 8, 2.0) == set()
    assert looks.busy([], 8, 3.0) == set()
    assert looks.busy([Load(0, 10, 0, 0, 9)], 8, 4.0) == set()


def test_the_system_accounts_for_what_a_process_uses() -> None:
    looks = Occupation()
    ours = [Load(0, os.getpid(), 0, 0, 9)]
    assert looks.busy(ours, 8, 100.0) == set()
    before = time.process_time()
    while time.process_time() - before < 0.2:
        pass
    half = (100.0 + 0.1, 100.1 + 10)  # as if that had been in a tenth of a second; and hardly anything in ten seconds
    assert [looks.busy(ours, 8, now) for now in half] == [{0}, set()]


def test_a_process_that_has_ended_uses_nothing() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    assert cpu_time(pid) == 0.0
