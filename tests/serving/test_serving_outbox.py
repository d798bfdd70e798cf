"""What waits of a reply: it comes out in its order, never more than there is room for, and nobody sleeps for ever."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.serving import outbox as module
from forkserver.serving.outbox import PORTION, Outbox

PATIENCE = 30.0  # seconds; never waited for unless something is wrong


@pytest.fixture
def hectic() -> Iterator[None]:
    """Threads take turns far more often than usual, and so in many more places."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def drained(box: Outbox) -> bytes:
    pieces = []
    while portion := box.take():
        pieces.append(portion)
    return b"".join(pieces)


def aside(work: Any) -> threading.Thread:
    """Do something in a thread of its own."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def joined(thread: threading.Thread) -> None:
    thread.join(PATIENCE)
    assert not thread.is_alive(), "it sleeps for ever"


def test_small_pieces_come_out_as_one() -> None:
    box = Outbox(100, 100)
    assert not box.waiting
    assert all([box.put(b"a"), box.put(b"bc"), box.put(b"def")])
    assert box.waiting
    assert box.take() == b"abcdef"
    assert not box.waiting
    assert box.take() == b""


def test_portions_have_a_size_that_a_socket_may_take() -> None:
    box = Outbox(1 << 30, 0)
    for _ in range(9):
        box.put(bytes(PORTION // 4))
    assert [len(box.take()) for _ in range(4)] == [PORTION, PORTION, PORTION // 4, 0]


def test_from_memory_to_the_file_and_back_to_memory() -> None:
    box = Outbox(4, 100)
    assert box.put(b"abc")
    assert not box.spooling
    assert box.put(b"de")  # memory is full
    assert box.spooling
    assert box.put(b"f")  # there would be room in memory, but it would overtake what is in the file
    assert list(box.pieces) == [b"abc"]
    assert box.take() == b"abc"
    assert box.put(b"g")
    assert not box.pieces
    assert box.take() == b"defg"
    assert not box.spooling
    assert box.put(b"hi")
    assert list(box.pieces) == [b"hi"]
    assert box.take() == b"hi"
    box.close()


def test_a_piece_larger_than_memory_stays_there_when_nothing_else_waits() -> None:
    box = Outbox(4, 0)
    assert box.put(b"larger than that")
    assert not box.put(b"x")
    assert box.take() == b"larger than that"
    assert box.put(b"x")


def test_full_is_full_and_nothing_of_a_refused_piece_is_kept() -> None:
    box = Outbox(4, 6)
    assert box.put(b"abcd")
    assert box.put(b"efgh")
    assert not box.put(b"ijk")
    assert box.put(b"ij")
    assert not box.put(b"k")
    assert box.take() == b"abcd"
    assert not box.put(b"k")  # the room of a file is free when all of it was read
    assert box.take() == b"efghij"
    assert box.put(b"k")
    assert drained(box) == b"k"
    box.close()


def test_a_full_disk_is_a_full_box(monkeypatch: pytest.MonkeyPatch) -> None:
    written = os.pwrite
    room = [5]

    def pwrite(descriptor: int, data: memoryview, offset: int) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        size = written(descriptor, data[: room[0]], offset)
        room[0] -= size
        return size

    monkeypatch.setattr(module.os, "pwrite", pwrite)
    box = Outbox(2, 100)
    assert box.put(b"ab")
    assert box.put(b"cd")
    assert not box.put(b"efghi")  # three bytes of it are on the disk, and count for nothing
    room[0] = 100
    assert box.put(b"efghi")
    assert drained(box) == b"abcdefghi"
    box.close()


def test_without_a_file_there_is_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(**settings: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(tempfile, "TemporaryFile", none)
    box = Outbox(2, 100)
    assert box.put(b"ab")
    assert not box.put(b"c")
    assert box.take() == b"ab"
    assert box.put(b"c")
    assert box.take() == b"c"


def test_a_disk_that_gives_less_than_it_took_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Outbox(0, 100)
    box.put(b"a")
    box.put(b"bc")
    assert box.take() == b"a"
    monkeypatch.setattr(module.os, "pread", lambda *where: b"")
    with pytest.raises(OSError, match="cannot be read back"):
        box.take()
    box.close()


def test_closed_it_takes_nothing_and_holds_nothing() -> None:
    box = Outbox(1, 100)
    box.put(b"a")
    box.put(b"bcd")
    before = len(os.listdir("/proc/self/fd"))
    box.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1
    assert box.take() == b""
    with pytest.raises(ConnectionAbortedError):
        box.put(b"e")
    box.close()


def test_one_who_was_about_to_write_to_the_file_is_told() -> None:
    """It has seen that nobody closed the box, and comes to the file when that is gone: it makes no other one."""
    box = Outbox(1, 100)
    box.put(b"a")
    caught: list[BaseException] = []

    def put() -> None:
        try:
            box.put(b"bcd")
        except ConnectionAbortedError as error:
            caught.append(error)

    class Gate:
        """The file's lock, which the one who puts comes to just when the other one closes."""

        def __enter__(self) -> None:
            if threading.current_thread() is putting:
                at_the_gate.set()
                assert closed.wait(PATIENCE)

        def __exit__(self, *raised: object) -> None:
            pass

    at_the_gate, closed = threading.Event(), threading.Event()
    putting = threading.Thread(target=put, daemon=True)
    gate: Any = Gate()
    box._lock = gate
    putting.start()
    assert at_the_gate.wait(PATIENCE)
    box.close()
    closed.set()
    joined(putting)
    assert len(caught) == 1
    assert box._file is None


