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
