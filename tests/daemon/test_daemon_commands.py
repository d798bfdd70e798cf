"""What a person types, and the exit codes: 0 done, 1 refused or failed, 2 wrong words or file, 3 not running."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkserver import __version__
from tests.conftest import Start
from tests.daemons import PATIENCE, Daemon, Lines, children_of, descriptors, end_background, master_of, wait_for_end
from tests.typed import LAUNCH, ROOT, forkserver, typed

CONFIG = """
[server]
listen = {listen}
workers = 2
pid = {folder}/server.pid
[log]
access = {folder}/access.log
error = {folder}/error.log
slow = {folder}/slow.log
[/]
static = {site}
"""
COMMANDS = ["run", "serve", "start", "stop", "restart", "reload", "status", "check"]


def config(site: Path, folder: Path, listen: str = "127.0.0.1:0") -> str:
    return CONFIG.format(site=site, folder=folder, listen=listen)


@pytest.fixture
def background(make: Start, site: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A Daemon whose file is written, to be begun with `start`; ended with the test."""
    daemon = make(config(site, tmp_path))
    daemon.write(daemon.config)
    yield daemon
    end_background(daemon)


def told(pid: int, daemon: Daemon) -> bytes:
    """The small file, from the daemon in the background."""
    daemon.port = int(daemon.status()["listening"][0].rpartition(":")[2])
    assert master_of(daemon) == pid
    return daemon.get("/small.txt").body


def test_the_version() -> None:
    done = forkserver("--version")
    assert (done.returncode, done.stdout) == (0, f"forkserver {__version__}\n")


def test_the_help_mentions_every_command() -> None:
    done = typed("--help")
    assert done.returncode == 0
    assert [command for command in COMMANDS if not re.search(rf"^    {command} ", done.stdout, re.MULTILINE)] == []
    assert [command for command in COMMANDS if typed(command, "--help").returncode] == []


@pytest.mark.parametrize("words", [[], ["dance"], ["serve"], ["status", "--jsno"], ["run", "a", "b"]], ids=" ".join)
def test_wrong_usage_is_2(words: list[str]) -> None:
    done = typed(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: forkserver")


@pytest.mark.parametrize("command", ["run", "start", "restart", "check", "reload", "stop", "status"])
def test_a_file_that_is_not_there(command: str, tmp_path: Path) -> None:
    """With no file there is no telling where a master would be; only 2 or 3 can be right."""
    done = typed(command, str(tmp_path / "none.ini"))
    assert done.returncode == (3 if command in ("reload", "stop", "status") else 2)
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["stop", "reload", "status"])
def test_not_running_is_3(background: Daemon, command: str) -> None:
    done = background.typed(command)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"forkserver: no forkserver answers at {background.folder}/control.sock; ")
    assert background.typed("check", "--diff").returncode == 3


def test_a_whole_life_in_the_background(background: Daemon, tmp_path: Path) -> None:
    done = background.command("start")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    first = master_of(background)
    assert (tmp_path / "server.pid").read_text() == f"{first}\n"
    assert told(first, background) == b"small\n"
    assert os.getsid(first) != os.getsid(0)
    assert os.readlink(f"/proc/{first}/cwd") == "/"
    assert [descriptors(first)[number] for number in "012"] == ["/dev/null", *[f"{tmp_path}/error.log"] * 2]

    again = background.command("start")
    assert again.returncode == 1
    assert again.stderr == f"forkserver: {tmp_path}/server.pid is held by process {first}: already running\n"
    assert told(first, background) == b"small\n"

    before = background.workers()
    for _ in range(2):  # the second finds whatever the first has broken
        assert background.command("reload").returncode == 0
    assert told(first, background) == b"small\n"
    assert not set(before) & set(background.workers())
    shown = background.command("status")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"master {first}, generation 3, up ")
    assert len(re.findall(r"^worker .* ready ", shown.stdout, re.MULTILINE)) == 2

    assert background.command("restart").returncode == 0
    second = master_of(background)
    assert second not in (0, first)
    wait_for_end(first)
    assert told(second, background) == b"small\n"

    everybody = children_of(second)
    assert background.command("stop").returncode == 0
    assert master_of(background) == 0
    for pid in everybody:
        wait_for_end(pid)
    assert not (tmp_path / "server.pid").exists()
    assert background.command("stop").returncode == 3
    assert background.command("restart").returncode == 0  # what is not running is started
    assert master_of(background) not in (0, first, second)
    assert "Traceback" not in (tmp_path / "error.log").read_text()


