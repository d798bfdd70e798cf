"""`--reload`: an edit is in use without anybody asking, a bad one changes nothing, the watcher ends with the rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.daemons import PATIENCE, Daemon, children_of, wait_for_end
from tests.typed import ROOT

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 1
include = conf.d/*.ini
[log]
access = none
{log}
[/]
wsgi = notes
path = .
"""
# Each edit makes the file longer: the interpreter tells a stale .pyc by the size and by whole seconds of its source.
MODULE = """
import words
def application(environ, start_response):
    start_response("200 OK", [])
    return [words.text().encode()]
"""


def words(text: str) -> str:
    return f"def text():\n    return {text!r}\n"


def begun(daemon: Daemon, log: str = "") -> Daemon:
    """The server of an application, its sources watched."""
    (daemon.folder / "conf.d").mkdir()
    (daemon.folder / "notes.py").write_text(MODULE)
    edit(daemon.folder / "words.py", words("1"))
    daemon.config = CONFIG.format(log=log)
    return daemon.start("run", "--reload", str(daemon.file))


def edit(file: Path, text: str) -> None:
    """As many editors save: a new file takes the place of the old one."""
    fresh = file.with_name(f"{file.name}.tmp~")
    fresh.write_text(text)
    fresh.replace(file)


@pytest.fixture
def daemon(make: Start) -> Daemon:
    return begun(make(""))


