"""What a worker leaves in the logs when it dies or hangs at its work."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemons import read_all

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 1
[log]
slow_after = {slow_after}
[/]
static = {site}
[/bad]
bad = yes
"""


def config(site: Path, slow_after: str = "0") -> str:
    return CONFIG.format(site=site, slow_after=slow_after)


def test_a_crash_is_told_with_its_stack(start: Start, site: Path) -> None:
    daemon = start(config(site))
    (victim,) = daemon.settled(1)
    assert daemon.get("/small.txt").status == 200
    before = daemon.holdings()
    assert daemon.say(b"GET /bad/crash HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    daemon.errors.wait_for(
        rf"\[error\] .*worker 0 \(pid {victim}\) was killed by SIGSEGV while serving 'GET /bad/crash HTTP/1.1'"
    )
    daemon.errors.wait_for(r"^    generation 1, 1 requests served, up [0-9.]+ s$")
    daemon.errors.wait_for(r"^    serving 'GET /bad/crash HTTP/1.1' of 127.0.0.1 for [0-9.]+ s$")
    daemon.errors.wait_for(r"^    Fatal Python error: Segmentation fault$")
    daemon.errors.wait_for(r"^      File .*kinds.py\", line \d+ in _crash$")
    daemon.settled(2)
    assert daemon.get("/small.txt").status == 200
    assert daemon.holdings() == before


def test_an_exit_at_work_is_told_with_its_code_and_work(start: Start, site: Path) -> None:
    daemon = start(config(site))
    (victim,) = daemon.settled(1)
    assert daemon.say(b"GET /bad/exit HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    daemon.errors.wait_for(
        rf"\[error\] .*worker 0 \(pid {victim}\) exited with 3 while serving 'GET /bad/exit HTTP/1.1'"
    )
    daemon.errors.wait_for(r"^    serving 'GET /bad/exit HTTP/1.1' of 127.0.0.1 for [0-9.]+ s$")


@pytest.mark.parametrize(
    ("deed", "function"), [("hang", "_hang"), ("hold", "_hold")], ids=["waiting", "with the interpreter's lock"]
)
def test_a_slow_request_that_its_worker_cannot_log_is_logged_by_the_master(
    start: Start, site: Path, deed: str, function: str
) -> None:
    daemon = start(config(site, "100ms"))
    (worker,) = daemon.settled(1)
    with daemon.connect() as sock:
        sock.sendall(f"GET /bad/{deed} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        daemon.errors.wait_for(
            rf"\[warning\] master.*: worker 0 \(pid {worker}\): slow \([124]x\): 'GET /bad/{deed} HTTP/1.1' "
            r"of 127.0.0.1 for \d+\.\d+ s"
        )
        daemon.errors.wait_for(rf"^      File .*kinds.py\", line \d+ in {function}$")
        assert daemon.workers() == [worker]  # nothing was done to it
        os.kill(worker, signal.SIGKILL)
        assert read_all(sock) == b""
    daemon.settled(2)
    assert daemon.get("/small.txt").status == 200
