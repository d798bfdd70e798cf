"""Destinations, and rotation in its three styles: rename, delete, copy and truncate."""

from __future__ import annotations

import os
import stat

import pytest

from forkserver.log import LineWriter, LogFile, is_path, open_destination


@pytest.fixture
def log(tmp_path):
    file = LogFile(str(tmp_path / "access.log"))
    yield file
    file.close()


def test_a_file_with_its_folders(tmp_path):
    old = os.umask(0)
    try:
        descriptor = open_destination(str(tmp_path / "a" / "b" / "access.log"))
    finally:
        os.umask(old)
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    modes = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("a", "a/b", "a/b/access.log")]
    assert modes == [0o750, 0o750, 0o640]


def test_an_existing_file_keeps_its_mode_and_content(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"old\n")
    path.chmod(0o600)
    descriptor = open_destination(str(path))
    os.write(descriptor, b"new\n")
    os.close(descriptor)
    assert path.read_bytes() == b"old\nnew\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_is_no_log(tmp_path):
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        open_destination(str(tmp_path))


def test_a_file_in_place_of_a_folder_is_said(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        open_destination(str(tmp_path / "file" / "log"))


def test_a_fifo_waits_for_no_reader_and_survives_it(tmp_path):
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    reports = []
    log = LogFile(path)
    writer = LineWriter(log.descriptor, lambda count, reason: reports.append(count))
    writer.write(b"early\n", 1)
    for _ in range(2):
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        assert os.read(reader, 100) == b"early\n"
        os.close(reader)
        writer.write(b"early\n", 1)
    writer.write(b"x" * 99 + b"\n", 1)
    writer.write((b"x" * 99 + b"\n") * 1000, 1000)
    assert writer.lost > 0
    assert not log.moved()
    log.close()


@pytest.mark.parametrize(("word", "number"), [("stdout", 1), ("stderr", 2)])
def test_standard_streams(word, number):
    log = LogFile(word)
    assert log.descriptor > 2
    assert not os.get_inheritable(log.descriptor)
    log.reopen()
    assert os.path.sameopenfile(log.descriptor, number)
    assert not log.moved()
    log.close()


def test_none():
    log = LogFile("none")
    log.reopen()
    assert log.descriptor == -1
    assert not log.moved()
    log.close()


@pytest.mark.parametrize(
    ("destination", "path"),
    [("none", False), ("stdout", False), ("syslog", False), ("syslog:local0", False), ("./stdout", True)],
)
def test_words_and_paths(destination, path):
    assert is_path(destination) is path


def rename(path):
    os.rename(path, path + ".1")


def replace(path):
    with open(path + ".new", "wb"):
        os.rename(path + ".new", path)


def take_the_folder(path):
    os.rename(os.path.dirname(path), os.path.dirname(path) + ".old")


@pytest.mark.parametrize("rotate", [rename, os.unlink, replace, take_the_folder])
def test_rotation_is_noticed_and_followed(tmp_path, rotate):
    path = str(tmp_path / "logs" / "access.log")
    log = LogFile(path)
    number = log.descriptor
    writer = LineWriter(log.descriptor)
    writer.write(b"one\n", 1)
    assert not log.moved()
    rotate(path)
    assert log.moved()
    writer.write(b"two\n", 1)  # to the old file, as long as nobody reopens
    log.reopen()
    assert not log.moved()
    writer.write(b"three\n", 1)
    with open(path, "rb") as new:
        assert new.read() == b"three\n"
    assert log.descriptor == number
    assert not os.get_inheritable(number)
    log.close()


def test_the_old_file_has_the_lines_until_then(log):
    writer = LineWriter(log.descriptor)
    writer.write(b"one\n", 1)
    rename(log.destination)
    writer.write(b"two\n", 1)
    log.reopen()
    with open(log.destination + ".1", "rb") as old:
        assert old.read() == b"one\ntwo\n"


def test_copytruncate_leaves_no_hole(log):
    writer = LineWriter(log.descriptor)
    writer.write(b"one\n", 1)
    os.truncate(log.destination, 0)
    assert not log.moved()
    writer.write(b"two\n", 1)
    with open(log.destination, "rb") as file:
        assert file.read() == b"two\n"


def test_a_failed_reopen_keeps_the_old_file(log):
    writer = LineWriter(log.descriptor)
    before = os.listdir("/proc/self/fd")
    rename(log.destination)
    os.mkdir(log.destination)
    with pytest.raises(IsADirectoryError):
        log.reopen()
    writer.write(b"one\n", 1)
    assert log.moved()
    assert os.listdir("/proc/self/fd") == before
    with open(log.destination + ".1", "rb") as old:
        assert old.read() == b"one\n"


def test_reopening_leaks_no_descriptor(log):
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        log.reopen()
    assert os.listdir("/proc/self/fd") == before
