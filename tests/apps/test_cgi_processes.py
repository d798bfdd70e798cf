"""The kind `cgi` called as a worker calls it: each Python that this machine has, and calls that are given up."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forkserver.apps.cgi import Cgi, CgiOptions
from forkserver.http.response import error_response
from forkserver.serving.timeout import RequestTimeout, raise_in
from tests.apps.wsgi_calls import SPOOLED, Call, call_of, post_of, taken
from tests.daemons import PATIENCE, descriptors, wait_for_end

RELEASES = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/3.*/bin/python3")
OLD = re.compile(r"/3\.[0-7]\.")
PYTHONS = sorted({sys.executable, *(str(path) for path in RELEASES if not OLD.search(str(path)))})

WARM = """\
import atexit, os, sys
atexit.register(lambda: print("end"))
print("Content-Type: text/plain\\n")
print(sys.version_info[:2], sys.argv[0], __name__, sys.stdin.read(), os.environ["QUERY_STRING"], "json" in sys.modules)
sys.exit(0)
"""
MUTE = "import os, signal, sys\nprint(os.getpid(), file=sys.stderr, flush=True)\nwhile True:\n    signal.pause()\n"


class Log:
    """What the application says, for a test to wait for."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.changed = threading.Condition()

    def __call__(self, text: str) -> None:
        with self.changed:
            self.said.append(text)
            self.changed.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            return next(filter(None, (re.search(pattern, text) for text in self.said)), None)

        with self.changed:
            match = self.changed.wait_for(found, PATIENCE)
        assert match, self.said
        return match


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def make(tmp_path: Path, log: Log) -> Iterator[Callable[..., Cgi]]:
    """Make an application of scripts given by name; nothing of it is open when the test is over."""
    before = descriptors(os.getpid())
    made: list[Cgi] = []

    def begin(scripts: dict[str, str], **options: Any) -> Cgi:
        for name, text in scripts.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        app = Cgi(CgiOptions(cgi=str(tmp_path), **options), "")
        app.load()
        app.employ(threads=1, errors=log)
        made.append(app)
        return app

    yield begin
    for app in made:
        app.close()
        assert app.turns._value == app.options.processes  # nobody holds one any more
    while SPOOLED:
        SPOOLED.pop().close()
    assert descriptors(os.getpid()).keys() == before.keys()


@pytest.mark.parametrize("python", PYTHONS)
def test_scripts_are_warm_in_every_python(make: Callable[..., Cgi], log: Log, python: str) -> None:
    app = make({"warm.py": f"#!{python}\n{WARM}"}, preload_modules=("json",))
    release = re.compile(r"\(3, \d+\) ")
    for _ in range(2):
        response = app.respond(call_of("GET /warm.py?q"))
        (body,) = taken(response.body)
        assert release.sub("", body.decode()) == f"{app.options.cgi}/warm.py __main__  q True\nend\n"
    assert log.said == []


@pytest.mark.parametrize("warm", ["yes", "no"])
@pytest.mark.parametrize("spooled", [False, True])
def test_a_body_in_memory_or_in_a_file(make: Callable[..., Cgi], warm: str, spooled: bool) -> None:
    app = make({"form": f"#!{sys.executable}\n{WARM}"}, warm=warm)
    call = post_of(b"the body", spooled=spooled)
    assert b" __main__ the body " in b"".join(taken(app.respond(call).body))


@pytest.mark.parametrize("warm", ["yes", "no"])
def test_a_client_that_has_left_ends_its_script(make: Callable[..., Cgi], log: Log, warm: str) -> None:
    app = make({"mute.py": f"#!{sys.executable}\n{MUTE}"}, warm=warm)
    call, failed = begin(app)
    pid = int(log.wait_for(r": (\d+)$")[1])
    call.gone = True
    assert isinstance(failed(), ConnectionAbortedError)
    wait_for_end(pid)


@pytest.mark.parametrize("warm", ["yes", "no"])
def test_a_call_that_has_had_its_time_ends_its_script(make: Callable[..., Cgi], log: Log, warm: str) -> None:
    app = make({"mute.py": f"#!{sys.executable}\n{MUTE}"}, warm=warm)
    _, failed = begin(app)
    pid = int(log.wait_for(r": (\d+)$")[1])
    (thread,) = (one for one in threading.enumerate() if one.name == "call")
    assert thread.ident
    raise_in(thread.ident, RequestTimeout)
    assert isinstance(failed(), RequestTimeout)
    wait_for_end(pid)


def begin(app: Cgi) -> tuple[Call, Callable[[], BaseException]]:
    """A call of `mute.py` in a thread of its own; what it fails with."""
    call = call_of("GET /mute.py")
    caught: list[BaseException] = []

    def run() -> None:
        try:
            app.respond(call)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run, name="call")
    thread.start()

    def failed() -> BaseException:
        thread.join(PATIENCE)
        return caught[0]

    return call, failed


def test_without_descriptors_it_is_later(make: Callable[..., Cgi], log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make({"mute.py": f"#!{sys.executable}\n{MUTE}"})

    def none_left() -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pipe", none_left)
    response = app.respond(call_of("GET /mute.py"))
    assert (response.status, response.body) == (503, error_response(503).body)
    log.wait_for(r"^\[/mute.py\]: there is no room for another process: Too many open files$")


def test_a_request_that_is_too_large_to_be_told(make: Callable[..., Cgi], log: Log) -> None:
    app = make({"warm.py": f"#!{sys.executable}\n{WARM}"})
    call = call_of("GET /warm.py HTTP/1.1\nHost: a")
    call.head.fields.values["x-long"] = "x" * 140_000
    assert app.respond(call).status == 431
    log.wait_for("the request is too large to be told to a program")
