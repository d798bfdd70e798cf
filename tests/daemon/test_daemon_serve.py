"""`forkserver serve` without a configuration: a folder, an application, and words that are neither."""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path

import pytest

from forkserver import config, onthespot
from forkserver.apps import KINDS
from tests.conftest import Start
from tests.daemons import PATIENCE
from tests.typed import LAUNCH, ROOT

APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{WORD} of {__name__}, threads: {environ['wsgi.multithread']}".encode()]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a module, a package and a folder that has the name of neither."""
    where = tmp_path / "work # ${x}, y"
    (where / "parcel").mkdir(parents=True)
    (where / "letters").mkdir()
    (where / "notes.py").write_text(f"WORD = 'notes'\n{APPLICATION}")
    (where / "parcel" / "__init__.py").write_text("raise RuntimeError('nobody is to import this')\n")
    monkeypatch.chdir(where)
    return where


def made(what: str, **given: str) -> config.Config:
    words = argparse.Namespace(**{"what": what, "listen": None, "workers": None, "threads": None, **given})
    return config.parse(onthespot.configuration_of(words, "/run/x.sock"), onthespot.NAME, KINDS)


@pytest.mark.parametrize("what", ["letters", "parcel", ".", "./letters/"])
def test_a_folder_is_a_folder(folder: Path, what: str) -> None:
    (mount,) = made(what).mounts
    assert (mount.kind, mount.options.static) == ("static", str((folder / what).resolve()))
    assert mount.options.listing


@pytest.mark.parametrize("what", ["notes", "notes:application", "notes:make()", "parcel.wsgi", "nowhere:application"])
def test_all_else_that_reads_like_one_is_an_application_of_this_folder(folder: Path, what: str) -> None:
    (mount,) = made(what).mounts
    assert (mount.kind, mount.options.wsgi, mount.options.path) == ("wsgi", what, (str(folder),))


def test_what_is_not_given_is_as_in_a_file(folder: Path) -> None:
    server = made("notes").server
    assert (server.listen, server.workers, server.threads) == tuple(
        getattr(config.Config("").server, key) for key in ("listen", "workers", "threads")
    )
    assert made("notes", threads="3", workers="1-2").server.threads == 3


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("nowhere", "there is no module nowhere here or among what is installed"),
        ("nowhere.wsgi", "there is no module nowhere.wsgi here or among what is installed"),
        ("notes.py", "is not written as module:attribute; a module is named as in an import, notes:application"),
        ("parcel/none", "is not written as module:attribute; a module is named as in an import"),
        ("notes:", "is not written as module:attribute"),
        ("__main__", "there is no module __main__"),
    ],
)
def test_what_is_neither_is_refused_with_both_reasons(folder: Path, what: str, why: str) -> None:
    with pytest.raises(onthespot.Neither) as caught:
        onthespot.is_folder(what)
    first, second, third = str(caught.value).splitlines()
    assert first == f'"{what}" is neither a folder nor an application:'
    assert second == f"  no such folder: {folder / what}"
    assert why in third


def test_an_application_is_served_without_a_configuration(make: Start, folder: Path, tmp_path: Path) -> None:
    daemon = make("", XDG_RUNTIME_DIR=str(tmp_path), PYTHONPATH=str(ROOT))
    words = ("serve", "notes:application", "--listen", "127.0.0.1:0", "--workers", "1", "--threads", "1")
    daemon.start(*words, before=["env", "-C", str(folder)])
    assert daemon.get("/x").body == b"notes of notes, threads: False"
    assert daemon.output.wait_for('"GET /x HTTP/1.1" 200 ')
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["nowhere"], 2, r"forkserver: \"nowhere\" is neither a folder nor an application:\n.*no such folder"),
        (["notes", "--threads", "none"], 2, r"command line:\d+: \[server\] threads: .*none"),
        (["nowhere:application"], 1, r"cannot start: command line:\d+: \[/\] there is no module nowhere"),
        (["notes:wrong"], 1, r"cannot start: .*notes .* has no attribute wrong"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_serve_says_what_is_wrong(folder: Path, tmp_path: Path, words: list[str], code: int, why: str) -> None:
    done = subprocess.run(
        ["env", f"PYTHONPATH={ROOT}", f"XDG_RUNTIME_DIR={tmp_path}", *LAUNCH, "serve", "--listen=127.0.0.1:0", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
        check=False,
    )
    assert done.returncode == code
    assert re.search(why, done.stderr), done.stderr
