"""CGI scripts that fail, take too long, ask for too much or are left alone, and what becomes of their processes."""

from __future__ import annotations

import os
import re
import socket
import struct
from pathlib import Path

import pytest

from tests.daemons import wait_for_end
from tests.wire.cgihosts import Scripted, processes_in
from tests.wire.pages import check_page
from tests.wire.scripts import PYTHON, put_script
from tests.wire.talk import request

LOGGED = r"\[warning\] worker 0\[\d+\]: "


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def release(fifo: Path) -> None:
    """Let who waits for the end of a fifo go on; waits until somebody does."""
    with open(fifo, "w"):
        pass


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("silent.py", "it ended without saying anything"),
        ("silent.sh", r"it ended without saying anything \(exit status 3\)"),
        ("raises.py", r"it ended without saying anything \(exit status 1\)"),
        ("syntax.py", r"it ended without saying anything \(exit status 1\)"),
        ("killed.py", "it was ended by SIGKILL"),
    ],
)
def test_one_that_says_nothing_is_500(cgi: Scripted, way: str, script: str, why: str) -> None:  # section 6.1
    check_page(cgi.ask(f"{way}/{script}").body, 500)
    cgi.wait_for_log(rf"{LOGGED}\[{way}/{script}\]: {why}$")


def test_the_trace_of_one_that_fails_is_its_own(cgi: Scripted, way: str) -> None:
    assert cgi.ask(f"{way}/raises.py").status == 500
    wanted = (
        "Traceback (most recent call last):",
        f'  File "{cgi.scripts}/raises.py", line 5, in <module>',
        f'  File "{cgi.scripts}/raises.py", line 4, in deep',
        "RuntimeError: asked to fail",
    )
    lines = [cgi.wait_for_log(rf"{LOGGED}\[{way}/raises.py\]: Traceback").string.partition(": Traceback")[0]]
    while "RuntimeError: asked to fail" not in lines[-1]:
        lines.append(cgi.wait_for_log("").string)
    text = "\n".join(["Traceback (most recent call last):", *lines[1:]])
    assert [line for line in wanted if line not in text] == []
    assert "warmscript" not in text


def test_a_syntax_error_is_told_as_python_does(cgi: Scripted, way: str) -> None:
    assert cgi.ask(f"{way}/syntax.py").status == 500
    cgi.wait_for_log(rf'{LOGGED}\[{way}/syntax.py\]:   File "{cgi.scripts}/syntax.py", line 2')
    cgi.wait_for_log("SyntaxError: ")


def test_complaints_are_logged_line_by_line_with_the_name_of_the_script(cgi: Scripted, way: str) -> None:
    assert cgi.ask(f"{way}/complains.py").body == b"fine\n"
    cgi.wait_for_log(rf"{LOGGED}\[{way}/complains.py\]: a word of complaint$")
    cgi.wait_for_log(rf"{LOGGED}\[{way}/complains.py\]: and one without an end$")


def test_one_that_leaves_early_has_said_what_it_said(cgi: Scripted, way: str) -> None:
    assert cgi.ask(f"{way}/leaves.py").body == b"before\n"
    cgi.wait_for_log(rf"{LOGGED}\[{way}/leaves.py\]: a last word$")
    assert cgi.ask(f"{way}/late.py").body == b"begun\n"
    cgi.wait_for_log("RuntimeError: too late")


def test_an_answer_that_breaks_off_never_looks_complete(cgi: Scripted, way: str) -> None:
    with cgi.talk() as talk:
        talk.send(request("GET", f"{way}/killed-late.py", "Connection: close"))
        got = talk.rest()
    if not got.startswith(b"HTTP/1.1 500"):  # nothing had been sent
        assert b"begun" in got
        assert not got.endswith(b"0\r\n\r\n")
    cgi.wait_for_log(rf"\[{way}/killed-late.py\]: it was ended by SIGKILL")


