"""A script that is forked from a warm interpreter finds all as after an exec, and is executed where it must be."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.daemons import PATIENCE, Daemon, children_of, wait_for_end
from tests.wire.cgihosts import Scripted, processes_in
from tests.wire.scripts import PYTHON, SCRIPTS, put_script

# What one process has of its own, or is told.
OWN = ("pid", "group", "session", "environ", "modules")


def shown(answer: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(answer)
    return facts


def test_everything_is_as_after_an_exec(cgi: Scripted) -> None:
    cold, warm = (shown(cgi.ask(f"/{way}/show.py/x?one+two", "POST", body=b"body").body) for way in ("cold", "warm"))
    assert {name: fact for name, fact in cold.items() if name not in OWN} == {
        name: fact for name, fact in warm.items() if name not in OWN
    }
    assert set(cold["modules"]) <= set(warm["modules"])
    ours = {"REMOTE_PORT", "REQUEST_URI", "SCRIPT_NAME"}
    assert {name: value for name, value in cold["environ"].items() if name not in ours} == {
        name: value for name, value in warm["environ"].items() if name not in ours
    }
    for facts in (cold, warm):
        assert facts["pid"] == facts["group"] == facts["session"]
        assert facts["descriptors"] == ["0", "1", "2"]
        assert facts["masked"] == []


def test_the_interpreter_is_there_already_and_each_request_is_a_process(cgi: Scripted) -> None:
    facts = [shown(cgi.ask("/warm/show.py").body) for _ in range(3)]
    assert len({fact["pid"] for fact in facts}) == 3
    assert all({"email.parser", "http.cookies"} <= set(fact["modules"]) for fact in facts)
    assert "http.cookies" not in shown(cgi.ask("/cold/show.py").body)["modules"]


def test_no_two_draw_the_same(cgi: Scripted, way: str) -> None:
    drawn = [cgi.ask(f"{way}/draws.py").body.split() for _ in range(3)]
    assert len({number for pair in drawn for number in pair}) == 6


def test_modules_beside_the_script_are_found(cgi: Scripted, way: str) -> None:
    assert cgi.ask(f"{way}/imports.py").body.decode() == f"found {cgi.scripts}/beside.py\n"


def test_one_that_cannot_be_kept_warm_is_told_once(cgi: Scripted) -> None:
    for _ in range(2):
        assert cgi.ask("/warm/say.sh", "POST", body=b"Content-Type: a/b\n\nx").body == b"x"
    name = rf"\[/warm\]: {cgi.scripts}/say.sh names no Python that can be kept warm"
    cgi.ask("/warm/complains.py")
    cgi.wait_for_log("and one without an end")
    assert len(re.findall(name, cgi.daemon.errors.text)) == 1


Start = Callable[..., Daemon]
CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 1
threads = {threads}
[limits]
graceful_timeout = 1s
[/]
cgi = {scripts}
warm = yes
{options}
"""


@pytest.fixture
def serve(start: Start, tmp_path: Path) -> Callable[..., Daemon]:
    """Start a server of the scripts that are given by name."""

    def begin(options: str = "", threads: int = 8, **scripts: str) -> Daemon:
        folder = tmp_path / "scripts"
        for name, text in {**{name: SCRIPTS[name] for name in ("good.py", "show.py", "endless.py")}, **scripts}.items():
            put_script(folder / name.replace("_", "."), text)
        return start(CONFIG.format(scripts=folder, options=options, threads=threads))

    return begin


def zygotes(daemon: Daemon) -> list[int]:
    """The processes from which the only worker starts scripts."""
    (worker,) = daemon.workers()
    return list(children_of(worker))


def pids_of(daemon: Daemon) -> tuple[Any, list[int]]:
    """A script that never ends: what is held of its answer, and its processes."""
    sock = daemon.connect()
    sock.sendall(b"GET /endless.py HTTP/1.1\r\nHost: a\r\n\r\n")
    got = b""
    while not (found := re.search(rb"\r\n(\d+) (\d+)\n", got)):
        piece = sock.recv(4096)
        assert piece, got
        got += piece
    return sock, [int(found[1]), int(found[2])]