def test_start_prints_why_it_cannot(background: Daemon, site: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        background.write(config(site, tmp_path, address))
        done = background.command("start")
    assert done.returncode == 1
    assert done.stderr == f"forkserver: cannot listen on {address}: in use by another program\n"
    assert not (tmp_path / "server.pid").exists()
    assert f"cannot start: cannot listen on {address}" in (tmp_path / "error.log").read_text()


@pytest.mark.parametrize("part", ["log", "pid", "control"])
def test_start_names_the_place_that_cannot_be_written(
    background: Daemon, site: Path, tmp_path: Path, part: str
) -> None:
    (tmp_path / "file").write_text("")
    text = background.file.read_text()
    place = {"log": "access.log", "pid": "server.pid", "control": "control.sock"}[part]
    background.file.write_text(re.sub(rf"\S+/{place}", f"{tmp_path}/file/{place}", text))
    done = background.command("start")
    assert done.returncode == 1
    assert f"{tmp_path}/file" in done.stderr
    foreground = background.command("run")
    assert foreground.returncode == 1
    assert foreground.stderr.startswith("forkserver: cannot start: ")
    assert f"{tmp_path}/file" in foreground.stderr


def test_a_stale_pid_file_is_not_believed(background: Daemon, tmp_path: Path) -> None:
    (tmp_path / "server.pid").write_text(f"{os.getpid()}\n")
    assert background.typed("stop").returncode == 3  # and we are still here
    assert background.command("start").returncode == 0
    assert (tmp_path / "server.pid").read_text() == f"{master_of(background)}\n"


def test_a_pid_file_in_the_foreground(start: Start, site: Path, tmp_path: Path) -> None:
    daemon = start(config(site, tmp_path).replace(f"error = {tmp_path}/error.log", ""))
    assert (tmp_path / "server.pid").read_text() == f"{daemon.process.pid}\n"
    done = daemon.command("run")
    assert done.returncode == 1
    assert done.stderr == (
        f"forkserver: cannot start: {tmp_path}/server.pid is held by process {daemon.process.pid}: already running\n"
    )
    assert daemon.stop() == 0
    assert not (tmp_path / "server.pid").exists()


@pytest.mark.parametrize("command", ["run", "start", "restart", "check"])
def test_a_wrong_configuration_is_2_with_every_complaint(background: Daemon, command: str) -> None:
    background.file.write_text(background.file.read_text() + "colour = blue\n[/gone]\nstatic = /nonexistent/folder\n")
    done = background.command(command)
    assert done.returncode == 2
    complaints = done.stderr.splitlines()
    assert len(complaints) == 2
    assert re.match(rf"{background.file}:\d+: \[/\] colour: ", complaints[0])
    assert re.match(rf"{background.file}:\d+: \[/gone\] static: ", complaints[1])
    assert master_of(background) == 0


def test_a_broken_configuration_does_not_hide_the_running_master(start: Start, site: Path, tmp_path: Path) -> None:
    daemon = start(config(site, tmp_path).replace(f"error = {tmp_path}/error.log", ""))
    daemon.file.write_text(daemon.file.read_text() + "colour = blue\n")
    refused = daemon.typed("reload")
    assert refused.returncode == 1
    assert re.search(rf"reload refused: {daemon.file}:\d+: \[/\] colour: ", refused.stderr)
    shown = daemon.typed("status")
    assert shown.returncode == 0
    assert re.search(r"^the last reload was refused: .*colour", shown.stdout, re.MULTILINE)
    assert daemon.command("restart").returncode == 2
    assert daemon.get("/small.txt").status == 200  # nothing was stopped
    assert daemon.typed("stop").returncode == 0
    assert daemon.wait() == 0


def test_status_for_programs(start: Start, site: Path, tmp_path: Path) -> None:
    daemon = start(config(site, tmp_path).replace(f"error = {tmp_path}/error.log", ""))
    workers = daemon.settled(2)
    assert daemon.get("/small.txt").status == 200
    done = daemon.typed("status", "--json")
    assert done.returncode == 0
    status = json.loads(done.stdout)
    assert status["pid"] == daemon.process.pid
    assert status["config"] == str(daemon.file)
    assert status["listening"] == [f"127.0.0.1:{daemon.port}"]
    assert status["requests"] == sum(worker["requests"] for worker in status["workers"])
    assert sorted(worker["pid"] for worker in status["workers"]) == sorted(workers)
    assert {worker["state"] for worker in status["workers"]} == {"ready"}


def test_a_reader_who_has_had_enough_is_no_error(start: Start, site: Path, tmp_path: Path) -> None:
    daemon = start(config(site, tmp_path).replace(f"error = {tmp_path}/error.log", ""))
    for words in (["status"], ["status", "--json"], ["check", "--show"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*LAUNCH, *words, str(daemon.file)],
            cwd=ROOT,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, "")


def test_check_says_good_shows_and_compares(start: Start, site: Path, tmp_path: Path) -> None:
    daemon = start(config(site, tmp_path).replace(f"error = {tmp_path}/error.log", ""))
    daemon.settled(2)
    good = daemon.typed("check")
    assert (good.returncode, good.stdout) == (0, f"{daemon.file}: good\n")
    shown = daemon.typed("check", "--show")
    assert shown.returncode == 0
    assert re.search(rf"^workers = 2 .*{daemon.file}:\d+", shown.stdout, re.MULTILINE)
    same = daemon.typed("check", "--diff")
    assert (same.returncode, same.stdout) == (0, "no differences\n")
    daemon.write(daemon.config.replace("workers = 2", "workers = 3"))
    other = daemon.typed("check", "--diff")
    assert other.returncode == 0
    assert re.search(r"workers.*2.*3", other.stdout)


def test_check_compares_even_with_what_could_not_be_started_any_more(start: Start, site: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    text = config(site, tmp_path).replace(f"error = {tmp_path}/error.log", "")
    daemon = start(text + f"[/gone]\nstatic = {gone}\n")
    gone.rmdir()
    daemon.write(text)
    done = daemon.typed("check", "--diff")
    assert done.returncode == 1
    assert "could not be started like that any more" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_is_served_without_a_configuration(make: Start, site: Path, tmp_path: Path) -> None:
    daemon = make("", XDG_RUNTIME_DIR=str(tmp_path))
    daemon.start("serve", str(site), "--listen", "127.0.0.1:0", "--workers", "2")
    assert daemon.get("/small.txt").body == b"small\n"
    assert daemon.output.wait_for('"GET /small.txt HTTP/1.1" 200 6 ')
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["/nonexistent"], r"no such folder: /nonexistent\n"),
        ([".", "--listen", "here"], "listen: .*here"),
        ([".", "--workers", "none"], "workers: .*none"),
    ],
)
def test_serve_with_wrong_words_is_2(words: list[str], why: str) -> None:
    done = forkserver("serve", *words)
    assert done.returncode == 2
    assert re.search(why, done.stderr)


