"""Protocols of asyncio and Twisted, each worker with a loop of its own: over real sockets, seen from outside."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemon.test_daemon_streams import HEAD, HERE, ask, connect, datagram, port_of, say, udp_port, unix
from tests.daemons import PATIENCE, Daemon, read_all, wait_for_end


def config(*sections: str, workers: int = 1, limits: str = "") -> str:
    """Each section as its name and its factory, with further options in lines of their own."""
    parts = [HEAD.format(workers=workers, limits=limits)]
    for section in sections:
        first, *options = section.split("\n")
        name, factory = first.rsplit(" ", 1)
        parts.append("\n".join([f"[{name}]", f"protocol = {factory}", f"path = {HERE}", *options]))
    return "\n".join(parts)


# asyncio.


def test_a_chat(start: Start, tmp_path: Path) -> None:
    """Two sections of one module share its room, as they share the loop."""
    path = tmp_path / "chat.sock"
    daemon = start(config("tcp 127.0.0.1:0 chatapp:Chat", f"tcp unix:{path} chatapp:Chat"))
    with connect(daemon) as ann, unix(path) as bob:
        assert ask(ann, b"pid\n") == ask(bob, b"pid\n")
        assert ask(ann, b"hello\n") == bob.recv(100) == b"hello\n"
        (worker,) = daemon.status()["workers"]
        assert worker["connections"] == 2
        assert {one["client"] for one in worker["in_progress"]} == {"127.0.0.1", "unix"}
    port = port_of(daemon, "127.0.0.1")
    daemon.output.wait_for_count(rf"^127\.0\.0\.1 TCP 127\.0\.0\.1:{port} 200 10 \d+ -$", 1)
    daemon.output.wait_for_count(rf"^unix TCP unix:{path} 200 4 \d+ -$", 1)
    assert daemon.stop() == 0
    assert "[error]" not in daemon.errors.rest()


def test_a_coroutine_function(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 chatapp:converse"))
    assert say(connect(daemon), b"one\ntwo\n") == b"ONE\nTWO\n"
    assert say(connect(daemon), b"raise\n") == b""
    daemon.errors.wait_for("ValueError: asked to raise")
    assert say(connect(daemon), b"one\n") == b"ONE\n"


def test_a_protocol_that_raises_ends_its_connection_alone(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 chatapp:Chat", "tcp 127.0.0.2:0 chatapp:failing"))
    (worker,) = daemon.settled(1)
    with connect(daemon) as other:
        assert ask(other, b"pid\n") == b"%d\n" % worker
        assert say(connect(daemon), b"raise\n") == b""
        daemon.errors.wait_for(r"asyncio: \('127\.0\.0\.1', \d+\): Fatal error: protocol.data_received\(\) call failed")
        daemon.errors.wait_for("ValueError: asked to raise")
        with connect(daemon, "127.0.0.2") as sock:
            assert read_all(sock) == b""
        daemon.errors.wait_for(r"chatapp:failing failed, client \('127\.0\.0\.1', \d+\)")
        daemon.errors.wait_for("RuntimeError: makes nothing")
        assert ask(other, b"pid\n") == b"%d\n" % worker


def test_limits_of_protocols(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 chatapp:Chat\nidle_timeout = 1s\nconnections = 2"))
    with connect(daemon) as one, connect(daemon) as two, connect(daemon) as three:
        assert ask(one, b"pid\n") == ask(two, b"pid\n")
        three.sendall(b"pid\n")  # waits in the kernel until the others have rested too long
        assert read_all(one) == read_all(two) == b""
        assert three.recv(100)
    daemon.output.wait_for_count(r" 408 4 \d+ X$", 2)


def test_a_loop_that_is_stopped_has_its_worker_replaced(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 chatapp:Chat").replace("10s", "1s"))
    (first,) = daemon.settled(1)
    with connect(daemon) as sock:
        sock.sendall(b"stop\n")
        daemon.errors.wait_for(rf"\(pid {first}\) retires: the loop of asyncio was stopped")
        daemon.settled(2)
        wait_for_end(first)
        assert sock.recv(100) == b""
    assert int(say_once(daemon, b"pid\n")) != first


def say_once(daemon: Daemon, data: bytes) -> bytes:
    with connect(daemon) as sock:
        return ask(sock, data)


def test_a_time_server_of_datagrams(start: Start) -> None:
    daemon = start(config("udp 127.0.0.1:0 chatapp:Time", workers=2))
    before = int(time.time())
    for _ in range(10):
        told = datagram(udp_port(daemon), b"now").split()
        assert before <= int(told[0]) <= time.time()
        assert told[1] == b"now"
    assert daemon.reload()["ok"]
    assert datagram(udp_port(daemon), b"again").endswith(b" again")


def test_what_is_no_factory_refuses_the_reload(start: Start) -> None:
    text = config("tcp 127.0.0.1:0 chatapp:Chat")
    daemon = start(text)
    (worker,) = daemon.settled(1)
    for wrong, why in (
        ("chatapp:Chatt", r"server.ini:\d+: \[tcp 127.0.0.1:0\] chatapp .* has no attribute Chatt; did you mean Chat"),
        ("chatapp:Time", "chatapp:Time is a class that is no protocol of asyncio for tcp"),
        ("chatapp:os", "chatapp:os is a thing of type module, which cannot be called"),
        ("chatapp:Chat()", "is a protocol; name its class"),
        ("chatapp:failing()", "RuntimeError: makes nothing"),
        ("nowhere:x", "there is no module nowhere"),
        ("twistedapp:shout", r"twistedapp:shout is for datagrams: its section is \[udp ADDRESS\]"),
    ):
        daemon.write(text.replace("chatapp:Chat", wrong))
        answer = daemon.reload()
        assert not answer["ok"], wrong
        assert re.search(why, answer["why"])
        assert answer["why"].count("Traceback") == (wrong == "chatapp:failing()")
    assert int(say_once(daemon, b"pid\n")) == worker


# Twisted.


def test_a_site_of_twisted_web(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 twistedapp:site", workers=2))
    pids = daemon.settled(2)
    assert fetch(daemon, "/") in [b"pid %d" % pid for pid in pids]
    assert fetch(daemon, "/later") == b"later"
    assert b"asked to raise" not in fetch(daemon, "/raise", 500)
    daemon.errors.wait_for(r"\[error\] worker \d\[\d+\]: .*")
    daemon.errors.wait_for("ValueError: asked to raise")
    daemon.output.wait_for_count(r"^127\.0\.0\.1 TCP 127\.0\.0\.1:\d+ 200 \d+ \d+ -$", 3)


def fetch(daemon: Daemon, path: str, status: int = 200) -> bytes:
    line = http.client.HTTPConnection("127.0.0.1", port_of(daemon, "127.0.0.1"), timeout=PATIENCE)
    try:
        line.request("GET", path, headers={"Connection": "close"})
        answer = line.getresponse()
        assert answer.status == status
        return answer.read()
    finally:
        line.close()


def test_a_protocol_of_twisted(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "echo.sock"
    daemon = start(
        config(
            "tcp 127.0.0.1:0 twistedapp:echo",
            f"tcp unix:{path} twistedapp:echo\nidle_timeout = 1s",
            "tcp 127.0.0.2:0 twistedapp:nobody()",
        )
    )
    with connect(daemon) as sock:
        assert sock.recv(100) == b"127.0.0.1\n"
        assert ask(sock, b"one\n") == b"one\n"
        with connect(daemon) as other:
            assert other.recv(100) == b"127.0.0.1\n"
            assert ask(other, b"raise\n") == b""
        daemon.errors.wait_for("ValueError: asked to raise")
        with connect(daemon) as other:
            assert other.recv(100) == b"127.0.0.1\n"
            with pytest.raises(ConnectionResetError):
                read_all_of(other, b"abort\n")
        with connect(daemon, "127.0.0.2") as other:
            assert read_all(other) == b""
        assert ask(sock, b"two\n") == b"two\n"
    daemon.output.wait_for_count(r" TCP 127\.0\.0\.1:\d+ 200 \d+ \d+ -$", 3)
    with unix(path) as sock:
        assert ask(sock, b"one\n") == b"one\n"
    daemon.output.wait_for(rf"^unix TCP unix:{path} 200 0 0 -$")  # the kernel keeps no figures
    assert daemon.status()["workers"][0]["connections"] == 0


def read_all_of(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    return read_all(sock)


def test_a_reactor_that_is_stopped_has_its_worker_replaced(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 twistedapp:echo"))
    (first,) = daemon.settled(1)
    with connect(daemon) as sock:
        sock.recv(100)
        sock.sendall(b"stop\n")
        daemon.errors.wait_for(rf"\(pid {first}\) retires: the reactor was stopped")
    daemon.settled(2)
    wait_for_end(first)
    assert say_once(daemon, b"one\n").startswith(b"127.0.0.1")


def test_datagrams_of_twisted(start: Start) -> None:
    daemon = start(config("udp 127.0.0.1:0 twistedapp:shout"))
    assert datagram(udp_port(daemon), b"hello") == b"HELLO"


def test_twisted_is_loaded_where_its_user_has_it_and_nowhere_else(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 chatapp:Chat", "tcp 127.0.0.2:0 chatapp:Chat"))
    (worker,) = daemon.settled(1)
    assert "twisted" not in Path(f"/proc/{worker}/maps").read_text()
    daemon.write(config("tcp 127.0.0.1:0 chatapp:Chat", "tcp 127.0.0.2:0 twistedapp:echo"))
    assert daemon.reload()["ok"]
    with connect(daemon, "127.0.0.2") as sock:
        assert sock.recv(100) == b"127.0.0.1\n"
    assert say_once(daemon, b"hello\n") == b"hello\n"


# A reload under load, and the end.


class Load:
    """Somebody who connects again and again, and counts what does not come to its end."""

    def __init__(self, address: tuple[str, int], asked: bytes, wanted: bytes) -> None:
        self.address, self.asked, self.wanted = address, asked, wanted
        self.count, self.lost = 0, [""][:0]
        self.ended = False
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self.ended:
            try:
                with socket.create_connection(self.address, timeout=PATIENCE) as sock:
                    sock.sendall(self.asked)
                    told = b""
                    while self.wanted not in told:
                        piece = sock.recv(65536)
                        assert piece, told
                        told += piece
                self.count += 1
            except (OSError, AssertionError) as error:
                self.lost.append(repr(error))

    def __enter__(self) -> Load:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended = True
        self.thread.join(PATIENCE)


@pytest.mark.parametrize(
    ("factory", "asked", "wanted"),
    [
        ("protocol = chatapp:Chat", b"hello\n", b"hello\n"),
        ("protocol = twistedapp:site", b"GET / HTTP/1.0\r\n\r\n", b"pid "),
        ("handler = streamapps:Echo", b"hello\n", b"hello\n"),
    ],
)
def test_a_reload_under_load_loses_no_connection(start: Start, factory: str, asked: bytes, wanted: bytes) -> None:
    text = config("tcp 127.0.0.1:0 x", workers=2).replace("protocol = x", factory)
    daemon = start(text)
    first = daemon.settled(2)
    address = ("127.0.0.1", port_of(daemon, "127.0.0.1"))
    loads = [Load(address, asked, wanted) for _ in range(4)]
    with loads[0], loads[1], loads[2], loads[3]:
        for _ in range(3):
            assert daemon.reload()["ok"]
    assert [load.lost for load in loads] == [[], [], [], []]
    assert all(load.count > 10 for load in loads)
    assert not set(first) & set(daemon.workers())
    for pid in first:
        wait_for_end(pid)
    assert "killed" not in daemon.errors.text


@pytest.mark.parametrize("factory", ["chatapp:Chat", "twistedapp:echo"])
def test_a_reload_drains_and_ends_those_that_stay(start: Start, factory: str) -> None:
    daemon = start(config(f"tcp 127.0.0.1:0 {factory}").replace("10s", "2s"))
    (first,) = daemon.settled(1)
    with connect(daemon) as sock:
        sock.sendall(b"one\n")
        told = b""
        while b"one\n" not in told:
            told += sock.recv(100)
        assert daemon.reload()["ok"]
        assert ask(sock, b"two\n") == b"two\n"
        assert read_all(sock) == b""
    wait_for_end(first)
    daemon.errors.wait_for(rf"\(pid {first}\) exited with 0")
    daemon.output.wait_for(r" X$")


def test_a_worker_that_is_killed_is_replaced(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 chatapp:Chat"))
    (first,) = daemon.settled(1)
    with connect(daemon) as sock:
        assert int(ask(sock, b"pid\n")) == first
        os.kill(first, signal.SIGKILL)
        assert sock.recv(100) == b""
    daemon.errors.wait_for(r"TCP 127\.0\.0\.1:\d+ chatapp:Chat.* 127\.0\.0\.1")
    (_, second) = daemon.settled(2)
    assert int(say_once(daemon, b"pid\n")) == second
