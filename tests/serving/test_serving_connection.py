"""One connection by itself: what is overdue when, what a flush sends, and that everything is given back."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkserver.config.options import Limits
from forkserver.http.forwarded import Passed
from forkserver.http.request import Ends
from forkserver.http.response import FileSlice, Response
from forkserver.serving import patience
from forkserver.serving.connection import TURN, Connection, Flushed, State
from forkserver.serving.patience import GRACE, LINGER
from forkserver.serving.reply import BrokenOff, compose
from forkserver.serving.spool import Spool
from tests.serving.fakes import fake_connection, head_of

LIMITS = Limits(header_timeout=10, idle_timeout=75, body_timeout=600, read_rate=500, write_timeout=60, write_rate=500)


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    connection, client = fake_connection()
    with client:
        yield connection, client
        connection.close()


Pair = tuple[Connection, socket.socket]


@pytest.mark.parametrize(
    ("buffer", "answered", "now", "overdue"),
    [
        (b"", 0, 10.0, False),  # new and silent
        (b"", 0, 10.1, True),
        (b"GET", 0, 10.1, True),  # in the middle of a head
        (b"", 1, 75.0, False),  # at rest
        (b"", 1, 75.1, True),
        (b"G", 1, 10.1, True),  # the second request has begun
    ],
)
def test_reading_is_overdue(pair: Pair, buffer: bytes, answered: int, now: float, overdue: bool) -> None:
    connection, _ = pair
    connection.buffer, connection.answered = buffer, answered
    assert bool(patience.overdue(connection, now, LIMITS)) is overdue


@pytest.mark.parametrize("buffer", [b"", b"PROXY TCP4 "])
def test_a_proxys_greeting_is_overdue(pair: Pair, buffer: bytes) -> None:
    connection, _ = pair
    connection.state, connection.buffer = State.GREETING, buffer
    assert not patience.overdue(connection, 10.0, LIMITS)
    assert patience.overdue(connection, 10.1, LIMITS)


def test_a_new_connection_is_silent_until_something_is_said(pair: Pair) -> None:
    connection, _ = pair
    for state in (State.GREETING, State.READING):
        connection.state, connection.buffer = state, b""
        assert connection.silent
        connection.buffer = b"P"
        assert not connection.silent


def test_who_asks_is_whom_the_proxy_names_while_the_request_is_in_hand(pair: Pair) -> None:
    connection, _ = pair
    own, client = connection.ends, Ends(("192.0.2.99", 5), ("192.0.2.2", 443))
    assert (connection.peer, connection.asker) == ("192.0.2.1", own)
    connection.hear(Passed(head_of(), client, "https"))
    assert (connection.peer, connection.asker) == ("192.0.2.99", client)
    connection.hear(Passed(head_of(), None, "https"))
    assert (connection.peer, connection.asker) == ("192.0.2.1", own)
    connection.hear(None)
    assert (connection.peer, connection.asker) == ("192.0.2.1", own)
    connection.introduce(client)
    assert (connection.peer, connection.asker) == ("192.0.2.99", client)


@pytest.mark.parametrize(
    ("moved", "now", "overdue"),
    [
        (0, GRACE, False),  # too early to judge
        (0, GRACE + 0.1, True),
        (500 * 100, 100.0, False),
        (500 * 100 - 1, 100.0, True),
        (10**9, 600.0, False),
        (10**9, 600.1, True),  # quick, and yet too long
    ],
)
def test_a_body_is_overdue(pair: Pair, moved: int, now: float, overdue: bool) -> None:
    connection, _ = pair
    connection.enter(State.BODY, 0.0)
    connection.moved = moved
    assert bool(patience.overdue(connection, now, LIMITS)) is overdue


def test_no_rate_means_any_rate(pair: Pair) -> None:
    connection, _ = pair
    connection.enter(State.BODY, 0.0)
    assert patience.overdue(connection, 599.0, Limits(body_timeout=600, read_rate=0)) == ""


def full(connection: Connection) -> int:
    """Fill the socket; how many bytes it took."""
    sent = 0
    while True:
        try:
            sent += connection.send(bytes(1 << 16))
        except BlockingIOError:
            return sent


def test_a_reply_is_overdue_when_the_client_takes_nothing(pair: Pair) -> None:
    connection, _ = pair
    connection.enter(State.WRITING, 0.0)
    connection.moved = full(connection)
    connection.taken = connection.moved - connection.unsent()
    assert patience.overdue(connection, 4.0, LIMITS) == ""
    assert patience.overdue(connection, 60.1, LIMITS) == "the client takes nothing"


def test_a_client_that_reads_has_time_though_we_send_nothing(pair: Pair) -> None:
    connection, client = pair
    connection.enter(State.WRITING, 0.0)
    connection.moved = full(connection)
    for now in (50.0, 100.0, 150.0):
        client.recv(1 << 16)
        assert patience.overdue(connection, now, LIMITS) == ""
        assert connection.progress == now
    assert patience.overdue(connection, 210.1, LIMITS) == "the client takes nothing"


def test_a_client_that_reads_too_slowly_is_overdue(pair: Pair) -> None:
    connection, client = pair
    connection.enter(State.WRITING, 0.0)
    connection.moved = full(connection)
    limits = Limits(write_timeout=60, write_rate=1 << 20)
    client.recv(1 << 16)
    assert patience.overdue(connection, GRACE, limits) == ""
    client.recv(1 << 16)
    assert patience.overdue(connection, 50.0, limits) == "the client takes too little"


def test_what_the_kernel_still_had_when_the_reply_went_on_is_there_for_the_client_to_take(pair: Pair) -> None:
    """More than the client takes in the time in which its rate is not measured."""
    connection, client = pair
    connection.enter(State.WRITING, 0.0)
    connection.moved = full(connection)
    connection.pause(0.0)
    connection.resume(100.0)
    later = 100.0 + GRACE + 1
    assert patience.overdue(connection, later, LIMITS) == "the client takes too little"
    client.recv(1 << 16)
    assert patience.overdue(connection, later, LIMITS) == ""


def test_a_client_that_has_taken_all_there_was_is_not_to_blame(pair: Pair) -> None:
    connection, _ = pair
    connection.enter(State.WRITING, 0.0)
    assert connection.unsent() == 0
    assert patience.overdue(connection, 1000.0, LIMITS) == ""


def test_the_time_in_which_a_reply_waits_for_the_application_is_not_the_clients(pair: Pair) -> None:
    """And what it has taken until then counts for it as it does in any reply."""
    connection, client = pair
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    connection.enter(State.WRITING, 0.0)
    connection.moved = 100_000  # taken, all but what the kernel has yet
    connection.pause(1.0)
    connection.pause(500.0)  # a piece that went out whole
    assert not patience.overdue(connection, 900.0, LIMITS)
    connection.moved += connection.send(b"x" * 1000)
    connection.resume(1001.0)
    assert (connection.since, connection.progress) == (1000.0, 1001.0)
    assert not patience.overdue(connection, 1010.0, LIMITS)
    connection.moved = 1000  # as if it had taken nothing of the rest
    assert patience.overdue(connection, 1010.0, LIMITS) == "the client takes too little"


def test_lingering_ends(pair: Pair) -> None:
    connection, _ = pair
    connection.enter(State.LINGERING, 0.0)
    assert patience.overdue(connection, LINGER, LIMITS) == ""
    assert patience.overdue(connection, LINGER + 0.1, LIMITS)


def test_idle_and_silent(pair: Pair) -> None:
    connection, _ = pair
    assert (connection.idle, connection.silent) == (False, True)
    connection.buffer = b"G"
    assert (connection.idle, connection.silent) == (False, False)
    connection.buffer, connection.answered = b"", 1
    assert (connection.idle, connection.silent) == (True, False)
    connection.enter(State.BODY, 0.0)
    assert (connection.idle, connection.silent) == (False, False)


def replying(connection: Connection, response: Response) -> None:
    connection.reply = compose(head_of(), response, keep=True, server="")
    connection.reply.start(b"now")
    connection.enter(State.WRITING, 0.0)


def test_a_flush_sends_parts_of_every_sort_in_order(pair: Pair, tmp_path: Path) -> None:
    connection, client = pair
    (tmp_path / "file").write_bytes(b"0123456789")
    files = [(tmp_path / "file").open("rb", buffering=0) for _ in range(2)]
    body = (b"one ", FileSlice(files[0], 2, 3), b" two", FileSlice(files[1], 0, 0))
    replying(connection, Response(200, (), body))
    assert connection.flush(7.0) is Flushed.DONE
    assert all(file.closed for file in files)
    wire = client.recv(1000)
    assert wire.endswith(b"Content-Length: 11\r\n\r\none 234 two")
    assert connection.moved == len(wire)


def test_a_flush_stops_when_the_socket_is_full_and_goes_on_later(pair: Pair) -> None:
    connection, client = pair
    replying(connection, Response(200, (), (bytes(300_000), b"a" * 300_000)))
    received = bytearray()
    while connection.flush(1.0) is not Flushed.DONE:
        received += client.recv(1 << 20)
    while len(received) < connection.moved:
        received += client.recv(1 << 20)
    assert len(received) == connection.moved
    assert received.endswith(bytes(1000) + b"a" * 300_000)


def test_a_flush_lets_others_have_their_turn(pair: Pair) -> None:
    connection, _ = pair
    replying(connection, Response(200, (), iter([b"x"] * 10)))
    connection.send = lambda data, flags=0: TURN  # type: ignore[assignment, misc]  # a socket without end
    connection.reply.parts.clear()  # type: ignore[union-attr]
    connection.reply.parts.append(bytes(TURN))  # type: ignore[union-attr]
    assert connection.flush(1.0) is Flushed.FULL
    assert connection.moved == TURN


def test_a_file_that_got_shorter_breaks_the_reply(pair: Pair, tmp_path: Path) -> None:
    connection, _ = pair
    (tmp_path / "file").write_bytes(b"0123456789")
    file = (tmp_path / "file").open("rb", buffering=0)
    replying(connection, Response(200, (), FileSlice(file, 0, 20)))
    with pytest.raises(OSError, match="shorter"):
        connection.flush(1.0)
    connection.close()
    assert file.closed


@pytest.mark.parametrize("error", [OSError("disk"), BlockingIOError(), ValueError("no")])
def test_a_source_that_fails_is_the_applications_trouble_whatever_it_raises(pair: Pair, error: Exception) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise error

    connection, _ = pair
    replying(connection, Response(200, (), pieces()))
    with pytest.raises(BrokenOff) as caught:
        connection.flush(1.0)
    assert caught.value.__cause__ is error


def test_closing_gives_everything_back(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    file = (tmp_path / "file").open("rb", buffering=0)
    connection, client = fake_connection()
    connection.spool = Spool(10, 100, 0)
    connection.spool.feed(b"12345")
    spooled = connection.spool.file
    replying(connection, Response(200, (), FileSlice(file, 0, 10)))
    with client:
        connection.close()
        assert client.recv(1) == b""
    assert file.closed
    assert spooled
    assert spooled.closed
    assert connection.state is State.CLOSED
    assert connection.socket.fileno() == -1
