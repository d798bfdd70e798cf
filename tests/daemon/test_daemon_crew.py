"""Workers whose crew is in trouble: they are replaced, and what they have in hand is finished where that can be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemons import Daemon, read_all, wait_for_end

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 1
threads = {threads}
[log]
access = none
slow_after = {slow_after}
[limits]
request_timeout = 1s
kill_timeout = {kill_timeout}
[/]
static = {site}
[/work]
work = yes
"""


def started(
    start: Start, site: Path, slow_after: str = "0", kill_timeout: str = "1s", threads: int = 4
) -> tuple[Daemon, int]:
    """A server with one worker, and that one's pid."""
    daemon = start(CONFIG.format(site=site, slow_after=slow_after, kill_timeout=kill_timeout, threads=threads))
    (worker,) = daemon.settled(1)
    return daemon, worker


def asked(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def test_a_worker_with_a_call_that_does_not_end_is_replaced_and_finishes_the_others_first(
    start: Start, site: Path, tmp_path: Path
) -> None:
    daemon, first = started(start, site)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with daemon.connect() as other, daemon.connect() as stuck:
        other.sendall(asked(f"/work/fifo?path={gate}"))
        with open(gate, "w"):  # it is there
            stuck.sendall(asked("/work/sleep?s=3600"))
            assert stuck.recv(1000).startswith(b"HTTP/1.1 503 ")
            daemon.errors.wait_for(r"'GET /work/sleep\?s=3600 HTTP/1.1' took too long: given up after")
            daemon.errors.wait_for(rf"\(pid {first}\) retires: 'GET /work/sleep\?s=3600 HTTP/1.1' does not end")
            second = daemon.settled(2)[1]
            stuck.sendall(asked("/small.txt"))  # by whomever: it is answered, or the connection was closed in time
            left = read_all(stuck)
            assert left == b"" or left.startswith(b"HTTP/1.1 200 ")
            assert daemon.get("/small.txt").status == 200
            assert daemon.workers() == [second]
        answer = read_all(other)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\n%d" % first)
    wait_for_end(first)
    daemon.errors.wait_for(rf"\[info\] .*\(pid {first}\) exited with 0")
    assert daemon.status()["crashes"] == 0


def test_a_call_that_holds_the_interpreter_is_told_with_its_stack_and_ended_with_its_worker(
    start: Start, site: Path
) -> None:
    """Nothing of its worker can run: the master says what it waits for, and ends it."""
    daemon, first = started(start, site, "100ms", "4s")  # the master gives a worker two seconds to say so itself
    line = r"'GET /work/grip\?s=3600 HTTP/1.1'"
    with daemon.connect() as bystander, daemon.connect() as stuck:
        bystander.sendall(asked("/small.txt"))
        assert bystander.recv(1000).startswith(b"HTTP/1.1 200 ")
        stuck.sendall(asked("/work/grip?s=3600"))
        daemon.errors.wait_for(rf"\[warning\] master.*: worker 0 \(pid {first}\): slow \([124]x\): {line} of 127.0.0.1")
        daemon.errors.wait_for(r"^      File .*kinds.py\", line \d+ in _grip$")
        daemon.errors.wait_for(rf"worker 0 \(pid {first}\) did not answer in time: {line}: killed")
        daemon.errors.wait_for(rf"worker 0 \(pid {first}\) was killed by SIGKILL while serving {line}")
        assert read_all(stuck) == b""
        assert read_all(bystander) == b""
    daemon.settled(2)
    assert daemon.get("/small.txt").status == 200


def test_the_record_of_a_worker_that_is_killed_soon_has_its_stack(start: Start, site: Path) -> None:
    daemon, first = started(start, site)
    with daemon.connect() as stuck:
        stuck.sendall(asked("/work/grip?s=3600"))
        daemon.errors.wait_for(rf"worker 0 \(pid {first}\) did not answer in time: .*: killed")
        daemon.errors.wait_for(rf"worker 0 \(pid {first}\) was killed by SIGKILL while serving 'GET /work/grip")
        daemon.errors.wait_for(r"^      File .*kinds.py\", line \d+ in _grip$")


@pytest.mark.parametrize("threads", [1, 4])
def test_an_error_of_whoever_watches_ends_the_worker_with_a_traceback(start: Start, site: Path, threads: int) -> None:
    daemon, first = started(start, site, "100ms", threads=threads)
    with daemon.connect() as sock:
        sock.sendall(asked("/work/blind"))
        daemon.errors.wait_for(r"\[error\] .*: ended by an error of its own")
        daemon.errors.wait_for("^    RuntimeError: asked to fail while looking$")
    daemon.errors.wait_for(rf"worker 0 \(pid {first}\) exited with 70")
    daemon.settled(2)
    assert daemon.get("/small.txt").status == 200
