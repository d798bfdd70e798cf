"""Log files that are moved, deleted, emptied, read, or full, while requests go on."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemons import PATIENCE, Daemon, children_of, descriptors

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 2
[log]
access = {access}
[/]
static = {site}
"""
LINE = re.compile(rb'"GET /(\S*) HTTP/1.1" (\d+) ')


class Tail:
    """A log as `tail -F` sees it: followed by name over renames, woken by inotify, never polling."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader, writer = os.pipe()
        self.process = subprocess.Popen(["tail", "-n", "+1", "-F", str(path)], stdout=writer, stderr=subprocess.DEVNULL)
        os.close(writer)
        self.seen = b""

    def wait_for(self, words: str) -> None:
        """Until a line with these words has come."""
        while words.encode() not in self.seen:
            assert select.select([self.reader], [], [], PATIENCE)[0], f"{words!r} not in {self.seen!r}"
            self.seen += os.read(self.reader, 65536)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)
        os.close(self.reader)


@pytest.fixture
def access(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "access.log"


@pytest.fixture
def daemon(start: Start, site: Path, access: Path) -> Daemon:
    daemon = start(CONFIG.format(site=site, access=access))
    daemon.settled(2)
    return daemon


def follow(daemon: Daemon, access: Path, words: str) -> None:
    """Ask for one thing; wait until its line is in the file of that name, whichever worker wrote it."""
    assert daemon.get(f"/{words}").status == 404
    tail = Tail(access)
    try:
        tail.wait_for(words)
    finally:
        tail.close()


def until_reopened(daemon: Daemon, access: Path, prefix: str) -> None:
    """Ask until the file of that name has a line of ours: both workers will have heard by then or soon."""
    tail = Tail(access)
    try:
        for number in range(10_000):
            assert daemon.get(f"/{prefix}-{number}").status == 404
            if select.select([tail.reader], [], [], 0)[0]:
                break
        tail.wait_for(f"{prefix}-")
    finally:
        tail.close()


def lines(*files: Path) -> list[str]:
    """What was asked for, by all these files together."""
    return [found[1].decode() for file in files for found in LINE.finditer(file.read_bytes())]


def test_usr1_reopens(daemon: Daemon, access: Path) -> None:
    follow(daemon, access, "before")
    old = access.rename(access.with_suffix(".1"))
    daemon.send(signal.SIGUSR1)
    until_reopened(daemon, access, "after")
    asked = lines(old, access)
    assert asked[0] == "before"
    assert sorted(asked[1:]) == sorted(f"after-{number}" for number in range(len(asked) - 1))


@pytest.mark.parametrize("how", ["renamed", "deleted"])
def test_a_file_that_is_gone_is_noticed_without_a_signal(daemon: Daemon, access: Path, how: str) -> None:
    follow(daemon, access, "before")
    if how == "renamed":
        access.rename(access.with_suffix(".1"))
    else:
        access.unlink()
    until_reopened(daemon, access, "after")
    assert lines(access)[-1].startswith("after-")


def test_copytruncate_leaves_no_hole(daemon: Daemon, access: Path) -> None:
    """O_APPEND: what is written after the cut begins at the beginning."""
    follow(daemon, access, "before")
    os.truncate(access, 0)
    follow(daemon, access, "after")
    assert lines(access) == ["after"]
    assert b"\0" not in access.read_bytes()


def test_a_fifo_is_followed_as_it_is(start: Start, site: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    daemon = start(CONFIG.format(site=site, access=tmp_path / "fifo"))
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    assert daemon.get("/small.txt").status == 200
    assert select.select([reader], [], [], PATIENCE)[0]
    assert b'"GET /small.txt HTTP/1.1" 200 6 ' in os.read(reader, 4096)
    os.close(reader)
    for _ in range(4):  # without a reader
        assert daemon.get("/small.txt").status == 200


def test_no_log_at_all(start: Start, site: Path) -> None:
    daemon = start(CONFIG.format(site=site, access="none"))
    daemon.settled(2)
    assert [daemon.get("/small.txt").status for _ in range(4)] == [200] * 4
    daemon.send(signal.SIGUSR1)
    assert daemon.reload()["ok"]
    assert daemon.get("/small.txt").status == 200
    assert "Traceback" not in daemon.errors.text


def test_no_error_log_at_all(make: Start, site: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(PATIENCE)
        text = CONFIG.format(site=site, access="stdout").replace("[log]", "[log]\nerror = none")
        daemon = make(text, NOTIFY_SOCKET=str(tmp_path / "notify"))
        daemon.begin()
        assert ear.recv(100).startswith(b"READY=1\nSTATUS=1 worker, ")
    daemon.port = int(daemon.status()["listening"][0].rpartition(":")[2])
    assert daemon.get("/small.txt").status == 200
    assert daemon.reload()["ok"]
    assert daemon.stop() == 0
    assert daemon.errors.rest() == ""


def test_a_full_disk_loses_lines_and_no_request(start: Start, site: Path, tmp_path: Path) -> None:
    """A symbolic link stands for the log; it leads to a device that is always full, later to a file."""
    link = tmp_path / "access.log"
    link.symlink_to("/dev/full")
    daemon = start(CONFIG.format(site=site, access=link).replace("workers = 2", "workers = 1"))
    daemon.settled(1)
    assert [daemon.get(f"/lost-{number}").status for number in range(20)] == [404] * 20
    fresh = tmp_path / "fresh"
    fresh.symlink_to(tmp_path / "room.log")
    (tmp_path / "room.log").write_text("")
    fresh.replace(link)
    until_reopened(daemon, link, "kept")
    lost = daemon.errors.wait_for(r"\[warning\] .*worker 0.*access log: (\d+) lines? lost: No space left on device")
    kept = lines(link)
    asked = 20 + 1 + max(int(name.partition("-")[2]) for name in kept)
    assert int(lost[1]) + len(kept) == asked
    assert all(name.startswith("kept-") for name in kept)


def test_a_log_that_cannot_be_reopened_keeps_the_old_file(daemon: Daemon, access: Path) -> None:
    follow(daemon, access, "before")
    folder = access.parent.rename(access.parent.with_name("moved"))
    access.parent.write_text("in the way")
    daemon.errors.wait_for(rf"\[error\] .*cannot reopen {access}: .*; writing to the old file")
    follow(daemon, folder / "access.log", "after")
    access.parent.unlink()
    until_reopened(daemon, access, "again")
    assert lines(access)[-1].startswith("again-")


def held(pid: int, path: Path) -> int:
    """How many descriptors of a process lead to a file."""
    return list(descriptors(pid).values()).count(str(path))


def test_a_slow_log_of_its_own_is_held_by_all_and_follows_its_name(start: Start, site: Path, tmp_path: Path) -> None:
    slow = tmp_path / "logs" / "slow.log"
    daemon = start(CONFIG.format(site=site, access="none").replace("[log]", f"[log]\nslow = {slow}"))
    everybody = [daemon.process.pid, *daemon.settled(2)]
    assert [held(pid, slow) for pid in everybody] == [1, 1, 1]
    slow.rename(tmp_path / "slow.log.1")
    daemon.send(signal.SIGUSR1)
    for _ in range(100_000):
        assert daemon.status()["ok"]
        if [held(pid, slow) for pid in everybody] == [1, 1, 1]:
            break
    assert [held(pid, slow) for pid in everybody] == [1, 1, 1]
    assert [held(pid, tmp_path / "slow.log.1") for pid in everybody] == [0, 0, 0]


def test_one_file_for_errors_and_slow_requests_is_opened_once(start: Start, site: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.log"
    daemon = start(CONFIG.format(site=site, access="none"))
    daemon.write(daemon.config.replace("[log]", f"[log]\nerror = {both}\nslow = {both}"))
    assert daemon.reload()["ok"]
    assert held(daemon.process.pid, both) == 1
    while len(children_of(daemon.process.pid)) > 3:
        pass  # until the workers of before have gone, with what the master held of them
    before = daemon.holdings()
    both.rename(tmp_path / "both.log.1")
    daemon.send(signal.SIGUSR1)
    assert [daemon.status()["ok"] for _ in range(2)] == [True] * 2  # by the second answer the signal was acted on
    assert held(daemon.process.pid, both) == 1
    assert len(daemon.holdings()) == len(before)
    daemon.write(daemon.config.replace(f"slow = {both}", "slow = none"))
    assert daemon.reload()["ok"]
    assert held(daemon.process.pid, both) == 1


def test_a_slow_log_that_cannot_be_had_refuses_a_reload(daemon: Daemon, site: Path) -> None:
    before = daemon.holdings()
    (site / "file").write_text("")
    daemon.write(daemon.config.replace("[log]", f"[log]\nslow = {site}/file/slow.log"))
    refused = daemon.reload()
    assert re.match(rf"cannot write the log {site}/file\b", refused["why"])
    assert daemon.holdings() == before


def test_a_moved_error_log_is_noticed(start: Start, make: Start, site: Path, tmp_path: Path) -> None:
    errors = tmp_path / "error.log"
    daemon = start(CONFIG.format(site=site, access="none"))
    daemon.write(daemon.config.replace("[log]", f"[log]\nerror = {errors}"))
    assert daemon.reload()["ok"]
    assert "generation 2 serves" in errors.read_text()
    errors.rename(tmp_path / "error.log.1")
    daemon.send(signal.SIGUSR1)
    assert [daemon.status()["ok"] for _ in range(2)] == [True] * 2  # by the second answer the signal was acted on
    daemon.send(signal.SIGTTIN)
    tail = Tail(errors)
    try:
        tail.wait_for("3 workers wanted")
    finally:
        tail.close()
