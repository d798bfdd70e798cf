"""What loading left behind, found in this very process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forkserver.process import hazards
from forkserver.process.hazards import MOST, Survey


@contextmanager
def thread(name: str) -> Iterator[None]:
    over = threading.Event()
    made = threading.Thread(target=over.wait, name=name)
    made.start()
    try:
        yield
    finally:
        over.set()
        made.join()


def test_nothing_new_is_no_hazard() -> None:
    with thread("old"), socket.socket():
        assert hazards.since(Survey.take()) == ""


def test_what_has_gone_again_is_no_hazard() -> None:
    with socket.socket():
        before = Survey.take()
    assert hazards.since(before) == ""


def test_a_thread_is_named() -> None:
    before = Survey.take()
    with thread("ticker"):
        assert hazards.since(before) == "1 thread (ticker)"
    assert len(Survey.take().threads - before.threads) == 0


def test_a_thread_that_is_not_pythons_has_the_systems_name() -> None:
    """The main thread stands for one: it is new to a survey that has none, and Python's name for it is hidden."""
    before = Survey(frozenset(), Survey.take().sockets)
    comm = Path("/proc/self/comm").read_text().rstrip("\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "enumerate", list)
        assert comm in hazards.since(before)


def test_many_of_a_kind_are_counted_and_some_named() -> None:
    before = Survey.take()
    sockets = [socket.socket() for _ in range(MOST + 2)]
    try:
        assert hazards.since(before) == f"{MOST + 2} sockets ({', '.join(['0.0.0.0:0'] * MOST)}, …)"
    finally:
        for one in sockets:
            one.close()


def test_a_sockets_ends_are_named(tmp_path: Path) -> None:
    before = Survey.take()
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = f"127.0.0.1:{server.getsockname()[1]}"
        assert hazards.since(before) == f"1 socket ({there})"
        before = Survey.take()
        with socket.create_connection(server.getsockname()) as one:
            assert hazards.since(before) == f"1 socket (127.0.0.1:{one.getsockname()[1]} to {there})"
    before = Survey.take()
    with socket.socket(socket.AF_UNIX) as one:
        assert hazards.since(before) == "1 socket (unnamed)"
        one.bind(str(tmp_path / "socket"))
        assert hazards.since(before) == f"1 socket ({tmp_path}/socket)"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(b"\0forkserver-test-of-hazards")
        assert hazards.since(before) == "1 socket (@forkserver-test-of-hazards)"


def test_both_are_told_together() -> None:
    before = Survey.take()
    with thread("one"), thread("two"), socket.socket():
        found = hazards.since(before)
    assert found == "2 threads (one, two) and 1 socket (0.0.0.0:0)"


def test_two_descriptors_of_one_socket_are_one() -> None:
    before = Survey.take()
    with socket.socket() as one, one.dup():
        assert hazards.since(before) == "1 socket (0.0.0.0:0)"
