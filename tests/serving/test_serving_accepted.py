"""Sockets as streams get them: what they count, how they end, and who hears of it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from forkserver.serving.accepted import Accepted, Answering, accepted

Pair = tuple[Accepted, socket.socket]


@pytest.fixture(params=["tcp", "unix"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A connection: our end, and the client's."""
    if request.param == "tcp":
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname(), timeout=10)
            sock = accepted(listener.accept()[0])
    else:
        one, client = socket.socketpair()
        client.settimeout(10)
        sock = accepted(one)
    with sock, client:
        yield sock, client


def through_a_file(sock: Accepted) -> None:
    with sock.makefile("rwb") as file:
        file.write(file.read(5))


def by_sendfile(sock: Accepted) -> None:
    sock.recv(100)
    descriptor = os.memfd_create("five")
    with open(descriptor, "w+b") as file:
        file.write(b"hello")
        file.seek(0)
        assert sock.sendfile(file) == 5


def by_messages(sock: Accepted) -> None:
    data = sock.recvmsg(100)[0]
    sock.sendmsg([data[:2], data[2:]])


WAYS: list[Callable[[Accepted], object]] = [
    lambda sock: sock.sendall(memoryview(sock.recv(100))),
    lambda sock: sock.send(sock.recv(5, 0)),
    through_a_file,
    by_sendfile,
    by_messages,
]


@pytest.mark.parametrize("way", WAYS)
def test_it_counts_whatever_way_it_is_used(pair: Pair, way: Callable[[Accepted], object]) -> None:
    sock, client = pair
    told: list[int] = []
    sock.ended = lambda: told.append(threading.get_ident())
    client.sendall(b"hello")
    way(sock)
    assert client.recv(100) == b"hello"
    client.shutdown(socket.SHUT_WR)
    assert sock.recv(1) == b""
    sock.finish()
    assert (sock.received, sock.sent) == (5, 5)
    assert told == [threading.get_ident()]
    assert client.recv(1) == b""
    sock.finish()
    sock.shut()
    assert len(told) == 1
    assert sock.quiet(time.monotonic()) >= 0


def test_it_counts_when_its_user_closes_it_in_his_own_way(pair: Pair) -> None:
    sock, client = pair
    told: list[str] = []
    sock.ended = lambda: told.append("ended")
    client.sendall(b"hello")
    file = sock.makefile("rb")
    assert file.read(5) == b"hello"
    sock.sendall(b"you")
    sock.close()  # the file holds it open
    assert told == []
    file.close()
    assert told == ["ended"]
    assert (sock.received, sock.sent) == (5, 3)


def test_a_file_that_is_forgotten_does_not_keep_it_open(pair: Pair) -> None:
    sock, client = pair
    file = sock.makefile("rb")
    sock.finish()
    assert sock.fileno() == -1
    assert client.recv(1) == b""
    file.close()


def test_from_outside_it_is_shut_while_somebody_reads(pair: Pair) -> None:
    sock, client = pair
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(sock.recv(100)))
    reader.start()
    sock.shut()
    reader.join(10)
    assert read == [b""]
    assert client.recv(1) == b""
    with pytest.raises(BrokenPipeError):
        sock.sendall(b"x")


def test_what_is_detached_keeps_what_was_known(pair: Pair) -> None:
    sock, client = pair
    client.sendall(b"hello")
    sock.recv(100)
    told: list[str] = []
    sock.ended = lambda: told.append("ended")
    descriptor = sock.detach()
    os.close(descriptor)
    sock.finish()
    assert sock.received == 5
    assert told == ["ended"]


def test_it_is_quiet_since_somebody_spoke(pair: Pair) -> None:
    sock, client = pair
    client.sendall(b"hello")
    sock.recv(100)
    assert sock.quiet(time.monotonic()) < 5


def test_nobody_knows_what_goes_through_a_copy_of_a_unix_socket() -> None:
    one, client = socket.socketpair()
    with accepted(one) as sock, client:
        sock.copied()
        assert sock.quiet(time.monotonic() + 1000) == 0


def test_a_socket_for_datagrams_counts_for_each_thread() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as listener, socket.socket(type=socket.SOCK_DGRAM) as client:
        listener.bind(("127.0.0.1", 0))
        client.bind(("127.0.0.1", 0))
        with Answering(listener) as sock:
            assert sock.fileno() != listener.fileno()
            sock.sendto(b"hello", client.getsockname())
            other = threading.Thread(target=lambda: sock.sendto(b"you", client.getsockname()))
            other.start()
            other.join()
            assert (sock.taken(), sock.taken()) == (5, 0)
            assert client.recv(100) + client.recv(100) == b"helloyou"
