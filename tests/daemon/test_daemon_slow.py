"""Slow clients and slow applications, seen from outside: nobody is held up by either.

What is slow waits at a gate that the test opens, so that each wait is one for bytes or for a line of the log.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemon.slowapp import MEGABYTE
from tests.daemons import Daemon
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


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(request("GET", "/fine?late"), id="head"),
        pytest.param(request("POST", "/back", body=b"late" * 50_000), id="body"),
    ],
)
@pytest.mark.parametrize("share", [0, 2], ids=["silent", "half"])
def test_clients_that_are_slow_to_ask_hold_up_nobody(
    server: Server, stack: contextlib.ExitStack, whole: bytes, share: int
) -> None:
    daemon = server()
    slow = talks(daemon, stack, CLIENTS)
    half = len(whole) // share if share else 0
    for talk in slow:
        talk.send(whole[:half])
    answers(daemon)
    for talk in slow:
        talk.send(whole[half:])
    assert {talk.reply().body[-4:] for talk in slow} == {b"late"}


def test_clients_that_take_nothing_hold_up_neither_others_nor_applications(
    server: Server, stack: contextlib.ExitStack
) -> None:
    daemon = server()
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
    for _ in range(20 * clients):
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
