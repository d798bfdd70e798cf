"""The memory that all processes share."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.process import forking
from forkserver.process.scoreboard import BUCKETS, CLIENT, DESKS, LINE, InProgress, Scoreboard, Word

BIG = st.integers(0, 2**63)
TIMES = st.floats(0, 1e9)


def test_what_a_child_writes_its_parent_reads() -> None:
    board = Scoreboard(4)
    board.give(2, 7, 100.0)

    def child() -> None:
        slot = board.slots[2]
        slot.words[Word.PID] = os.getpid()
        slot.count(3, 40, 5000)
        slot.desk(0).begin(b"GET /x HTTP/1.1", "192.0.2.1", 101.0, 161.0)

    pid = forking.fork("child", child)
    assert os.waitpid(pid, 0)[1] == 0
    seat = board.slots[2].read(2)
    assert (seat.pid, seat.generation, seat.born) == (pid, 7, 100.0)
    assert (seat.connections, seat.requests, seat.sent) == (3, 40, 5000)
    assert seat.in_progress == (InProgress("GET /x HTTP/1.1", "192.0.2.1", 101.0, 161.0, 0, 0),)
    others = [board.slots[number].read(number) for number in (0, 1, 3)]
    assert [(other.pid, other.requests, other.in_progress) for other in others] == [(0, 0, ())] * 3


def test_the_line_outlives_the_writer() -> None:
    """It is what a death report names."""
    board = Scoreboard(1)

    def child() -> None:
        board.slots[0].desk(0).begin(b"GET /kill HTTP/1.1", "", 1.0, 2.0)
        os.kill(os.getpid(), signal.SIGKILL)

    pid = forking.fork("child", child)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    assert [request.line for request in board.slots[0].in_progress()] == ["GET /kill HTTP/1.1"]


@given(
    st.integers(0, DESKS - 1),
    st.tuples(BIG, BIG, BIG),
    st.tuples(TIMES, TIMES),
    BIG,
    st.binary(min_size=1, max_size=2 * LINE),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=2 * CLIENT),
)
def test_any_figures_come_back(
    number: int,
    figures: tuple[int, int, int],
    times: tuple[float, float],
    steps: int,
    line: bytes,
    client: str,
) -> None:
    board = Scoreboard(2)
    slot = board.slots[1]
    slot.count(*figures)
    desk = slot.desk(number)
    desk.begin(line, client, *times)
    seat = slot.read(1)
    assert (seat.connections, seat.requests, seat.sent) == figures
    kept = client.encode()[:CLIENT].decode("utf-8", "replace")
    assert seat.in_progress == (InProgress(line[:LINE].decode("latin-1"), kept, *times, 0, number),)
    desk.note(steps)
    desk.extend(times[0] + 1)
    (request,) = slot.in_progress()
    assert (request.steps, request.deadline, request.began) == (steps, times[0] + 1, times[0])
    desk.end()
    assert slot.in_progress() == ()
    desk.begin(b"GET / HTTP/1.1", "", 1.0, 2.0)  # nothing is left of the one before
    assert slot.in_progress() == (InProgress("GET / HTTP/1.1", "", 1.0, 2.0, 0, number),)


def test_a_request_that_lasts_is_no_slow_one() -> None:
    slot = Scoreboard(2).slots[0]
    desk = slot.desk(0)
    desk.begin(b"GET /events HTTP/1.1", "", 1.0, 2.0)
    desk.note(3)
    assert not slot.in_progress()[0].lasts
    desk.lasts()
    (request,) = slot.in_progress()
    assert request.lasts
    assert request.steps > 3  # more than anybody would log
    desk.begin(b"GET / HTTP/1.1", "", 1.0, 2.0)
    assert not slot.in_progress()[0].lasts


def test_the_last_request_is_known_when_it_is_answered() -> None:
    slot = Scoreboard(1).slots[0]
    assert slot.last() is None
    one, other, _ = (slot.desk(number) for number in range(3))
    assert slot.last() is None
    other.begin(b"GET /first HTTP/1.1", "", 1.0, 0.0)
    one.begin(b"GET /second HTTP/1.1", "192.0.2.1", 2.0, 0.0)
    one.note(2)
    read = slot.in_progress()[1]
    other.end()
    one.end()
    last = slot.last()
    assert last == read
    assert slot.in_progress() == ()
    assert slot.noted(read) == 2
    one.begin(b"GET /third HTTP/1.1", "", 3.0, 0.0)
    one.note(1)
    assert slot.noted(read) == 0


def test_many_requests_are_in_progress_and_the_longest_comes_first() -> None:
    slot = Scoreboard(2).slots[0]
    desks = [slot.desk(number) for number in range(DESKS)]
    for number, desk in enumerate(desks):
        desk.begin(b"GET /%d HTTP/1.1" % number, f"192.0.2.{number}", 1000.0 - number, 0.0)
    read = slot.in_progress()
    assert [request.desk for request in read] == list(reversed(range(DESKS)))
    assert all(request.line == f"GET /{request.desk} HTTP/1.1" for request in read)
    assert all(request.client == f"192.0.2.{request.desk}" for request in read)
    for desk in desks[:-1]:
        desk.end()
    assert [request.desk for request in slot.in_progress()] == [DESKS - 1]


@pytest.mark.parametrize("number", [-1, DESKS])
def test_there_are_no_other_desks(number: int) -> None:
    with pytest.raises(IndexError, match=f"no desk {number}"):
        Scoreboard(1).slots[0].desk(number)


def test_the_last_desk_of_a_slot_leaves_its_neighbours_alone() -> None:
    board = Scoreboard(3)
    full = b"G" * 2 * LINE
    board.slots[1].desk(DESKS - 1).begin(full, "1" * 2 * CLIENT, 1.0, 2.0)
    for seat in (0, 2):
        board.slots[seat].desk(DESKS - 1)
        board.slots[seat].desk(0)
        assert board.slots[seat].in_progress() == ()
        assert board.slots[seat].read(seat).pid == 0
    assert board.hold(board.slots[2], 0, 0) == 0


def test_a_seat_is_given_clean() -> None:
    board = Scoreboard(2)
    slot = board.slots[0]
    slot.count(1, 2, 3)
    slot.desk(7).begin(b"GET / HTTP/1.0", "192.0.2.1", 1.0, 2.0)
    board.hold(slot, 5, 1)
    board.give(0, 9, 50.0)
    seat = slot.read(0)
    assert (seat.generation, seat.born) == (9, 50.0)
    assert (seat.pid, seat.connections, seat.requests, seat.sent, seat.in_progress) == (0, 0, 0, 0, ())
    slot.desk(7)
    assert slot.in_progress() == ()
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
