"""Handlers for connections, served by the pool: over real sockets, seen from outside."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemon.test_daemon_listeners import pass_in
from tests.daemons import PATIENCE, Daemon, children_of, read_all, session, wait_for_end

HERE = Path(__file__).parent
LOG = "%h %r %>s %I %O %X"
HEAD = f"""
[server]
workers = {{workers}}
[log]
format = {LOG}
[limits]
graceful_timeout = 10s
{{limits}}
"""


def config(*sections: str, workers: int = 1, limits: str = "") -> str:
    """Each section as its name and its handler, with further options in lines of their own."""
    parts = [HEAD.format(workers=workers, limits=limits)]
    for section in sections:
        first, *options = section.split("\n")
        name, handler = first.rsplit(" ", 1)
        parts.append("\n".join([f"[{name}]", f"handler = streamapps:{handler}", f"path = {HERE}", *options]))
    return "\n".join(parts)


def port_of(daemon: Daemon, host: str) -> int:
    """The port that was chosen at an address."""
    (found,) = {name.rpartition(":")[2] for name in daemon.status()["listening"] if name.startswith(f"{host}:")}
    return int(found)


def connect(daemon: Daemon, host: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((host, port_of(daemon, host)), timeout=PATIENCE)


def unix(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE)
    sock.connect(str(path))
    return sock


def ask(sock: socket.socket, data: bytes) -> bytes:
    """Whatever comes back first."""
    sock.sendall(data)
    return sock.recv(65536)


def say(sock: socket.socket, data: bytes) -> bytes:
    """Everything that comes back, once all is said."""
    with sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


# What can be a handler.


def test_a_stream_handler_and_its_line_in_the_log(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Echo"))
    port = port_of(daemon, "127.0.0.1")
    assert say(connect(daemon), b"one\ntwo\n") == b"one\ntwo\n"
    daemon.output.wait_for(rf"^127\.0\.0\.1 TCP 127\.0\.0\.1:{port} 200 8 8 -$")
    with connect(daemon) as sock:
        assert ask(sock, b"one\n") == b"one\n"
        status = daemon.status()
        (worker,) = status["workers"]
        assert worker["connections"] == 1
        assert [(one["request"], one["client"]) for one in worker["in_progress"]] == [
            (f"TCP 127.0.0.1:{port} streamapps:Echo", "127.0.0.1")
        ]
    daemon.output.wait_for(rf"^127\.0\.0\.1 TCP 127\.0\.0\.1:{port} 200 4 4 -$")
    status = daemon.status()
    assert (status["requests"], status["bytes"]) == (2, 12)
    assert status["workers"][0]["in_progress"] == []


def test_a_base_handler_sees_a_server(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Shout"))
    port = port_of(daemon, "127.0.0.1")
    assert say(connect(daemon), b"hello") == f"HELLO at 127.0.0.1:{port} for 127.0.0.1".encode()


def test_a_function(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 plain"))
    assert say(connect(daemon), bytes(3_000_000)) == b"3000000 bytes"
    daemon.output.wait_for(r" 200 3000000 13 -$")


def test_handlers_of_http_server(start: Start, site: Path) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Page", "tcp 127.0.0.2:0 Files"), FILES=str(site))
    asked = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(daemon) as sock:
        sock.sendall(2 * asked)  # the connection is kept, and ended by a time limit of the handler's own
        assert read_all(sock).count(b"\r\n\r\n/x for 127.0.0.1") == 2
    answer = say(connect(daemon, "127.0.0.2"), b"GET /large.bin HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n" + (site / "large.bin").read_bytes())
    daemon.errors.wait_for(r'"GET /large.bin HTTP/1.0" 200 -$')  # by themselves


def test_a_unix_socket_counts_for_itself(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "run" / "echo.sock"
    page = tmp_path / "page.sock"
    daemon = start(config(f"tcp unix:{path} Echo", f"tcp unix:{page} Page"))
    assert say(unix(path), b"one\ntwo\n") == b"one\ntwo\n"
    daemon.output.wait_for(rf"^unix TCP unix:{path} 200 8 8 -$")
    assert say(unix(page), b"GET /x HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\n/x for unix")
    assert daemon.stop() == 0
    assert not path.exists()


def test_several_addresses_and_a_log_that_is_off(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0, 127.0.0.2:0 Echo\naccess_log = no", "tcp 127.0.0.3:0 Echo"))
    for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
        assert say(connect(daemon, host), b"one\n") == b"one\n"
    daemon.output.wait_for(r"TCP 127\.0\.0\.3:")
    assert daemon.status()["requests"] == 3
    assert "127.0.0.1:" not in daemon.output.text


def test_sockets_of_a_service_manager(make: Callable[..., Daemon]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two:
        two.bind(("127.0.0.1", 0))
        text = config("tcp systemd:echo Echo", "udp systemd:time Time")
        daemon = pass_in(make(text), one, two, names="echo:time")
        assert say(socket.create_connection(one.getsockname(), PATIENCE), b"one\n") == b"one\n"
        assert datagram(two.getsockname(), b"x").endswith(b" x")
        daemon.write(text.replace("udp systemd:time", "udp systemd:echo"))
        answer = daemon.reload()
        assert not answer["ok"]
        assert answer["why"] == "cannot listen on udp systemd:echo: the socket of that name is not one for datagrams"


# Limits.


def test_who_says_nothing_is_sent_away(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "echo.sock"
    daemon = start(config("tcp 127.0.0.1:0 Echo\nidle_timeout = 1s", f"tcp unix:{path} Echo\nidle_timeout = 1s"))
    with connect(daemon) as sock, unix(path) as other:
        assert ask(sock, b"one\n") == ask(other, b"one\n") == b"one\n"
        assert read_all(sock) == read_all(other) == b""
    daemon.output.wait_for(r"^127\.0\.0\.1 TCP 127\.0\.0\.1:\d+ 408 4 4 X$")
    daemon.output.wait_for(rf"^unix TCP unix:{path} 408 4 4 X$")
    daemon.errors.wait_for_count(r"\[info\] .*: nothing was said for 1 s: closed", 2)


def test_a_connection_has_its_time_and_no_more(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Echo\ntotal_timeout = 1s\nidle_timeout = 0"))
    with connect(daemon) as sock:
        begin = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while ask(sock, b"one\n"):
                pass
        assert time.monotonic() - begin >= 1.0
    daemon.errors.wait_for(r"has lasted 1 s, as long as it may: closed")
    daemon.output.wait_for(r" 408 \d+ \d+ X$")


def test_a_handler_that_does_not_end_has_its_worker_replaced(start: Start) -> None:
    daemon = start(
        config("tcp 127.0.0.1:0 Sleeper\ntotal_timeout = 1s", limits="kill_timeout = 1s").replace("10s", "2s")
    )
    (first,) = daemon.settled(1)
    with connect(daemon) as sock:
        assert sock.recv(100) == b"asleep"
        daemon.errors.wait_for(rf"\(pid {first}\) retires: TCP .* streamapps:Sleeper does not end")
        assert read_all(sock) == b""
    daemon.settled(2)
    wait_for_end(first)
    daemon.errors.wait_for(rf"\(pid {first}\) exited with 0")


def test_who_finds_a_worker_full_is_taken_by_another(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Echo\nconnections = 1", workers=2))
    daemon.settled(2)
    with connect(daemon) as one, connect(daemon) as two, connect(daemon) as three:
        pids = {ask(one, b"pid\n"), ask(two, b"pid\n")}
        assert len(pids) == 2
        three.sendall(b"pid\n")
        one.close()  # room for the third, which waits in the kernel
        assert three.recv(100) in pids


def test_one_client_may_have_so_many(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Echo", limits="connections_per_client = 2"))
    with connect(daemon) as one, connect(daemon) as two:
        assert ask(one, b"1\n") + ask(two, b"2\n") == b"1\n2\n"
        with connect(daemon) as three:
            assert read_all(three) == b""
        daemon.output.wait_for(r" 503 0 0 X$")
        daemon.errors.wait_for("127.0.0.1: TCP 127.0.0.1:.*: this client has too many connections")
    daemon.output.wait_for(r" 200 2 2 -$")
    daemon.output.wait_for(r" 200 2 2 -$")
    assert say(connect(daemon), b"3\n") == b"3\n"


def test_more_connections_than_have_a_desk(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Echo\nconnections = 100"))
    with contextlib.ExitStack() as held:
        for _ in range(70):
            assert ask(held.enter_context(connect(daemon)), b"one\n") == b"one\n"
        (worker,) = daemon.status()["workers"]
        assert (worker["connections"], len(worker["in_progress"])) == (70, 64)
    daemon.output.wait_for_count(r" 200 4 4 -$", 70)
    (worker,) = daemon.status()["workers"]
    assert worker["in_progress"] == []


def test_a_system_without_descriptors(make: Callable[..., Daemon]) -> None:
    daemon = make(config("tcp 127.0.0.1:0 Echo\nconnections = 200"))
    daemon.start(before=["bash", "-c", 'ulimit -n 64; exec "$@"', "bash"])
    address = "127.0.0.1", port_of(daemon, "127.0.0.1")
    with contextlib.ExitStack() as held:
        for _ in range(80):
            held.enter_context(socket.create_connection(address, PATIENCE))
        daemon.errors.wait_for("no more connections for now: Too many open files")
    assert say(connect(daemon), b"one\n") == b"one\n"


@pytest.mark.parametrize("preload", ["yes", "no"])
def test_whoever_loads_it(start: Start, preload: str) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Echo").replace("workers = 1", f"workers = 1\npreload = {preload}"))
    assert say(connect(daemon), b"one\n") == b"one\n"
    daemon.write(config("tcp 127.0.0.1:0 Ecco").replace("workers = 1", f"workers = 1\npreload = {preload}"))
    assert "has no attribute Ecco" in daemon.reload()["why"]
    assert say(connect(daemon), b"one\n") == b"one\n"


# Trouble.


def test_a_handler_that_raises_ends_its_connection_alone(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Echo"))
    (worker,) = daemon.settled(1)
    with connect(daemon) as other:
        assert ask(other, b"one\n") == b"one\n"
        assert say(connect(daemon), b"raise\n") == b""
        daemon.errors.wait_for(r"\[error\] worker 0\[\d+\]: 127\.0\.0\.1: TCP .*: streamapps:Echo failed")
        daemon.errors.wait_for("ValueError: asked to raise")
        daemon.output.wait_for(r" 500 6 0 -$")
        assert ask(other, b"pid\n") == b"%d\n" % worker


def test_a_client_that_breaks_off_is_no_error(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Echo"))
    with connect(daemon) as sock:
        assert ask(sock, b"one\n") == b"one\n"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset at the close
    daemon.errors.wait_for(r"\[info\] .*: streamapps:Echo: .*reset")
    daemon.output.wait_for(r" 200 \d 4 -$")
    assert "[error]" not in daemon.errors.text


def test_a_worker_that_is_killed_is_replaced_and_the_report_names_the_connection(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Echo", workers=2))
    pids = daemon.settled(2)
    with connect(daemon) as sock:
        victim = int(ask(sock, b"pid\n"))
        os.kill(victim, signal.SIGKILL)
        assert sock.recv(100) == b""
        for _ in range(10):
            assert int(say(connect(daemon), b"pid\n")) != victim
    assert victim in pids
    daemon.errors.wait_for(rf"\(pid {victim}\) was killed by SIGKILL")
    daemon.errors.wait_for(r"TCP 127\.0\.0\.1:\d+ streamapps:Echo.* 127\.0\.0\.1")
    daemon.settled(3)


def test_a_handler_may_fork(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 forking", "tcp 127.0.0.2:0 Echo"))
    with connect(daemon, "127.0.0.2") as other:
        assert ask(other, b"one\n") == b"one\n"
        told = say(connect(daemon), b"speak")
        assert re.fullmatch(rb"child holds (\d+), parent", told)
        lines = int(told.split()[2].rstrip(b","))
        assert lines <= 4, (
            "the child holds what is its parent's: it needs its connection, and keeps the lines to the master"
        )
        assert say(connect(daemon), b"return") == b", parent"
        daemon.errors.wait_for("streamapps:forking: the handler forked, and the child returned: it is ended")
        assert ask(other, b"two\n") == b"two\n"


# Datagrams.


def datagram(address: tuple[str, int], data: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(address)
        sock.send(data)
        return sock.recv(65536)


def udp_port(daemon: Daemon, host: str = "127.0.0.1") -> tuple[str, int]:
    return host, port_of(daemon, f"udp {host}")


def test_a_time_server_by_datagram_and_by_connection(start: Start) -> None:
    daemon = start(config("udp 127.0.0.1:0 Time", "tcp 127.0.0.1:0 Clock", workers=2))
    before = int(time.time())
    told = datagram(udp_port(daemon), b"what time is it").split(b" ", 1)
    assert before <= int(told[0]) <= time.time()
    assert told[1] == b"what time is it"
    sent = len(b" ".join(told))
    daemon.output.wait_for(rf"^127\.0\.0\.1 UDP 127\.0\.0\.1:\d+ 200 15 {sent} -$")
    assert before <= int(say(connect(daemon), b"")) <= time.time()


def test_datagrams_that_wait_and_fail(start: Start) -> None:
    daemon = start(config("udp 127.0.0.1:0 upper\nconnections = 2"))
    place = udp_port(daemon)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(place)
        sock.send(b"wait")
        assert datagram(place, b"one") == b"ONE"
        sock.send(b"raise")
        daemon.errors.wait_for(r"127\.0\.0\.1: UDP .*: streamapps:upper failed")
        for number in range(20):
            assert datagram(place, b"%d" % number) == b"%d" % number
        assert datagram(place, b"go") == b"GO"
        assert sock.recv(100) == b"WAIT"
    daemon.output.wait_for(r" 500 5 0 -$")


def test_datagrams_of_a_unix_socket(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "time.sock"
    daemon = start(config(f"udp unix:{path} upper"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.bind(str(tmp_path / "client.sock"))
        sock.connect(str(path))
        sock.send(b"one")
        assert sock.recv(100) == b"ONE"
    daemon.output.wait_for(rf"^unix UDP unix:{path} 200 3 3 -$")


# Reload and stop.


def test_a_reload_lets_connections_finish_and_takes_up_new_code_and_new_addresses(start: Start, tmp_path: Path) -> None:
    text = config("tcp 127.0.0.1:0 Echo", "tcp 127.0.0.2:0 Echo")
    daemon = start(text)
    holdings = daemon.holdings()
    (first,) = daemon.settled(1)
    gone = port_of(daemon, "127.0.0.2")
    kept = port_of(daemon, "127.0.0.1")
    with connect(daemon) as sock:
        assert ask(sock, b"pid\n") == b"%d\n" % first
        daemon.write(text.replace("127.0.0.2:0", "127.0.0.3:0").replace("Echo", "Shout", 1))
        assert daemon.reload()["ok"]
        assert port_of(daemon, "127.0.0.1") == kept
        assert say(connect(daemon), b"hello").startswith(b"HELLO at ")
        assert say(connect(daemon, "127.0.0.3"), b"one\n") == b"one\n"
        assert ask(sock, b"pid\n") == b"%d\n" % first
    wait_for_end(first)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", gone))
    daemon.settled(2)
    assert daemon.holdings() == holdings


def test_a_handler_that_is_not_there_refuses_the_reload(start: Start) -> None:
    text = config("tcp 127.0.0.1:0 Echo")
    daemon = start(text)
    for wrong, why in (
        ("Ecco", r"server.ini:\d+: \[tcp 127.0.0.1:0\] streamapps .* has no attribute Ecco"),
        ("Time", "streamapps:Time takes datagrams: its section is"),
        ("upper", r"streamapps:upper does not take the arguments \(socket, address\)"),
        ("HERE", "has no attribute HERE"),
        ("socketserver", "streamapps:socketserver is a module"),
        ("socketserver.TCPServer", "is a server of its own; name its handler"),
        ("GATE", "is a thing of type Event, which cannot be called and so is no handler"),
    ):
        daemon.write(text.replace("Echo", wrong))
        answer = daemon.reload()
        assert not answer["ok"]
        assert re.search(why, answer["why"])
    assert say(connect(daemon), b"one\n") == b"one\n"


def test_a_stop_waits_for_connections_and_ends_those_that_stay(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Echo").replace("10s", "2s"))
    with connect(daemon) as short, connect(daemon) as long:
        assert ask(short, b"one\n") == ask(long, b"one\n") == b"one\n"
        daemon.send(signal.SIGTERM)
        daemon.errors.wait_for("stopping: finishing what is in flight")
        assert ask(short, b"two\n") == b"two\n"
        short.close()
        assert read_all(long) == b""
    assert daemon.wait() == 0
    daemon.output.wait_for(r" 200 8 8 -$")
    daemon.output.wait_for(r" 200 4 4 X$")
    assert "killed" not in daemon.errors.rest()


def test_check_shows_streams_and_their_differences(start: Start) -> None:
    text = config("tcp 127.0.0.1:0 Echo", "udp 127.0.0.1:0 Time")
    daemon = start(text)
    shown = daemon.command("check", "--show").stdout
    assert "[tcp 127.0.0.1:0]\nhandler = streamapps:Echo" in shown
    assert "[udp 127.0.0.1:0]\nhandler = streamapps:Time" in shown
    assert "listen = none" in shown
    assert daemon.command("check", "--diff").stdout == "no differences\n"
    daemon.write(text.replace("Echo", "Echo\nconnections = 7").replace("udp 127.0.0.1", "udp 127.0.0.2"))
    assert daemon.command("check", "--diff").stdout.splitlines() == [
        "[tcp 127.0.0.1:0] connections: 64 -> 7",
        "[udp 127.0.0.1:0]: removed, handler = streamapps:Time",
        "[udp 127.0.0.2:0]: added, handler = streamapps:Time",
    ]


def test_nothing_is_left_of_connections(start: Start) -> None:
    daemon = start(config("tcp 127.0.0.1:0 Echo", "udp 127.0.0.1:0 upper"))
    (worker,) = daemon.settled(1)
    assert say(connect(daemon), b"one\n") == b"one\n"
    daemon.output.wait_for(" TCP ")
    before = len(os.listdir(f"/proc/{worker}/fd"))
    for _ in range(50):
        assert say(connect(daemon), b"one\n") == b"one\n"
        assert datagram(udp_port(daemon), b"one") == b"ONE"
    daemon.output.wait_for_count(" TCP ", 51)
    assert len(os.listdir(f"/proc/{worker}/fd")) == before
    assert session(daemon.process.pid)
    assert "Z" not in children_of(daemon.process.pid).values()
