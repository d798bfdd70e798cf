"""What takes too long is ended, and told so where there is somebody to be told.

The server called hasty gives a second for everything; no test says how long anything took.
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import ExitStack

import pytest

from tests.daemons import PATIENCE
from tests.wire.hosts import HUGE, Host, Kind
from tests.wire.pages import check_page
from tests.wire.talk import Talk, request


def slow_reader(host: Host) -> Talk:
    """A client with next to no room for what it asks for."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", host.daemon.port))
    return Talk(sock)


def trickle(talk: Talk) -> None:
    """Send a byte now and then, until nobody takes it any more."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        talk.send(b"x")
        select.select([], [], [talk.sock], 0.1)


def check_408(talk: Talk) -> None:
    answer = talk.reply()
    assert (answer.status, answer.fields["connection"]) == (408, "close")
    check_page(answer.body, 408)
    assert talk.ended()


def test_half_a_head_and_half_a_second_one(hasty: Host, kind: Kind) -> None:
    data = request("GET", kind.good)
    with ExitStack() as stack:
        first = [stack.enter_context(hasty.talk()) for _ in range(3)]
        second = stack.enter_context(hasty.talk())
        for talk, amount in zip(first, [1, 3, 30], strict=True):
            talk.send(data[:amount])
        assert second.ask(data + b"GET /").status == 200
        for talk in [*first, second]:
            check_408(talk)


def test_a_head_that_trickles_wins_no_time(hasty: Host) -> None:
    with hasty.talk() as talk:
        head = iter(request("GET", "/" + "x" * 1000))
        while not select.select([talk.sock], [], [], 0.05)[0]:
            talk.send(bytes([next(head)]))
        check_408(talk)


def test_half_a_body(hasty: Host) -> None:
    with hasty.talk() as plain, hasty.talk() as in_chunks, hasty.talk() as waited:
        plain.send(request("POST", "/echo", "Content-Length: 5") + b"123")
        in_chunks.send(request("POST", "/echo", "Transfer-Encoding: chunked") + b"5\r\n123")
        assert waited.ask(request("POST", "/echo", "Content-Length: 5", "Expect: 100-continue")).status == 100
        for talk in (plain, in_chunks, waited):
            check_408(talk)


def test_a_body_that_is_too_slow(host: Host) -> None:
    with host.talk() as talk:
        talk.send(request("POST", "/echo", "Content-Length: 500000") + bytes(1000))
        check_408(talk)  # long before body_timeout: read_rate asks for 500 bytes a second


def test_a_connection_that_says_nothing_or_no_more(hasty: Host, kind: Kind) -> None:
    with hasty.talk() as silent, hasty.talk() as resting:
        assert resting.ask(request("GET", kind.good)).status == 200
        assert resting.ended()
        assert silent.ended()


def test_a_client_that_reads_nothing(hasty: Host) -> None:
    with slow_reader(hasty) as talk:
        talk.send(request("GET", "/static/huge.bin?unread"))
        # Its own view is worth nothing: what is on the way already may be read, the end comes after it.
        line = hasty.daemon.output.wait_for(r'"GET /static/huge.bin\?unread HTTP/1.1" 200 (\d+) X=(.)')
        assert int(line[1]) < HUGE
        assert line[2] == "X"


def test_a_client_that_reads_slowly_but_reads_is_served_to_the_end(hasty: Host) -> None:
    with slow_reader(hasty) as talk:
        talk.send(request("GET", "/static/huge.bin?slow"))
        status, items = talk.head()
        assert (status, dict(items)["content-length"]) == (200, str(HUGE))
        left = HUGE - len(talk.buffer)
        pause = time.monotonic() + 4  # longer than write_timeout and a sweep together
        while left:
            if time.monotonic() < pause:
                select.select([], [], [], 0.1)
            piece = talk.sock.recv(1 << 16)
            assert piece
            left -= len(piece)


def test_lingering_ends(hasty: Host) -> None:
    with hasty.talk() as talk:
        talk.send(request("POST", "/static/small.txt", "Content-Length: 1000000"))
        assert talk.reply().status == 405
        assert talk.ended()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            trickle(talk)
