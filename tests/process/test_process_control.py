"""The control socket, both ends; the server's is driven by hand, as the master's loop would."""

from __future__ import annotations

import json
import os
import selectors
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forkserver.process.control import CLIENTS, LINE, ControlClient, ControlServer, NotRunning, Reply
from tests.daemons import PATIENCE


class Bench:
    """A server, and the loop around it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.selector = selectors.DefaultSelector()
        self.heard: list[dict[str, Any]] = []
        self.held: list[Reply] = []
        self.server = ControlServer(str(path), self.selector, self.handle)

    def handle(self, command: dict[str, Any], reply: Reply) -> None:
        self.heard.append(command)
        if command.get("command") == "later":
            self.held.append(reply)
        elif command.get("command") == "large":
            reply({"ok": True, "text": "x" * command["size"]})
        else:
            reply({"ok": True, "heard": command})

    def turn(self, wait: float = 0.0) -> int:
        events = self.selector.select(wait)
        for key, _ in events:
            key.data()
        return len(events)

    def settle(self) -> None:
        """Turn until nothing is ready any more."""
        turns = 0
        while self.turn():
            turns += 1
            assert turns < 1000, "the loop spins"

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(PATIENCE)
        client.connect(str(self.path))
        return client

    def ask(self, raw: bytes) -> bytes:
        """Send bytes on a connection of their own; what is answered until nothing happens any more."""
        with self.connect() as client:
            client.sendall(raw)
            self.settle()
            client.setblocking(False)
            try:
                return client.recv(1 << 20)
            except BlockingIOError:
                return b"(nothing)"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    before = sorted(os.listdir("/proc/self/fd"))
    made = Bench(tmp_path / "control.sock")
    yield made
    made.server.close()
    made.selector.close()
    assert not made.path.exists()
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_command_is_answered(bench: Bench) -> None:
    assert json.loads(bench.ask(b'{"command": "status"}\n')) == {"ok": True, "heard": {"command": "status"}}
    bench.settle()
    assert bench.server.clients == {}


def test_several_commands_on_one_line_of_bytes(bench: Bench) -> None:
    answers = bench.ask(b'{"n": 1}\n{"n": 2}\n{"n": 3}\n{"n"').splitlines()
    assert [json.loads(answer)["heard"]["n"] for answer in answers] == [1, 2, 3]


def test_a_command_may_come_in_pieces(bench: Bench) -> None:
    with bench.connect() as client:
        for byte in b'{"command": "x"}\n':
            client.sendall(bytes([byte]))
            bench.settle()
        assert json.loads(client.recv(4096))["ok"]


@pytest.mark.parametrize("raw", [b"\n", b"x\n", b"[1]\n", b"null\n", b"{\n", b"\xff\x00\n", b"[" * 50000 + b"\n"])
def test_garbage_is_answered_and_does_no_harm(bench: Bench, raw: bytes) -> None:
    answer = json.loads(bench.ask(raw))
    assert answer["ok"] is False
    assert answer["why"].startswith("not a JSON object")
    assert bench.heard == []
    assert json.loads(bench.ask(b"{}\n"))["ok"]


def test_a_line_without_end_is_not_kept(bench: Bench) -> None:
    with bench.connect() as client:
        client.settimeout(0.0)
        try:
            for _ in range(2 * LINE // 4096):
                client.send(b"x" * 4096)
                bench.settle()
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert bench.server.clients == {}
    assert json.loads(bench.ask(b"{}\n"))["ok"]


def test_half_a_line_is_no_command(bench: Bench) -> None:
    assert bench.ask(b'{"command": "stat') == b"(nothing)"
    bench.settle()
    assert (bench.heard, bench.server.clients) == ([], {})


def test_an_answer_may_come_later(bench: Bench) -> None:
    with bench.connect() as client:
        client.sendall(b'{"command": "later"}\n')
        bench.settle()
        assert json.loads(bench.ask(b"{}\n"))["ok"]  # meanwhile others are served
        bench.held.pop()({"ok": True, "generation": 2})
        assert json.loads(client.recv(4096)) == {"ok": True, "generation": 2}


def test_who_leaves_before_the_answer_is_no_trouble(bench: Bench) -> None:
    with bench.connect() as client:
        client.sendall(b'{"command": "later"}\n')
        bench.settle()
    bench.held.pop()({"ok": True})  # before we have noticed
    bench.settle()
    assert bench.server.clients == {}
    with bench.connect() as client:
        client.sendall(b'{"command": "later"}\n')
        bench.settle()
    bench.settle()
    bench.held.pop()({"ok": True})  # after we have noticed
    assert bench.server.clients == {}


def test_an_answer_larger_than_a_socket_holds(bench: Bench) -> None:
    size = 3 << 20
    with bench.connect() as client:
        client.sendall(json.dumps({"command": "large", "size": size}).encode() + b"\n")
        got = bytearray()
        client.setblocking(False)
        while not got.endswith(b"\n"):
            assert bench.turn(PATIENCE)
            try:
                while piece := client.recv(1 << 20):
                    got += piece
            except BlockingIOError:
                continue
        assert len(json.loads(bytes(got))["text"]) == size


def test_a_client_that_never_reads_is_dropped_in_the_end(bench: Bench) -> None:
    with bench.connect() as client:
        client.sendall(json.dumps({"command": "large", "size": 20 << 20}).encode() + b"\n")
        bench.settle()
        assert bench.server.clients == {}
    assert json.loads(bench.ask(b"{}\n"))["ok"]


def test_too_many_clients_wait_for_their_turn(bench: Bench) -> None:
    clients = [bench.connect() for _ in range(CLIENTS + 8)]
    try:
        for client in clients:
            client.sendall(b"{}\n")
        bench.settle()
        assert len(bench.server.clients) == CLIENTS
        for client in clients:
            bench.settle()
            assert json.loads(client.recv(4096))["ok"]
            client.close()
        bench.settle()
        assert bench.server.clients == {}
    finally:
        for client in clients:
            client.close()


def test_without_a_descriptor_it_does_not_spin_and_recovers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        """The listener, while no descriptor is left."""

        def __init__(self, listener: socket.socket) -> None:
            self.listener = listener

        def fileno(self) -> int:
            return self.listener.fileno()

        def accept(self) -> None:
            raise OSError(24, "Too many open files")

    listener = bench.server.listener
    with bench.connect() as client:
        client.sendall(b"{}\n")
        with monkeypatch.context() as patched:
            patched.setattr(bench.server, "listener", Full(listener))
            bench.settle()
        bench.server.listen_again()
        bench.settle()
        assert json.loads(client.recv(4096))["ok"]


def test_the_servers_end_ends_its_clients(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "control.sock")
    with bench.connect() as client:
        client.sendall(b'{"command": "later"}\n')
        bench.settle()
        bench.server.close()
        bench.selector.close()
        assert client.recv(10) == b""


def test_a_second_server_is_refused(bench: Bench) -> None:
    with pytest.raises(OSError, match="control socket in use by another program") as caught:
        ControlServer(str(bench.path), bench.selector, bench.handle)
    assert caught.value.filename == str(bench.path)
    bench.settle()
    assert json.loads(bench.ask(b"{}\n"))["ok"]


def test_the_file_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    first = Bench(tmp_path / "control.sock")
    first.path.rename(tmp_path / "moved")
    second = Bench(tmp_path / "control.sock")
    first.server.close()
    first.selector.close()
    assert second.path.exists()
    second.server.close()
    second.selector.close()


# The client's end.


def test_client_and_server(bench: Bench) -> None:
    answers: list[dict[str, Any]] = []

    def ask() -> None:
        with ControlClient(str(bench.path), PATIENCE) as client:
            assert client.master == os.getpid()
            answers.append(client.ask({"command": "status"}))

    asking = threading.Thread(target=ask)
    asking.start()
    while asking.is_alive():
        bench.turn(0.05)
    assert answers == [{"ok": True, "heard": {"command": "status"}}]
    bench.settle()


@pytest.mark.parametrize("name", ["nothing", "file/below", "stale"])
def test_nobody_is_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "stale"))
    with pytest.raises(NotRunning, match=f"no forkserver answers at {tmp_path}/{name}"):
        ControlClient(str(tmp_path / name), PATIENCE)


def test_a_path_that_is_no_socket_is_another_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        ControlClient(str(tmp_path / ("x" * 200)), PATIENCE)


@pytest.mark.parametrize("said", [b"", b'{"ok": tr'])
def test_a_master_that_ends_before_it_answers(tmp_path: Path, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()
        with ControlClient(str(tmp_path / "sock"), PATIENCE) as client:
            server, _ = listener.accept()
            server.sendall(said)
            server.shutdown(socket.SHUT_WR)
            with pytest.raises(ConnectionResetError, match="ended before it answered"):
                client.ask({"command": "status"})
            server.close()


def test_a_master_that_does_not_answer_in_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()
        with ControlClient(str(tmp_path / "sock"), 0.01) as client, pytest.raises(TimeoutError):
            client.ask({"command": "status"})