def test_what_is_done_at_the_end_is_done(cgi: Scripted, way: str, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    assert cgi.ask(f"{way}/untidy.py?{path}").body == b"main\nthread\natexit\n"
    cgi.wait_for_log(rf"\[{way}/untidy.py\]: the last one goes$")
    assert path.read_text() == "kept"


@pytest.mark.parametrize("script", ["mute.py", "endless.py"])
def test_one_that_is_silent_for_too_long_is_ended(cgi: Scripted, way: str, script: str) -> None:
    with cgi.talk() as talk:
        talk.send(request("GET", f"{way}-hasty/{script}"))
        if script == "mute.py":  # 504 while there is nothing of an answer yet
            pid = int(cgi.wait_for_log(rf"\[{way}-hasty/mute.py\]: (\d+)$")[1])
            check_page(talk.reply().body, 504)
            cgi.wait_for_log(rf"\[{way}-hasty/mute.py\]: it was silent for 1 s, and is ended without an answer")
            wait_for_end(pid)
        else:
            talk.head()
            pids = [int(pid) for pid in talk.chunk().split()]
            assert talk.ended()  # and no last chunk
            cgi.wait_for_log(rf"\[{way}-hasty/endless.py\]: it was silent for 1 s, and is ended in the middle")
            for pid in pids:
                wait_for_end(pid)


def test_one_that_runs_for_too_long_is_ended(cgi: Scripted, way: str) -> None:
    with cgi.talk() as talk:
        talk.send(request("GET", f"{way}-brief/talks.py"))
        assert b"200 OK" in talk.rest()
    cgi.wait_for_log(rf"\[{way}-brief/talks.py\]: it has run for 1 s, and is ended in the middle of its answer")
    wait_for_none(cgi)


def wait_for_none(cgi: Scripted) -> None:
    """Until no script runs any more."""
    for pid in processes_in(cgi.scripts):
        wait_for_end(pid)


def test_one_that_will_not_be_asked_is_ended_too(cgi: Scripted, way: str) -> None:
    with cgi.talk() as talk:
        talk.send(request("GET", f"{way}-hasty/endless.py?stubborn"))
        talk.head()
        pids = [int(pid) for pid in talk.chunk().split()]
        assert talk.ended()
    for pid in pids:
        wait_for_end(pid)


def test_a_client_that_leaves_in_the_middle_ends_the_script(cgi: Scripted, way: str) -> None:
    with cgi.talk() as talk:
        talk.send(request("GET", f"{way}/talks.py"))
        talk.head()
        pid = int(talk.chunk().partition(b"\n")[0])
    wait_for_end(pid)


def test_a_client_that_breaks_off_ends_a_script_that_says_nothing(cgi: Scripted, way: str) -> None:
    with cgi.talk() as talk:
        talk.send(request("GET", f"{way}/mute.py"))
        pid = int(cgi.wait_for_log(rf"\[{way}/mute.py\]: (\d+)$")[1])
        talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by a reset
    wait_for_end(pid)


def test_what_a_script_leaves_running_does_not_hold_up_its_answer(cgi: Scripted, way: str, fifo: Path) -> None:
    with cgi.talk() as talk:
        pid = int(talk.ask(request("GET", f"{way}/daemon.py?{fifo}")).body)
        assert os.readlink(f"/proc/{pid}/cwd") == str(cgi.scripts)  # it lives, and is left alone
        assert talk.ask(request("GET", f"{way}/good.py")).body == b"good\n"
    release(fifo)
    wait_for_end(pid)


def test_one_may_go_on_when_it_has_said_all(cgi: Scripted, way: str, fifo: Path) -> None:
    with cgi.talk() as talk:
        assert talk.ask(request("GET", f"{way}/after.py?{fifo}")).body == b"said\n"
        (pid,) = processes_in(cgi.scripts)
        release(fifo)
        wait_for_end(pid)
    assert Path(f"{fifo}.done").read_text() == "done"


def test_one_that_is_replaced_while_it_runs_ends_as_it_began(cgi: Scripted, way: str, fifo: Path) -> None:
    name = f"replaced-{way[1:]}.py"
    source = (cgi.scripts / "waits.py").read_text()
    put_script(cgi.scripts / name, source)
    with cgi.talk() as talk:
        talk.send(request("GET", f"{way}/{name}?{fifo}"))
        talk.head()
        assert talk.chunk() == b"old begun\n"
        put_script(cgi.scripts / name, PYTHON + 'print("Content-Type: text/plain\\n\\nnew")\n')
        assert cgi.ask(f"{way}/{name}").body == b"new\n"
        release(fifo)
        assert talk.chunk() == b"old ended\n"
        assert talk.chunk() == b""


def test_memory_is_bounded(cgi: Scripted, way: str) -> None:
    assert cgi.ask(f"{way}-tight/good.py").body == b"good\n"
    check_page(cgi.ask(f"{way}-tight/greedy.py").body, 500)
    cgi.wait_for_log(r"MemoryError")


@pytest.mark.parametrize("size", [1000, 5000])
def test_a_head_is_bounded(cgi: Scripted, way: str, size: int) -> None:
    body = b"Content-Type: text/plain\nX-Long: " + b"x" * size + b"\n\nbody"
    answer = cgi.ask(f"{way}-tight/say.py", "POST", body=body)
    check_page(answer.body, 500)
    cgi.wait_for_log(rf"\[{way}-tight/say.py\]: its head does not end within 1024 bytes")
    assert cgi.ask(f"{way}/say.py", "POST", body=body).body == b"body"


def test_output_that_is_bounded_by_nothing_takes_no_memory(cgi: Scripted, way: str) -> None:
    """What a client does not take waits in a file, and then in the script itself."""
    (worker,) = cgi.daemon.workers()

    def peak() -> int:
        return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())[1])  # type: ignore[index]

    cgi.ask(f"{way}/big.py?1")
    before = peak()
    assert len(cgi.ask(f"{way}/big.py?150").body) == 150 << 20
    assert peak() - before < 32 << 10
