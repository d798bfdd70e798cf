"""A worker that has no room for more: it neither spins nor dies, and goes on once there is room."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import select
import socket
from pathlib import Path

from tests.conftest import Start
from tests.daemons import PATIENCE, Daemon, descriptors, read_all, state_of

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = {workers}
[limits]
{limits}
[/]
static = {site}
"""
REQUEST = b"GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n"
WITHOUT_FILE = b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"
SECOND = 1.0
TICKS = os.sysconf("SC_CLK_TCK")


def config(site: Path, workers: int, limits: str = "") -> str:
    return CONFIG.format(site=site, workers=workers, limits=limits)


def answered(sock: socket.socket, seconds: float = PATIENCE) -> bool:
    """Whether an answer comes within a time."""
    return bool(select.select([sock], [], [], seconds)[0]) and sock.recv(4096).startswith(b"HTTP/1.1 20")


def cpu_over_a_second(pid: int) -> float:
    """CPU seconds that a process takes in a second of the clock, which is the one thing to measure here."""
    before = state_of(pid)
    select.select([], [], [], SECOND)
    after = state_of(pid)
    assert before
    assert after
    return (after[2] - before[2]) / TICKS


def test_without_descriptors_it_does_not_spin_and_recovers(start: Start, site: Path) -> None:
    daemon = start(config(site, 1))
    (worker,) = daemon.settled(1)
    assert daemon.get("/small.txt").status == 200  # what is to be opened for it has been opened
    room = max(int(number) for number in descriptors(worker)) + 1 + 8
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (room, room))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect()) for _ in range(room + 10)]  # the rest waits in the kernel
        daemon.errors.wait_for(r"\[warning\] .*no more connections for now: Too many open files")
        spent = cpu_over_a_second(worker)
        print(f"{spent:.2f} s of CPU in a second of being full")
        assert spent < 0.5
        served = [client for client in clients if client.send(WITHOUT_FILE) and answered(client, 0.2)]
        assert served  # those inside are served meanwhile, with what takes no descriptor
        for client in served:
            client.close()
        waiting = [client for client in clients if client not in served]
        assert waiting
        for client in waiting:
            assert answered(client)
            client.close()
    assert daemon.get("/small.txt").status == 200
    assert state_of(worker)


def test_a_worker_takes_so_many_connections_and_the_rest_waits(start: Start, site: Path) -> None:
    daemon = start(config(site, 1, "connections = 5"))
    (worker,) = daemon.settled(1)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(daemon.connect()) for _ in range(9)]
        for client in clients:
            client.sendall(REQUEST)
        assert [answered(client) for client in clients[:5]] == [True] * 5
        assert not answered(clients[5], 0.1)
        assert cpu_over_a_second(worker) < 0.5
        (one,) = daemon.status()["workers"]
        assert one["connections"] == 5
        for inside, waiting in zip(clients[:4], clients[5:], strict=True):
            inside.close()
            assert answered(waiting)


def test_a_client_has_so_many_connections_to_all_workers_together(start: Start, site: Path) -> None:
    daemon = start(config(site, 3, "connections_per_client = 4"))
    daemon.settled(3)
    with contextlib.ExitStack() as stack:
        inside = []
        for _ in range(4):
            client = stack.enter_context(daemon.connect())
            client.sendall(REQUEST)
            assert answered(client)
            inside.append(client)
        with daemon.connect() as refused:
            refused.sendall(REQUEST)
            assert b"503" in refused.recv(4096).split(b"\r\n")[0]
        with socket.create_connection(("127.0.0.1", daemon.port), source_address=("127.0.0.2", 0)) as other:
            other.sendall(REQUEST)
            assert answered(other)  # another client is another client
        inside[0].sendall(b"GET /small.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_all(inside[0]).startswith(b"HTTP/1.1 200 ")
        with daemon.connect() as again:
            again.sendall(REQUEST)
            assert answered(again)


def test_a_dead_workers_connections_do_not_count_any_more(start: Start, site: Path) -> None:
    daemon = start(config(site, 1, "connections_per_client = 2"))
    (worker,) = daemon.settled(1)
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(daemon.connect())
            client.sendall(REQUEST)
            assert answered(client)
        os.kill(worker, 9)
        daemon.settled(2)
        assert daemon.get("/small.txt").status == 200


def ask_and_say_who(daemon: Daemon, count: int) -> None:
    for _ in range(count):
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=PATIENCE)
        connection.request("GET", "/small.txt", headers={"Connection": "close"})
        assert connection.getresponse().read() == b"small\n"
        connection.close()


def test_every_worker_gets_its_share(start: Start, site: Path) -> None:
    daemon = start(config(site, 4))
    daemon.settled(4)
    ask_and_say_who(daemon, 400)
    shares = [worker["requests"] for worker in daemon.status()["workers"]]
    print(f"400 connections among 4 workers: {shares}")
    assert all(shares)


def test_whoever_rests_longest_makes_room(start: Start, site: Path) -> None:
    daemon = start(config(site, 1, "connections = 2"))
    with daemon.connect() as one, daemon.connect() as other:
        for sock in (one, other):
            sock.sendall(WITHOUT_FILE)
            assert answered(sock)
        with daemon.connect() as third:
            third.sendall(WITHOUT_FILE)
            assert answered(third)
        assert one.recv(1) == b""  # the first to rest was the one to go


def test_each_worker_has_only_its_own_line(start: Start, site: Path) -> None:
    daemon = start(config(site, 6))
    for pid in daemon.settled(6):
        sockets = [name for name in descriptors(pid).values() if name.startswith("socket:[")]
        assert len(sockets) == 2  # the listener and the line to the master
