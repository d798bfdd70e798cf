"""What applications print: in the background it goes to the error log's file, whichever that is by now."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemons import Daemon, children_of, descriptors, end_background, master_of

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 2
[log]
access = stdout
error = {error}
slow = {slow}
[/]
wsgi = talkative
path = {folder}
"""
APPLICATION = """
import subprocess, sys, threading, time

print("loading", file=sys.stderr)

def fail(word):
    raise ValueError(word)

def application(environ, start_response):
    word = environ["QUERY_STRING"]
    print("to stdout:", word)
    print("to stderr:", word, file=sys.stderr)
    subprocess.run(["sh", "-c", 'echo "by a program: $0" >&2', word], check=True)
    thread = threading.Thread(target=fail, args=(word,))
    thread.start()
    thread.join()
    while word == "slow" and "slow (1x)" not in open("/proc/self/fd/2").read():
        time.sleep(0.001)
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
SAID = ("to stdout: {}\n", "to stderr: {}\n", "by a program: {}\n", "Traceback (most", "ValueError: {}\n")


@pytest.fixture
def error(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "error.log"


@pytest.fixture
def daemon(make: Start, error: Path, tmp_path: Path) -> Iterator[Daemon]:
    """In the background."""
    (tmp_path / "talkative.py").write_text(APPLICATION)
    daemon = make(CONFIG.format(error=error, slow="stderr", folder=tmp_path))
    begin(daemon)
    yield daemon
    end_background(daemon)


def begin(daemon: Daemon) -> subprocess.CompletedProcess[str]:
    daemon.write(daemon.config)
    done = daemon.command("start")
    assert done.returncode == 0, done.stderr
    daemon.port = int(daemon.status()["listening"][0].rpartition(":")[2])
    return done


def heard(daemon: Daemon, word: str, path: Path) -> None:
    """Who asks, finds in this file what the application said to it."""
    assert daemon.get(f"/?{word}").status == 200
    text = path.read_text()
    assert [line for line in SAID if line.format(word) not in text] == []


def family(daemon: Daemon) -> list[int]:
    """Master, molds and workers."""
    master = master_of(daemon)
    return [master, *children_of(master)]


def until_all_hold(daemon: Daemon, path: Path) -> None:
    """Until both streams of every process lead to a file; that is soon, and nothing tells when."""
    for _ in range(10_000):
        streams = [descriptors(pid).get(number) for pid in family(daemon) for number in "12"]
        if set(streams) == {str(path)}:
            return
        select.select([], [], [], 0.001)
    raise AssertionError(f"not all lead to {path}: {streams}")


def test_what_is_printed_is_in_the_error_log(daemon: Daemon, error: Path) -> None:
    assert "loading\n" in error.read_text()
    heard(daemon, "first", error)
    until_all_hold(daemon, error)
    assert all(descriptors(pid)["0"] == "/dev/null" for pid in family(daemon))


@pytest.mark.parametrize("told", [True, False], ids=["USR1", "noticed"])
def test_a_renamed_log_is_left_by_everybody(daemon: Daemon, error: Path, told: bool) -> None:
    heard(daemon, "before", error)
    old = error.rename(error.with_suffix(".1"))
    if told:
        os.kill(master_of(daemon), signal.SIGUSR1)
    until_all_hold(daemon, error)
    assert not [pid for pid in family(daemon) if str(old) in descriptors(pid).values()]
    heard(daemon, "after", error)
    assert "after" not in old.read_text()
    workers = daemon.workers()
    os.kill(workers[0], signal.SIGTERM)  # its successor is told by the mold
    while workers[0] in daemon.workers() or len(daemon.workers()) < 2:
        pass
    until_all_hold(daemon, error)


def test_a_log_that_is_copied_and_cut_has_no_hole(daemon: Daemon, error: Path) -> None:
    heard(daemon, "before", error)
    os.truncate(error, 0)
    heard(daemon, "after", error)
    assert b"\0" not in error.read_bytes()
    assert b"before" not in error.read_bytes()


def test_another_error_log_is_taken_by_a_reload(daemon: Daemon, error: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    daemon.write(daemon.config.replace(str(error), str(other)))
    assert daemon.reload()["ok"]
    until_all_hold(daemon, other)
    heard(daemon, "after", other)
    assert "loading\n" in other.read_text()
    daemon.write(daemon.config.replace(str(other), "none"))
    assert daemon.reload()["ok"]
    until_all_hold(daemon, Path("/dev/null"))
    assert daemon.get("/?nobody").status == 200


def test_a_refused_reload_leaves_them_as_they_were(daemon: Daemon, error: Path, tmp_path: Path) -> None:
    (tmp_path / "talkative.py").write_text("import sys; print('no use', file=sys.stderr); raise OSError('gone')")
    daemon.write(daemon.config.replace(str(error), str(tmp_path / "other.log")))
    assert not daemon.reload()["ok"]
    assert "no use\n" in (tmp_path / "other.log").read_text()
    until_all_hold(daemon, error)


def test_slow_requests_meant_for_stderr_are_there_and_requests_meant_for_stdout_are_not(
    daemon: Daemon, error: Path
) -> None:
    assert daemon.command("stop").returncode == 0
    daemon.config = daemon.config.replace("[log]", "[log]\nslow_after = 50ms")
    assert begin(daemon).stderr == "forkserver: in the background stdout leads nowhere: give [log] access a file\n"
    heard(daemon, "slow", error)  # it answers once it has seen its record
    os.kill(master_of(daemon), signal.SIGUSR1)
    until_all_hold(daemon, error)
    assert daemon.reload()["ok"]
    heard(daemon, "again", error)
    assert daemon.command("stop").returncode == 0
    assert "slow (1x): 'GET /?slow HTTP/1.1'" in error.read_text()
    assert '" 200 ' not in error.read_text()


def test_a_fifo_is_for_records_alone(daemon: Daemon, error: Path, tmp_path: Path) -> None:
    """It does not wait for its reader, which who prints relies on."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    daemon.write(daemon.config.replace(str(error), str(fifo)))
    assert daemon.reload()["ok"]
    until_all_hold(daemon, Path("/dev/null"))
    assert daemon.get("/?nobody").status == 200


def test_in_the_foreground_streams_are_what_they_were(make: Start, error: Path, tmp_path: Path) -> None:
    (tmp_path / "talkative.py").write_text(APPLICATION)
    daemon = make(CONFIG.format(error=error, slow="none", folder=tmp_path))
    daemon.begin()
    daemon.errors.wait_for("^loading$")
    while not (error.exists() and "generation 1 serves" in error.read_text()):
        pass
    daemon.port = int(daemon.status()["listening"][0].rpartition(":")[2])
    assert daemon.get("/?here").status == 200
    daemon.errors.wait_for("^to stderr: here$")
    assert "here" not in error.read_text()