def test_a_zygote_that_dies_is_replaced(serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    assert daemon.get("/good.py").body == b"good\n"
    (before,) = zygotes(daemon)
    os.kill(before, signal.SIGKILL)
    assert daemon.get("/good.py").body == b"good\n"
    daemon.errors.wait_for(r"\[/\]: a process that starts scripts has ended; there will be another one")
    for _ in range(3):
        assert "email.parser" in shown(daemon.get("/show.py").body)["modules"]
    assert before not in zygotes(daemon)


def test_scripts_end_with_a_worker_that_is_killed(serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    sock, pids = pids_of(daemon)
    (worker,) = daemon.workers()
    helpers = zygotes(daemon)
    os.kill(worker, signal.SIGKILL)
    for pid in (*pids, *helpers):
        wait_for_end(pid)
    sock.close()
    daemon.errors.wait_for("worker 0 .* is ready")
    assert daemon.get("/good.py").body == b"good\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_server(serve: Callable[..., Daemon], number: signal.Signals) -> None:
    daemon = serve()
    sock, pids = pids_of(daemon)
    sock.close()
    assert daemon.get("/good.py").status == 200
    helpers = zygotes(daemon)
    daemon.send(number)
    for pid in (*pids, *helpers):
        wait_for_end(pid)
    daemon.wait()


def test_a_reload_begins_with_zygotes_of_its_own(serve: Callable[..., Daemon]) -> None:
    daemon = serve()
    before = shown(daemon.get("/show.py").body)["modules"]
    assert "wave" not in before
    old = zygotes(daemon)
    daemon.write(daemon.config.replace("warm = yes", "warm = yes\npreload_modules = wave, none.such"))
    assert daemon.reload()["ok"]
    for pid in old:
        wait_for_end(pid)
    assert "wave" in shown(daemon.get("/show.py").body)["modules"]
    daemon.errors.wait_for(
        r"\[/\]: preload_modules: none.such cannot be imported: ModuleNotFoundError: No module named"
    )


def test_with_modules_that_start_threads_scripts_are_executed(serve: Callable[..., Daemon], tmp_path: Path) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "threaded.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    daemon = serve(f"preload_modules = threaded\nenv = PYTHONPATH={folder}")
    facts = shown(daemon.get("/show.py").body)
    assert "threaded" not in facts["modules"]
    assert str(folder) in facts["path"]
    daemon.errors.wait_for(r"\[/\]: .* cannot be kept warm; its scripts are executed")


FLAGS = f"#!{sys.executable} -{{flags}}\n"


@pytest.mark.parametrize("flags", ["u", "Es", "I", "B", "bb", "X dev", "W error"])
def test_flags_of_the_first_line(serve: Callable[..., Daemon], flags: str) -> None:
    """Those that change the interpreter are a zygote's; with all others the script is executed."""
    source = SCRIPTS["show.py"].replace(PYTHON, FLAGS.format(flags=flags))
    daemon = serve(flags_py=source)
    warm = shown(daemon.get("/flags.py").body)
    daemon.write(daemon.config.replace("warm = yes", "warm = no"))
    assert daemon.reload()["ok"]
    cold = shown(daemon.get("/flags.py").body)
    for name in (
        "flags",
        "streams",
        "path",
        "argv",
        "orig_argv",
        "warnoptions",
        "hooks",
        "executable",
        "main",
        "signals",
    ):
        assert warm[name] == cold[name], name
    assert ("http.cookies" in warm["modules"]) is (" " not in flags)


@pytest.mark.parametrize("line", ["env python3", "env -S python3 -B", "env -S python3"])
def test_the_interpreter_is_looked_for_as_env_does(serve: Callable[..., Daemon], tmp_path: Path, line: str) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python3").symlink_to(sys.executable)
    source = SCRIPTS["show.py"].replace(PYTHON, f"#!/usr/bin/{line}\n")
    daemon = serve(f"env = PATH={folder}:/usr/bin:/bin", found_py=source)
    facts = shown(daemon.get("/found.py").body)
    assert facts["executable"] == str(folder / "python3")
    assert "http.cookies" in facts["modules"]
    assert "dont_write_bytecode=" + ("1" if "-B" in line else "0") in facts["flags"]


def test_an_interpreter_that_is_not_there(serve: Callable[..., Daemon]) -> None:
    daemon = serve(nowhere_py="#!/nowhere/python3\nprint()\n", lost_py="#!/usr/bin/env python3.99\n")
    assert daemon.get("/nowhere.py").status == 500
    daemon.errors.wait_for(
        "cannot be executed: No such file or directory; its interpreter /nowhere/python3 is not there"
    )
    assert daemon.get("/lost.py").status == 500
    daemon.errors.wait_for(r"python3\.99.* No such file or directory")


def test_a_python_that_is_too_old_executes_its_scripts(serve: Callable[..., Daemon], tmp_path: Path) -> None:
    """One that fails at the zygote's first line, as all before 3.8 do, and runs scripts all the same."""
    old = tmp_path / "python3"
    old.write_text(f'#!/bin/sh\ncase "$1" in *zygote.py) exit 1;; esac\nexec {sys.executable} "$@"\n')
    old.chmod(0o755)
    daemon = serve(old_py=SCRIPTS["show.py"].replace(PYTHON, f"#!{old}\n"))
    for _ in range(2):
        assert "http.cookies" not in shown(daemon.get("/old.py").body)["modules"]
    daemon.errors.wait_for(rf"\[/\]: {old} cannot be kept warm; its scripts are executed")


def test_an_interpreter_that_is_replaced_is_another_one(serve: Callable[..., Daemon], tmp_path: Path) -> None:
    link = tmp_path / "python3"
    put_script(link, f'#!/bin/sh\nOLD=yes exec {sys.executable} "$@"\n')
    daemon = serve(show2_py=SCRIPTS["show.py"].replace(PYTHON, f"#!{link}\n"))
    assert shown(daemon.get("/show2.py").body)["environ"]["OLD"] == "yes"
    put_script(link, f'#!/bin/sh\nNEW=yes exec {sys.executable} "$@"\n')
    environ = shown(daemon.get("/show2.py").body)["environ"]
    assert (environ.get("OLD"), environ["NEW"]) == (None, "yes")


def test_a_script_is_read_again_when_it_has_changed(serve: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = serve()
    for word in ("one", "two", "three"):
        put_script(tmp_path / "scripts" / "word.py", PYTHON + f'print("Content-Type: a/b\\n\\n{word}")\n')
        assert daemon.get("/word.py").body == f"{word}\n".encode()
        assert daemon.get("/word.py").body == f"{word}\n".encode()


def test_what_the_compiler_warns_of_is_told_each_time(serve: Callable[..., Daemon]) -> None:
    daemon = serve(warned_py=PYTHON + 'print("Content-Type: a/b\\n")\nassert (1, "never false")\n')
    for _ in range(2):
        assert daemon.get("/warned.py").body == b""
        daemon.errors.wait_for(r"\[/warned.py\]: .*warned.py:3: SyntaxWarning: assertion is always true")


def test_others_wait_while_so_many_run_as_may(serve: Callable[..., Daemon], tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    daemon = serve("processes = 1\ncgi_timeout = 10s", waits_py=SCRIPTS["waits.py"])
    with daemon.connect() as first, daemon.connect() as second:
        first.sendall(f"GET /waits.py?{fifo} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        got = b""
        while b"old begun" not in got:
            got += first.recv(4096)
        second.sendall(b"GET /good.py HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert len(processes_in(tmp_path / "scripts")) == 1
        second.settimeout(0.5)
        with pytest.raises(TimeoutError):
            second.recv(1)
        second.settimeout(PATIENCE)
        with open(fifo, "w"):
            pass
        assert b"200 OK" in second.recv(4096)


def test_one_that_waits_for_too_long_for_others_is_503(serve: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = serve("processes = 1\ncgi_timeout = 1s")
    source = SCRIPTS["talks.py"]
    put_script(tmp_path / "scripts" / "talks.py", source)
    with daemon.connect() as first:
        first.sendall(b"GET /talks.py HTTP/1.1\r\nHost: a\r\n\r\n")
        assert first.recv(4096)
        answer = daemon.get("/good.py")
    assert (answer.status, answer.fields["retry-after"]) == (503, "1")
    daemon.errors.wait_for(r"\[/good.py\]: 1 processes run already")


def test_with_one_thread_alone(serve: Callable[..., Daemon]) -> None:
    daemon = serve(threads=1)
    for _ in range(2):
        assert daemon.get("/good.py").body == b"good\n"
        assert daemon.get("/show.py", "POST", b"body").status == 200