def test_a_control_socket_that_may_not_be_used_is_1(make: Start, site: Path, tmp_path: Path) -> None:
    """A file that is no socket stands in its place."""
    daemon = make(config(site, tmp_path))
    daemon.write(daemon.config)
    (daemon.folder / "control.sock").mkdir()
    for command in ("run", "start"):
        done = daemon.command(command)
        assert done.returncode == 1
        assert "control.sock: control socket is there already and is no socket" in done.stderr


def test_stop_waits_for_what_is_in_flight(start: Start, site: Path, tmp_path: Path) -> None:
    daemon = start(config(site, tmp_path).replace(f"error = {tmp_path}/error.log", "") + "[/echo]\necho = yes\n")
    with daemon.connect() as sock:
        sock.sendall(b"POST /echo/?back HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
        stopping = subprocess.Popen([*LAUNCH, "stop", str(daemon.file)], cwd=ROOT)
        daemon.errors.wait_for("stopping: finishing")
        assert stopping.poll() is None
        sock.sendall(b"done")
        assert sock.makefile("rb").read().endswith(b"done")
    assert stopping.wait(PATIENCE) == 0
    assert daemon.wait() == 0


def test_serve_serves_the_folder_of_that_very_name(tmp_path: Path) -> None:
    folder = tmp_path / "a #b ${c}"
    folder.mkdir()
    (folder / "which.txt").write_text("this one")
    (tmp_path / "a").mkdir()
    words = [*LAUNCH, "serve", str(folder), "--listen", "127.0.0.1:0", "--workers", "1"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as served:
        assert served.stderr
        lines = Lines(served.stderr)
        port = lines.wait_for(r"serves at 127.0.0.1:(\d+)")[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/which.txt", timeout=PATIENCE) as answer:
            assert answer.read() == b"this one"
        served.terminate()
        assert served.wait(PATIENCE) == 0


def test_check_tells_of_an_application_that_is_not_there_and_runs_nothing(background: Daemon, tmp_path: Path) -> None:
    (tmp_path / "checked_shop.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')\napplication = 1\n")
    before = background.file.read_text()
    line = before.count("\n")
    background.file.write_text(
        f"{before}[/shop]\npath = {tmp_path}\nwsgi = checked_shop:app\n[/other]\nwsgi = checked_nowhere:app\n"
    )
    done = background.command("check")
    assert (done.returncode, done.stdout) == (2, "")
    other, shop = done.stderr.splitlines()
    assert other.startswith(f"{background.file}:{line + 5}: [/other] wsgi: there is no module checked_nowhere; path = ")
    assert shop == (
        f"{background.file}:{line + 3}: [/shop] wsgi: checked_shop ({tmp_path}/checked_shop.py) has no attribute app; "
        "did you mean application?"
    )
    shown = background.command("check", "--show")
    assert shown.returncode == 2
    assert "wsgi = checked_shop:app" in shown.stdout
    background.file.write_text(f"{before}[/shop]\npath = {tmp_path}\nwsgi = checked_shop:application\n")
    assert background.command("check").stdout == f"{background.file}: good\n"
    assert not (tmp_path / "was_run").exists()