class Turn:
    """Stands where the length of the pieces is asked for, and lets the other one have a turn just then."""

    def __init__(self, pieces: Any, turn: Any) -> None:
        self.pieces, self.turn = pieces, turn

    def __bool__(self) -> bool:
        there = bool(self.pieces)
        if not there and self.turn:
            turn, self.turn = self.turn, None
            turn()
        return there

    def __getattr__(self, name: str) -> Any:
        return getattr(self.pieces, name)

    def __getitem__(self, number: int) -> bytes:
        piece: bytes = self.pieces[number]
        return piece


def test_what_comes_while_one_goes_to_the_file_is_not_overtaken() -> None:
    """Memory is found empty; a piece comes there, and the next one to the file, which is looked at now."""
    box = Outbox(4, 100)

    def turn() -> None:
        assert box.put(b"abcd")
        assert box.put(b"efgh")

    pieces: Any = Turn(box.pieces, turn)
    box.pieces = pieces
    assert drained(box) == b"abcdefgh"
    box.close()


@given(
    steps=st.lists(st.one_of(st.integers(1, 12), st.just("take"), st.just("drain")), max_size=60),
    memory=st.integers(0, 10),
    spool=st.integers(0, 20),
)
def test_any_order_of_puts_and_takes_gives_the_bytes_in_order(steps: list[Any], memory: int, spool: int) -> None:
    box = Outbox(memory, spool)
    put, got, letters = bytearray(), bytearray(), iter(range(10**6))
    largest = 0
    for step in steps:
        if step == "take":
            got += box.take()
        elif step == "drain":
            got += drained(box)
        else:
            piece = bytes(next(letters) % 251 for _ in range(step))
            while not box.put(piece):
                assert box.waiting  # else nobody would ever make room
                got += box.take()
            put += piece
            largest = max(largest, step)
            assert box._written <= spool
            assert sum(map(len, box.pieces)) <= max(memory, largest)
    got += drained(box)
    assert got == put
    assert not box.waiting
    box.close()


@pytest.mark.parametrize(("memory", "spool"), [(100, 0), (100, 300), (1000, 100_000)])
def test_two_threads(hectic: None, memory: int, spool: int) -> None:
    """One puts and waits for room, the other takes as fast as it can."""
    box = Outbox(memory, spool)
    total = 20_000
    failed: list[BaseException] = []
    done = threading.Event()

    def put() -> None:
        try:
            for number in range(total):
                piece = b"%06d," % number
                while not box.put(piece):
                    box.wait()
        except BaseException as error:
            failed.append(error)
        done.set()

    putting = aside(put)
    got = []
    while not done.is_set():
        got.append(box.take())
    got.append(drained(box))
    joined(putting)
    assert not failed
    assert b"".join(got) == b"".join(b"%06d," % number for number in range(total))
    box.close()


def full_box() -> Outbox:
    box = Outbox(1, 2)
    assert box.put(b"a")
    assert box.put(b"bc")
    assert not box.put(b"d")
    return box


def test_who_waits_is_woken_by_a_take() -> None:
    box = full_box()
    waiting = aside(box.wait)
    while not box._gates:
        pass
    assert box.take() == b"a"
    joined(waiting)
    box.close()


def test_who_waits_is_woken_by_the_end() -> None:
    box = full_box()
    waiting = aside(box.wait)
    while not box._gates:
        pass
    box.close()
    joined(waiting)


def test_who_comes_to_wait_when_all_is_taken_does_not_sleep() -> None:
    """There was no room, and before it could begin to wait all was taken: nobody would take anything to wake it."""
    box = full_box()
    assert drained(box) == b"abc"
    joined(aside(box.wait))
    assert box.put(b"d")
    box.close()


def test_who_comes_to_wait_after_the_end_does_not_sleep() -> None:
    box = full_box()
    box.close()
    joined(aside(box.wait))
    with pytest.raises(ConnectionAbortedError):
        box.put(b"d")


def test_who_did_not_need_to_wait_leaves_nothing_that_keeps_the_next_from_being_woken() -> None:
    box = full_box()
    drained(box)
    box.wait()  # returns at once
    assert box.put(b"a")
    assert box.put(b"bc")
    waiting = aside(box.wait)
    while len(box._gates) < 2:
        pass
    box.take()
    joined(waiting)
    assert not box._gates
    box.close()
