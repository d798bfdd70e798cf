"""Files: those that cannot be read, those that include others, and paths relative to each."""

from __future__ import annotations

import os

import pytest
from fakekinds import KINDS, made

from forkserver.config import ConfigError, load
from forkserver.config.options import Workers


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder; files in it are named as a person there would."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def complaints(path):
    with pytest.raises(ConfigError) as caught:
        load(path, KINDS)
    assert str(caught.value) == "\n".join(caught.value.complaints)
    return list(caught.value.complaints)


def test_a_file_is_loaded(folder):
    put(folder / "server.ini", b"\xef\xbb\xbf[log]\r\nlevel = error\r\n")
    config = load("server.ini", KINDS)
    assert config.path == str(folder / "server.ini")
    assert config.log.level == "error"
    assert config == made("[log]\nlevel = error\n")


def test_files_that_cannot_be_read(folder):
    (folder / "locked").symlink_to("locked")
    put(folder / "latin.ini", "[log]\n# für\n".encode("latin-1"))
    assert complaints("gone.ini") == ["gone.ini: cannot be read: No such file or directory"]
    assert complaints(str(folder)) == [f"{folder}: cannot be read: Is a directory"]
    assert complaints("locked") == ["locked: cannot be read: Too many levels of symbolic links"]
    assert complaints("latin.ini") == ["latin.ini:2: [log]: not UTF-8: byte 0xfc"]
    assert complaints("/dev/zero") == ["/dev/zero: larger than 4M, so not a configuration"]


def test_includes_go_on_and_add(folder):
    put(folder / "server.ini", "[server]\ninclude = conf.d/*.ini, more.ini\n[limits]\nbody = 1k\n")
    put(folder / "conf.d/b.ini", "[limits]\nfield = 2k\n[server]\nworkers = 3\n")
    put(folder / "conf.d/a.ini", "[/a]\nstatic = www\n")
    put(folder / "conf.d/ignored.txt", "what?\n")
    put(folder / "more.ini", "[/b]\nredirect = /\n")
    (folder / "conf.d/www").mkdir()
    config = load("server.ini", KINDS)
    assert (config.limits.body, config.limits.field, config.server.workers) == (1024, 2048, Workers(3, 3))
    assert config.server.include == ("conf.d/*.ini", "more.ini")
    assert config.mounts[0].options.static == str(folder / "conf.d/www")
    assert config.mounts[1].origin == "more.ini:1"
    assert config.origins["limits", "field"] == "conf.d/b.ini:2"


def test_includes_start_from_the_folder_of_the_file(folder):
    put(folder / "etc/server.ini", "[server]\ninclude = *.ini\n")
    put(folder / "etc/x.ini", "[log]\nlevel = debug\n")
    assert load("etc/server.ini", KINDS).log.level == "debug"
    assert load(str(folder / "etc/server.ini"), KINDS).log.level == "debug"


def test_a_pattern_may_match_nothing_a_name_may_not(folder):
    put(folder / "server.ini", "[server]\ninclude = conf.d/*.ini, gone.ini\n")
    assert complaints("server.ini") == ["server.ini:2: [server] include: no such file: gone.ini"]


def test_included_files_that_cannot_be_read(folder):
    put(folder / "server.ini", "[server]\ninclude = conf.d\n latin.ini\n")
    put(folder / "latin.ini", b"\xff")
    (folder / "conf.d").mkdir()
    assert complaints("server.ini") == [
        "server.ini:2: [server] include: conf.d: cannot be read: Is a directory",
        "latin.ini:1: not UTF-8: byte 0xff",
    ]


def test_complaints_name_the_included_file(folder):
    put(
        folder / "server.ini",
        "[server]\ninclude = a.ini\nworkers = x\n[limits]\nbody = 1k\n[/]\nredirect = /\n",
    )
    put(folder / "a.ini", "[limits]\nbody = 2k\nbdy = 1\n[server]\ninclude = b.ini\n[/]\nredirect = /\n")
    assert complaints("server.ini") == [
        'server.ini:3: [server] workers: "x" is neither auto nor a whole number from 1 to 1024, nor MIN-MAX',
        "a.ini:2: [limits] body: given already at server.ini:5",
        "a.ini:3: [limits] bdy: unknown option; did you mean body?",
        "a.ini:5: [server] include: only the first file may include others",
        "a.ini:6: [/]: something is mounted there already, at server.ini:6",
    ]


def test_a_file_is_taken_once(folder):
    put(folder / "server.ini", "[server]\ninclude = *.ini, a.ini, ./a.ini\n[/]\nredirect = /\n")
    put(folder / "a.ini", "[/a]\nredirect = /\n")
    assert len(load("server.ini", KINDS).mounts) == 2


def test_a_wrong_variable_in_include_is_said_once(folder):
    put(folder / "server.ini", "[server]\ninclude = ${NOT_SET_ANYWHERE}/*.ini\n")
    assert len(complaints("server.ini")) == 1


def test_nothing_stays_open(folder):
    put(folder / "server.ini", "[server]\ninclude = a.ini\n")
    put(folder / "a.ini", b"\xff")
    before = os.listdir("/proc/self/fd")
    assert complaints("server.ini")
    assert os.listdir("/proc/self/fd") == before
