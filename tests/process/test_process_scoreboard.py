"""The memory that all processes share."""

from __future__ import annotations

import os
import signal

from hypothesis import given
from hypothesis import strategies as st

from forkserver.process import forking
from forkserver.process.scoreboard import BUCKETS, LINE, Scoreboard, Word

BIG = st.integers(0, 2**63)
TIMES = st.floats(0, 1e9)


def test_what_a_child_writes_its_parent_reads() -> None:
    board = Scoreboard(4)
    board.give(2, 7, 100.0)

    def child() -> None:
        slot = board.slots[2]
        slot.words[Word.PID] = os.getpid()
        slot.count(3, 40, 5000)
        slot.begin(b"GET /x HTTP/1.1", 101.0, 161.0)

    pid = forking.fork("child", child)
    assert os.waitpid(pid, 0)[1] == 0
    seat = board.slots[2].read(2)
    assert (seat.pid, seat.generation, seat.born) == (pid, 7, 100.0)
    assert (seat.connections, seat.requests, seat.sent) == (3, 40, 5000)
    assert (seat.line, seat.began, seat.deadline) == ("GET /x HTTP/1.1", 101.0, 161.0)
    others = [board.slots[number].read(number) for number in (0, 1, 3)]
    assert [(other.pid, other.requests, other.line) for other in others] == [(0, 0, "")] * 3


def test_the_line_outlives_the_writer() -> None:
    """It is what a death report names."""
    board = Scoreboard(1)

    def child() -> None:
        board.slots[0].begin(b"GET /kill HTTP/1.1", 1.0, 2.0)
        os.kill(os.getpid(), signal.SIGKILL)

    pid = forking.fork("child", child)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert board.slots[0].read(0).line == "GET /kill HTTP/1.1"


@given(BIG, BIG, BIG, TIMES, TIMES, st.binary(min_size=1, max_size=2 * LINE))
def test_any_figures_come_back(
    connections: int, requests: int, sent: int, began: float, deadline: float, line: bytes
) -> None:
    board = Scoreboard(2)
    slot = board.slots[1]
    slot.count(connections, requests, sent)
    slot.begin(line, began, deadline)
    seat = slot.read(1)
    assert (seat.connections, seat.requests, seat.sent) == (connections, requests, sent)
    assert (seat.began, seat.deadline) == (began, deadline)
    assert seat.line == line[:LINE].decode("latin-1")
    slot.end()
    seat = slot.read(1)
    assert (seat.line, seat.deadline) == ("", 0.0)


def test_a_seat_is_given_clean() -> None:
    board = Scoreboard(2)
    slot = board.slots[0]
    slot.count(1, 2, 3)
    slot.begin(b"GET / HTTP/1.0", 1.0, 2.0)
    board.hold(slot, 5, 1)
    board.give(0, 9, 50.0)
    seat = slot.read(0)
    assert (seat.generation, seat.born) == (9, 50.0)
    assert (seat.pid, seat.connections, seat.requests, seat.sent, seat.line) == (0, 0, 0, 0, "")
    assert board.hold(slot, 5, 0) == 0


def test_a_clients_connections_are_counted_over_all_seats() -> None:
    board = Scoreboard(3)
    for seat in range(3):
        board.give(seat, 1, 0.0)
    one, two, three = board.slots
    assert board.hold(one, 5, 1) == 1
    assert board.hold(two, 5, 1) == 2
    assert board.hold(two, 6, 1) == 1
    assert board.hold(three, 5 + BUCKETS, 1) == 3  # one bucket
    assert board.hold(three, -1, 1) == 1  # a hash may be negative
    assert board.hold(two, 5, -1) == 2
    board.slots[0].clear()  # its worker died
    assert board.hold(two, 5, 0) == 1


def test_seats_that_nobody_ever_took_are_not_asked() -> None:
    board = Scoreboard(3)
    board.give(0, 1, 0.0)
    board.hold(board.slots[2], 5, 1)
    assert board.hold(board.slots[0], 5, 1) == 1
    board.give(1, 1, 0.0)
    assert board.hold(board.slots[0], 5, 1) == 2