def watcher_of(daemon: Daemon) -> int:
    """The pid of the process that watches."""
    (found,) = [
        pid
        for pid in children_of(daemon.process.pid)
        if b"forkserver.watching" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return found


def test_an_edit_is_served_and_one_that_breaks_it_is_not(daemon: Daemon) -> None:
    assert daemon.get().body == b"1"
    edit(daemon.folder / "words.py", words("22"))
    daemon.errors.wait_for(r"^forkserver: \S*words.py: generation 2 serves$")
    assert daemon.get().body == b"22"

    edit(daemon.folder / "words.py", "def text():\n    return 'a line that does not end\n")
    daemon.errors.wait_for(r"reload refused: .*notes cannot be imported")
    daemon.errors.wait_for(r"unterminated string literal|EOL while scanning")
    daemon.errors.wait_for(r"^forkserver: \S*words.py: reload refused, what was loaded before serves on$")
    assert daemon.get().body == b"22"

    edit(daemon.folder / "words.py", words("a third one, longer than all the others were"))
    daemon.errors.wait_for(r"^forkserver: \S*words.py: generation \d+ serves$")
    assert daemon.get().body.startswith(b"a third one")
    assert daemon.stop() == 0


def test_where_the_log_is_elsewhere_the_reason_is_told(make: Start) -> None:
    daemon = make("")
    (daemon.folder / "conf.d").mkdir()
    (daemon.folder / "notes.py").write_text(MODULE)
    (daemon.folder / "words.py").write_text(words("1"))
    daemon.config = CONFIG.format(log="error = stdout\nslow = stdout")
    daemon.begin("run", "--reload", str(daemon.file))
    daemon.output.wait_for("generation 1 serves")
    edit(daemon.folder / "words.py", "raise LookupError('no words today')\n")
    daemon.errors.wait_for(r"^forkserver: \S*words.py: reload refused, what was loaded before serves on: .*\[/\] notes")
    daemon.errors.wait_for("LookupError: no words today")
    assert daemon.stop() == 0


def test_the_configuration_is_a_source_and_says_what_else_is(daemon: Daemon, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "letters.py").write_text(MODULE.replace("words", "letterbox"))
    (other / "letterbox.py").write_text(words("post"))
    edit(daemon.folder / "conf.d" / "letters.ini", f"[/letters]\nwsgi = letters\npath = {other}\n")
    daemon.errors.wait_for(r"^forkserver: \S*letters.ini: generation 2 serves$")
    assert daemon.get("/letters").body == b"post"

    edit(other / "letterbox.py", words("by hand"))
    daemon.errors.wait_for(r"^forkserver: \S*letterbox.py: generation 3 serves$")
    assert daemon.get("/letters").body == b"by hand"

    daemon.write(daemon.config.replace("workers", "worms"))
    daemon.errors.wait_for(r"reload refused: .*worms: unknown option; did you mean workers")
    daemon.errors.wait_for(r"^forkserver: \S*server.ini: reload refused, what was loaded before serves on$")

    (daemon.folder / "conf.d" / "letters.ini").unlink()
    daemon.write(daemon.config.replace("worms", "workers"))
    daemon.errors.wait_for(r"^forkserver: \S*letters.ini( and 1 more)?: (generation 4 serves|reload refused)")
    daemon.errors.wait_for_count(r"forkserver: \S+( and 1 more)?: generation 4 serves", 1)
    assert daemon.get("/letters").body == b"1"


def test_a_new_folder_is_watched_from_its_first_moment(daemon: Daemon, tmp_path: Path) -> None:
    fresh = tmp_path / "parcel"
    (fresh / "inner").mkdir(parents=True)
    (fresh / "inner" / "deep.py").write_text("")
    fresh.rename(daemon.folder / "parcel")
    daemon.errors.wait_for(r"^forkserver: \S*parcel/inner/deep.py: generation 2 serves$")
    edit(daemon.folder / "parcel" / "inner" / "deep.py", "more = 1\n")
    daemon.errors.wait_for(r"^forkserver: \S*parcel/inner/deep.py: generation 3 serves$")


def test_what_is_no_source_changes_nothing(daemon: Daemon) -> None:
    """Told by the order: what came before the edit would have been told with it, or before."""
    (daemon.folder / "uploads").mkdir()
    (daemon.folder / "uploads" / "picture.png").write_bytes(b"x")
    (daemon.folder / "data.sqlite3").write_bytes(b"x")
    edit(daemon.folder / "words.py", words("22"))
    daemon.errors.wait_for(r"^forkserver: \S*words.py: generation 2 serves$")
    assert daemon.stop() == 0
    assert daemon.errors.rest().count("reloading") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_the_server(daemon: Daemon, number: signal.Signals) -> None:
    """As Ctrl-C does it, which the terminal sends to the whole group, and as a service manager does."""
    assert watcher_of(daemon) in children_of(daemon.process.pid)
    if number is signal.SIGINT:
        os.killpg(daemon.process.pid, number)
    else:
        daemon.send(number)
    assert daemon.wait() == 0
    assert daemon.left() == []
    assert "Traceback" not in daemon.errors.rest()


def test_it_ends_with_a_master_that_was_killed(daemon: Daemon) -> None:
    watcher = watcher_of(daemon)
    family = list(children_of(daemon.process.pid))
    daemon.send(signal.SIGKILL)
    daemon.wait()
    for pid in family:
        wait_for_end(pid)
    assert watcher in family
    assert daemon.left() == []


def test_a_watcher_that_dies_costs_nothing_else(daemon: Daemon) -> None:
    watcher = watcher_of(daemon)
    os.kill(watcher, signal.SIGKILL)
    wait_for_end(watcher)
    assert daemon.get().body == b"1"
    assert "Z" not in children_of(daemon.process.pid).values()
    assert daemon.stop() == 0


def test_a_server_that_cannot_start_leaves_no_watcher(make: Start) -> None:
    daemon = make("")
    (daemon.folder / "notes.py").write_text("raise LookupError('not today')\n")
    daemon.config = CONFIG.format(log="")
    daemon.begin("run", "--reload", str(daemon.file))
    daemon.errors.wait_for("LookupError: not today")
    assert daemon.wait() == 1
    assert daemon.left() == []


def test_the_watcher_holds_nothing_of_the_master_and_the_master_nothing_of_the_watcher(daemon: Daemon) -> None:
    before = daemon.holdings()
    held = [os.readlink(f"/proc/{watcher_of(daemon)}/fd/{number}") for number in (0, 2)]
    assert held == ["/dev/null", os.readlink(f"/proc/{daemon.process.pid}/fd/2")]
    edit(daemon.folder / "words.py", words("22"))
    daemon.errors.wait_for_count(r"^forkserver: \S*words.py: generation 2 serves$", 1)
    daemon.errors.wait_for_count(r"worker 0 .* exited with 0$", 1)
    assert daemon.holdings() == before


def test_serve_watches_an_application(make: Start, tmp_path: Path) -> None:
    daemon = make("", XDG_RUNTIME_DIR=str(tmp_path), PYTHONPATH=str(ROOT))
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "notes.py").write_text(MODULE)
    (folder / "words.py").write_text(words("1"))
    words_typed = ("serve", "notes", "--reload", "--listen", "127.0.0.1:0", "--workers", "1")
    daemon.start(*words_typed, before=["env", "-C", str(folder)])
    assert daemon.get().body == b"1"
    edit(folder / "words.py", words("22"))
    daemon.errors.wait_for(r"^forkserver: words.py: generation 2 serves$")
    assert daemon.get().body == b"22"
    assert daemon.stop(signal.SIGINT) == 0


WITHOUT = """
import sys
sys.modules["watchfiles"] = None  # as if it were not installed
from forkserver.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ["serve", "wsgiref.simple_server:demo_app"],
            "--reload needs the library watchfiles: .*pip install watchfiles",
        ),
        (["serve", "."], "--reload is for applications: the files of a folder are served as they are"),
    ],
)
def test_what_cannot_be_watched_is_2(words: list[str], why: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words, "--reload", "--listen", "127.0.0.1:0"],
        cwd=ROOT,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("forkserver: ")
    assert why.partition(": .*")[0] in done.stderr
    assert why.rpartition(".*")[2] in done.stderr
