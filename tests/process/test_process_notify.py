"""What the service manager hears."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkserver.process.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A manager's socket, and how its environment variable names it."""
    name = (
        str(tmp_path / "notify") if request.param == "path" else f"@forkserver-test-{os.getpid()}-{time.monotonic_ns()}"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name[1:] if name.startswith("@") else name)
        sock.setblocking(False)
        yield sock, name


def test_the_states_are_told(ear: tuple[socket.socket, str]) -> None:
    sock, name = ear
    environ = {"NOTIFY_SOCKET": name, "OTHER": "stays"}
    notifier = Notifier(environ)
    assert environ == {"OTHER": "stays"}
    notifier.ready("3 workers")
    notifier.stopping()
    notifier.say("4 workers,\n  2 connections")
    notifier.say("4 workers, 2 connections")  # as before: not told again
    notifier.alive()  # no watchdog: silent
    notifier.ready("3 workers")
    heard = [sock.recv(4096).decode() for _ in range(4)]
    ready = "READY=1\nSTATUS=3 workers"
    assert heard == [ready, "STOPPING=1", "STATUS=4 workers, 2 connections", ready]
    with pytest.raises(BlockingIOError):
        sock.recv(4096)


def test_a_reload_has_its_time(ear: tuple[socket.socket, str]) -> None:
    sock, name = ear
    before = time.monotonic_ns() // 1000
    Notifier({"NOTIFY_SOCKET": name}).reloading()
    found = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", sock.recv(4096).decode())
    assert found
    assert before <= int(found[1]) <= time.monotonic_ns() // 1000


def test_the_watchdog_is_fed(ear: tuple[socket.socket, str]) -> None:
    sock, name = ear
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())})
    notifier.alive()
    assert sock.recv(4096) == b"WATCHDOG=1"
    assert notifier.watchdog == 3.0


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "500000"}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({"WATCHDOG_USEC": "-5"}, 0.0),
        ({"WATCHDOG_USEC": ""}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_watchdogs_interval(environ: dict[str, str], seconds: float) -> None:
    assert Notifier(environ).watchdog == seconds
    assert environ == {}


def test_the_watchdog_hears_twice_in_its_interval() -> None:
    assert Notifier({"WATCHDOG_USEC": "500000"}).pace(1.0) == 0.25
    assert Notifier({"WATCHDOG_USEC": "60000000"}).pace(1.0) == 1.0
    assert Notifier({}).pace(1.0) == 1.0


@pytest.mark.parametrize("address", ["", "/nonexistent/notify", "@forkserver-nobody-listens-here", "x" * 300])
def test_without_a_listener_all_is_silent_and_harmless(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address} if address else {})
    before = os.listdir("/proc/self/fd")
    notifier.ready("3 workers")
    notifier.reloading()
    notifier.stopping()
    notifier.say("unheard")
    notifier.alive()
    assert notifier.status == "unheard"
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_manager_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for number in range(5000):
            notifier.say(f"line {number} " + "x" * 200)
        assert ear.recv(4096).startswith(b"STATUS=line 0 ")
