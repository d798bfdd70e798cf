"""Slow clients and slow applications, seen from outside: nobody is held up by either.

What is slow waits at a gate that the test opens, so that each wait is one for bytes or for a line of the log.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemon.slowapp import MEGABYTE
from tests.daemons import Daemon, descriptors
from tests.wire.talk import Talk, request

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = {workers}
{server}
[log]
access = none
slow_after = {slow_after}
[limits]
{limits}
[/]
wsgi = tests.daemon.slowapp:application
[/static]
static = {site}
"""
CLIENTS = 40
FINE = request("GET", "/fine?x")


class Gate:
    """Where the application waits until the test lets it pass."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDWR)  # both ends, so that nobody waits for the other one to open it

    def open(self, times: int = 1) -> None:
        """Let so many pass."""
        os.write(self._descriptor, bytes(times))

    def take_away(self) -> None:
        """Whoever waits goes on, and nobody waits any more."""
        self.path.unlink()
        os.close(self._descriptor)


@pytest.fixture
def gate(start: Start, tmp_path: Path) -> Iterator[Gate]:
    """Taken away before the servers are ended, which wait for their applications."""
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.take_away()


class Server:
    """A function that starts a server with the application, and what is asked of one."""

    def __init__(self, start: Start, gate: Gate, site: Path) -> None:
        self._start, self._gate, self._site = start, gate, site

    def __call__(self, workers: int = 2, server: str = "", limits: str = "", slow_after: str = "0") -> Daemon:
        config = CONFIG.format(workers=workers, server=server, limits=limits, slow_after=slow_after, site=self._site)
        daemon = self._start(config, GATE=str(self._gate.path))
        daemon.settled(workers)
        return daemon


@pytest.fixture
def server(start: Start, gate: Gate, site: Path) -> Server:
    return Server(start, gate, site)


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """Closes what a test has opened."""
    with contextlib.ExitStack() as stack:
        yield stack


def talks(daemon: Daemon, stack: contextlib.ExitStack, count: int) -> list[Talk]:
    return [stack.enter_context(Talk(daemon.connect())) for _ in range(count)]


def answers(daemon: Daemon, times: int = 10) -> None:
    """Normal requests, each on a connection of its own."""
    for _ in range(times):
        with Talk(daemon.connect()) as talk:
            assert talk.ask(FINE).body == b"fine x"


# Slow clients.


HEAD, BODY = request("GET", "/fine?late"), request("POST", "/back", body=b"late" * 50_000)


@pytest.mark.parametrize(
    ("whole", "half"),
    [
        pytest.param(HEAD, 0, id="silent"),
        pytest.param(HEAD, len(HEAD) // 2, id="head"),
        pytest.param(BODY, len(BODY) // 2, id="body"),
    ],
)
def test_clients_that_are_slow_to_ask_hold_up_nobody(
    server: Server, stack: contextlib.ExitStack, whole: bytes, half: int
) -> None:
    daemon = server()
    slow = talks(daemon, stack, CLIENTS)
    for talk in slow:
        talk.send(whole[:half])
    answers(daemon)
    for talk in slow:
        talk.send(whole[half:])
    assert {talk.reply().body[-4:] for talk in slow} == {b"late"}


def test_clients_that_take_nothing_hold_up_neither_others_nor_applications(
    server: Server, stack: contextlib.ExitStack
) -> None:
    daemon = server(limits="write_rate = 0")  # however long the others take
    slow = talks(daemon, stack, CLIENTS)
    for talk in slow:
        talk.send(request("GET", "/large?8"))
    answers(daemon)
    daemon.errors.wait_for_count("all of it made", CLIENTS)
    answers(daemon)
    for talk in slow[::13]:
        assert talk.reply().body == megabytes(8)


def megabytes(count: int) -> bytes:
    return b"".join(bytes([number]) * MEGABYTE for number in range(count))


# Replies that go on, and large ones.


def next_event(talk: Talk, number: int) -> None:
    assert talk.chunk() == b"data: %d\n\n" % number


def begin_events(talk: Talk) -> None:
    talk.send(request("GET", "/events"))
    assert talk.head()[0] == 200
    next_event(talk, 1)


def leave_events(daemon: Daemon, gate: Gate, clients: int) -> None:
    """Let pieces be made until the applications of so many clients who have left are told so, each at its next one."""
    closed = 0
    for _ in range(100 * clients):
        answers(daemon, 1)  # meanwhile whoever sends the pieces has its turn
        gate.open()
        while daemon.errors.wait_for(r"event \d+ made|events closed")[0] == "events closed":
            closed += 1
            if closed == clients:
                return
    raise AssertionError(f"{closed} of {clients} closed")


@pytest.mark.parametrize("threads", [1, 2])
def test_events_arrive_one_by_one_and_a_client_that_leaves_ends_them_once(
    server: Server, gate: Gate, threads: int
) -> None:
    daemon = server(server=f"threads = {threads}")
    with Talk(daemon.connect()) as talk:
        begin_events(talk)
        for number in range(2, 20):
            gate.open()  # it is here before the next one may be made
            next_event(talk, number)
    daemon.errors.wait_for("event 19 made")
    leave_events(daemon, gate, 1)
    answers(daemon)
    assert daemon.stop() == 0
    assert daemon.errors.rest().count("events closed") == 1


def test_endless_streams_do_not_use_up_the_threads(server: Server, gate: Gate, stack: contextlib.ExitStack) -> None:
    daemon = server(server="threads = 2")
    streams = talks(daemon, stack, 20)
    for talk in streams:
        talk.send(request("GET", "/events"))
    for talk in streams:
        assert talk.head()[0] == 200
        next_event(talk, 1)
    answers(daemon)
    daemon.errors.wait_for_count("event 1 made", 20)
    stack.close()
    leave_events(daemon, gate, 20)
    answers(daemon)
    assert daemon.stop() == 0
    assert daemon.errors.rest().count("events closed") == 20


def test_an_application_is_done_with_a_large_reply_before_its_client_takes_any(server: Server) -> None:
    daemon = server()
    with Talk(daemon.connect()) as talk:
        talk.send(request("GET", "/large?30"))
        daemon.errors.wait_for("all of it made")
        assert talk.reply().body == megabytes(30)
        assert talk.ask(FINE).body == b"fine x"


@pytest.mark.parametrize("threads", [1, 2])
def test_beyond_the_room_for_a_reply_its_application_waits_for_the_client(server: Server, threads: int) -> None:
    daemon = server(server=f"threads = {threads}", limits="reply_spool = 1M\nreply_memory = 64k")
    with Talk(daemon.connect()) as talk:
        talk.send(request("GET", "/large?60"))
        assert talk.head()[0] == 200
        got = bytearray()
        while len(got) < 30 * MEGABYTE:  # what is left is more than all that lies between us may hold
            got += talk.chunk()
        assert not over(daemon, "half")
        assert got + b"".join(iter(talk.chunk, b"")) == megabytes(60)
        assert talk.ask(FINE).body == b"fine x"
    assert over(daemon, "whole")


def over(daemon: Daemon, mark: str) -> bool:
    """Whether the large reply is made by now: a line that is told now comes after all that was told before."""
    talk = Talk(daemon.connect())
    with talk:
        talk.send(request("GET", f"/mark?{mark}"))
        daemon.errors.wait_for(f"mark {mark}")
    return "all of it made" in daemon.errors.text


# Slow applications.


def test_with_all_threads_in_calls_files_are_served_and_further_calls_wait_in_order(
    server: Server, gate: Gate, stack: contextlib.ExitStack
) -> None:
    daemon = server(workers=1, server="threads = 2")
    held, first, second, *later = talks(daemon, stack, 6)
    for talk in (held, first, second, *later):
        assert talk.ask(request("GET", "/static/small.txt")).body == b"small\n"
    for talk in (first, second):
        talk.send(request("GET", "/wait?first"))
        daemon.errors.wait_for("waits")
    for number, talk in enumerate(later):
        talk.send(request("GET", f"/mark?{number}"))
        assert held.ask(request("GET", "/static/small.txt")).body == b"small\n"  # and what came before this was read
    assert "mark" not in daemon.errors.text
    gate.open()  # for one of the two, whose thread takes those that wait one by one
    assert [talk.reply().body for talk in later] == [b"fine 0", b"fine 1", b"fine 2"]
    assert [daemon.errors.wait_for(r"mark (\d)")[1] for _ in later] == ["0", "1", "2"]
    gate.open()
    assert [talk.reply().body for talk in (first, second)] == [b"fine first"] * 2


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_asked_for_behind_a_slow_call_is_answered_behind_it(server: Server, gate: Gate, threads: int) -> None:
    daemon = server(server=f"threads = {threads}")
    files = request("GET", "/static/small.txt")
    with Talk(daemon.connect()) as talk:
        talk.send(request("GET", "/wait?1") + request("GET", "/fine?2") + files + request("GET", "/fine?4"))
        daemon.errors.wait_for("waits")
        gate.open()
        assert [talk.reply().body for _ in range(4)] == [b"fine 1", b"fine 2", b"small\n", b"fine 4"]


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_written_arrives_when_it_is(server: Server, gate: Gate, threads: int) -> None:
    daemon = server(server=f"threads = {threads}")
    with Talk(daemon.connect()) as talk:
        assert talk.ask(request("GET", "/multithread")).body == str(threads > 1).encode()
        talk.send(request("GET", "/write"))
        assert talk.head()[0] == 200
        assert talk.chunk() == b"one "
        gate.open()
        assert talk.chunk() == b"two "
        gate.open()
        assert b"".join(iter(talk.chunk, b"")) == b"three"
        assert talk.ask(FINE).body == b"fine x"


# Those that take too long.

LATE = "request_timeout = 1s\nkill_timeout = 2s"


@pytest.mark.parametrize("threads", [1, 2])
def test_a_call_that_takes_too_long_is_ended_in_good_order_and_its_worker_lives(server: Server, threads: int) -> None:
    daemon = server(server=f"threads = {threads}", limits=LATE)
    before = sorted(daemon.workers())
    with Talk(daemon.connect()) as talk:
        assert talk.ask(request("GET", "/doze")).status == 503
    answers(daemon)
    for line in (
        "^lock taken$",
        "^lock released by RequestTimeout$",
        "^finally$",
        "'GET /doze HTTP/1.1' took too long",
    ):
        assert len(daemon.errors.wait_for_count(line, 1)) == 1
    assert sorted(daemon.workers()) == before


def test_a_call_that_asks_for_more_time_outlives_one_that_does_not(server: Server, gate: Gate) -> None:
    daemon = server(limits=LATE)
    with Talk(daemon.connect()) as extended, Talk(daemon.connect()) as late:
        extended.send(request("GET", "/extend?longer"))
        assert 30 < int(daemon.errors.wait_for(r"has (\d+) s")[1]) <= 40
        daemon.errors.wait_for("waits")
        assert late.ask(request("GET", "/doze")).status == 503
        gate.open()
        assert extended.reply().body == b"fine longer"


def test_a_reply_that_goes_on_is_not_late(server: Server, gate: Gate) -> None:
    daemon = server(limits=LATE)
    with Talk(daemon.connect()) as stream, Talk(daemon.connect()) as late:
        begin_events(stream)
        late.send(request("GET", "/doze"))
        number = 1
        while not select.select([late.sock], [], [], 0.1)[0]:
            number += 1
            assert number < 1000
            gate.open()
            next_event(stream, number)
        assert late.reply().status == 503
        gate.open()
        next_event(stream, number + 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_slow_call_is_logged_with_what_it_waits_for_and_left_alone(server: Server, gate: Gate, threads: int) -> None:
    daemon = server(server=f"threads = {threads}", slow_after="200ms")
    with Talk(daemon.connect()) as talk:
        talk.send(request("GET", "/wait?x"))
        for times in (1, 2):
            daemon.errors.wait_for(rf"slow \({times}x\): 'GET /wait\?x HTTP/1.1' of 127.0.0.1 at \[/\]")
            daemon.errors.wait_for(r"slowapp.py\", line \d+, in wait_at_gate")
        gate.open()
        assert talk.reply().body == b"fine x"


# What is left of all that.


def test_nothing_is_left_open_and_no_thread_is_too_many(server: Server, gate: Gate) -> None:
    daemon = server(workers=1, server="threads = 3", limits=LATE)
    worker = daemon.workers()[0]
    with Talk(daemon.connect()) as held:
        assert held.ask(request("GET", "/static/small.txt")).body == b"small\n"
        assert held.ask(FINE).body == b"fine x"
        before = holdings(worker)
        have_it_all(daemon, gate, worker)
        for _ in range(100):  # until it has noticed that all others have left
            assert held.ask(FINE).body == b"fine x"
            if (now := holdings(worker)) == before:
                break
        assert now == before


def have_it_all(daemon: Daemon, gate: Gate, worker: int) -> None:
    """Large replies taken and not, a call that is late, bodies in files, more calls than threads, and a stream."""
    with contextlib.ExitStack() as stack:
        left, taken, late, stream, *others = talks(daemon, stack, 10)
        for talk in (left, taken):
            talk.send(request("GET", "/large?20"))
        daemon.errors.wait_for_count("all of it made", 2)
        assert any("(deleted)" in leads_to for leads_to in holdings(worker))  # what must be gone afterwards
        assert taken.reply().body == megabytes(20)
        assert late.ask(request("GET", "/doze")).status == 503
        for talk in others:
            talk.send(request("POST", "/wait", body=bytes(200_000)))
        daemon.errors.wait_for_count("^waits$", 3)
        gate.open(len(others))
        assert {talk.reply().status for talk in others} == {200}
        assert len(os.listdir(f"/proc/{worker}/task")) <= 3 + 2
        begin_events(stream)
    daemon.errors.wait_for("event 1 made")
    leave_events(daemon, gate, 1)


def holdings(pid: int) -> list[str]:
    """What a process holds open, without the numbers of sockets and files."""
    return sorted(re.sub(r"[0-9]+", "N", leads_to) for leads_to in descriptors(pid).values())
