"""Listeners of a worker: opened, shut, and what accept(2) may complain of."""

from __future__ import annotations

import errno
import os
import resource
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forkserver.serving.doors import PASSING, REBALANCE, Door, Doors


@pytest.fixture
def epoll() -> Iterator[select.epoll]:
    with select.epoll() as made:
        yield made


def listening(family: socket.AddressFamily = socket.AF_INET, where: Any = ("127.0.0.1", 0)) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(where)
    listener.listen(100)
    listener.setblocking(False)
    return listener


def test_a_connection_comes_in(epoll: select.epoll) -> None:
    with listening() as listener, socket.create_connection(listener.getsockname()) as client:
        door = Door(listener, epoll)
        assert door.local == listener.getsockname()
        accepted = door.accept()
        assert accepted
        with accepted[0] as sock:
            assert accepted[1] == client.getsockname()
            assert not sock.getblocking()
            assert not os.get_inheritable(sock.fileno())


def test_a_unix_client_has_no_address(epoll: select.epoll, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with listening(socket.AF_UNIX, path) as listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        door = Door(listener, epoll)
        accepted = door.accept()
        assert accepted
        with accepted[0]:
            assert accepted[1] == ("unix", 0)
        assert door.local == ("unix", 0)


def test_nobody_there_is_no_trouble(epoll: select.epoll) -> None:
    with listening() as listener:
        assert Door(listener, epoll).accept() is None


class Troubled:
    """A listener whose accept fails."""

    family = socket.AF_INET

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def fileno(self) -> int:
        return 0

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 80

    def accept(self) -> None:
        number = self.numbers.pop(0)
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EINVAL])
def test_want_of_means_is_told(epoll: select.epoll, number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)):
        Door(Troubled(number), epoll).accept()  # type: ignore[arg-type]


@pytest.mark.parametrize("number", sorted(PASSING))
def test_after_the_trouble_of_one_peer_the_next_is_asked_for(epoll: select.epoll, number: int) -> None:
    listener = Troubled(number, number, errno.EAGAIN)
    assert Door(listener, epoll).accept() is None  # type: ignore[arg-type]
    assert not listener.numbers


def test_doors_are_open_or_shut_together(epoll: select.epoll) -> None:
    with listening() as one, listening() as two:
        doors = Doors([one, two], epoll)
        with socket.create_connection(one.getsockname()), socket.create_connection(two.getsockname()):
            assert epoll.poll(0) == []
            for _ in range(2):  # saying it twice changes nothing
                doors.set_open(True)
                assert {descriptor for descriptor, _ in epoll.poll(0)} == {one.fileno(), two.fileno()}
            for _ in range(2):
                doors.set_open(False)
                assert epoll.poll(0) == []


def test_a_door_is_found_by_its_descriptor(epoll: select.epoll) -> None:
    with listening() as one:
        doors = Doors([one], epoll)
        door = doors.at(one.fileno())
        assert door
        assert door.listener is one
        assert doors.at(one.fileno() + 1) is None
        assert doors.all() == [door]


def test_closed_doors_stay_closed(epoll: select.epoll) -> None:
    one = listening()
    doors = Doors([one], epoll)
    doors.set_open(True)
    doors.close()
    assert one.fileno() == -1
    assert doors.all() == []
    doors.set_open(True)
    assert epoll.poll(0) == []


def test_a_door_is_watched_on_after_its_share(epoll: select.epoll) -> None:
    with listening() as listener:
        doors = Doors([listener], epoll)
        doors.set_open(True)
        door = doors.at(listener.fileno())
        assert door
        for _ in range(2 * REBALANCE + 1):
            with socket.create_connection(listener.getsockname()):
                assert epoll.poll(10)
                accepted = door.accept()
                assert accepted
                accepted[0].close()
        assert door.watched
        assert door.count == 2 * REBALANCE + 1


def test_connections_that_do_not_fit_wait_until_there_is_room(epoll: select.epoll) -> None:
    """With the real limit of descriptors: the connection is neither lost nor closed."""

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with listening() as listener, socket.create_connection(listener.getsockname()):
        door = Door(listener, epoll)
        lowest = os.dup(listener.fileno())
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                door.accept()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        accepted = door.accept()
        assert accepted
        accepted[0].close()
