"""The error log: its three forms, its levels, and that nobody can forge a record."""

from __future__ import annotations

import os
import re

import pytest

from forkserver.log import LEVELS, ErrorLog, LineWriter

PID = os.getpid()
RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d \[(\w+)\] ([\w ]+)\[(\d+)\]: (.*)")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "error.log"


@pytest.fixture
def descriptor(path):
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    yield number
    os.close(number)


def journal_of(descriptor):
    status = os.fstat(descriptor)
    return {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}


def test_a_record_is_a_line(path, descriptor):
    log = ErrorLog(str(path), descriptor, clock=lambda: 971211336.0425)
    log.warning("something")
    line = path.read_text()
    assert RECORD.fullmatch(line.rstrip("\n")).groups() == ("warning", "master", str(PID), "something")
    assert ":36.042" in line


def test_the_role_changes_after_a_fork(path, descriptor):
    log = ErrorLog(str(path), descriptor, role="mold")
    log.info("one")
    log.role = "worker 2"
    log.info("two")
    assert [RECORD.fullmatch(line)[2] for line in path.read_text().splitlines()] == ["mold", "worker 2"]
    assert log.role == "worker 2"


@pytest.mark.parametrize("level", LEVELS)
def test_levels(path, descriptor, level):
    log = ErrorLog(str(path), descriptor, level)
    for each in LEVELS:
        getattr(log, each)(each)
    names = list(LEVELS)
    written = [RECORD.fullmatch(line)[1] for line in path.read_text().splitlines()]
    assert written == names[names.index(level) :]


def test_the_level_may_change_and_must_be_known(path, descriptor):
    log = ErrorLog(str(path), descriptor, "error")
    log.level = "debug"
    log.debug("x")
    assert log.level == "debug"
    assert path.read_text().endswith("x\n")
    with pytest.raises(KeyError, match="loud"):
        log.level = "loud"


def test_a_traceback_is_indented(path, descriptor):
    ErrorLog(str(path), descriptor).error("it broke", traceback="Traceback:\n  File x\nKeyError: '\x1b[2J'\n")
    first, *further = path.read_text().splitlines()
    assert RECORD.fullmatch(first)[4] == "it broke"
    assert further == ["    Traceback:", "      File x", "    KeyError: '\\x1b[2J'"]


def test_a_text_of_several_lines_must_be_called_so(path, descriptor):
    log = ErrorLog(str(path), descriptor)
    log.error("refused: server.ini:3: x\nserver.ini:4: y", lines=True)
    first, further = path.read_text().splitlines()
    assert RECORD.fullmatch(first)[4] == "refused: server.ini:3: x"
    assert further == "    server.ini:4: y"


def test_another_destination_from_now_on(path, descriptor, tmp_path):
    log = ErrorLog(str(path), descriptor, role="mold")
    log.info("one")
    other = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
    log.configure(str(tmp_path / "other"), other, "error")
    log.info("two")
    log.error("three")
    os.close(other)
    assert RECORD.fullmatch(path.read_text().rstrip("\n"))[4] == "one"
    assert RECORD.fullmatch((tmp_path / "other").read_text().rstrip("\n")).groups()[::3] == ("error", "three")


def test_text_cannot_forge_a_record(path, descriptor):
    ErrorLog(str(path), descriptor).info("bad line 'GET /\r\n2000-10-10 [error] \x1b[31m\x85\u2028\ud800'")
    text = path.read_text()
    assert text.count("\n") == 1
    assert text.endswith(r"bad line 'GET /\r\n2000-10-10 [error] \x1b[31m\x85\u2028\ud800'" + "\n")


def test_long_text_is_cut(path, descriptor):
    ErrorLog(str(path), descriptor).info("x" * 100_000)
    text = path.read_text()
    assert len(text) < 9000
    assert text.endswith("x [cut]\n")


def test_other_scripts_stay_readable(path, descriptor):
    ErrorLog(str(path), descriptor).info("目录不存在: été")
    assert path.read_text(encoding="utf-8").endswith("目录不存在: été\n")


@pytest.mark.parametrize(("level", "number"), [("debug", 7), ("info", 6), ("warning", 4), ("error", 3)])
def test_the_journal_gets_priorities_and_no_times(path, descriptor, level, number):
    log = ErrorLog("stderr", descriptor, "debug", environ=journal_of(descriptor))
    getattr(log, level)("it broke", traceback="Traceback:\nKeyError")
    assert path.read_text().splitlines() == [
        f"<{number}>master[{PID}]: it broke",
        f"<{number}>    Traceback:",
        f"<{number}>    KeyError",
    ]


@pytest.mark.parametrize("stream", ["1:1", "", "nonsense"])
def test_another_stream_is_not_the_journal(path, descriptor, stream):
    ErrorLog("stderr", descriptor, environ={"JOURNAL_STREAM": stream}).info("x")
    assert RECORD.fullmatch(path.read_text().rstrip("\n"))


def test_no_descriptor_no_records():
    log = ErrorLog("none", -1, environ={"JOURNAL_STREAM": "1:1"})
    log.error("x", traceback="y")
    assert log.role == "master"


def test_its_own_losses_are_its_next_record(path, descriptor):
    keep = os.dup(descriptor)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, descriptor)
    log = ErrorLog(str(path), descriptor)
    log.error("one", traceback="two\nthree")
    os.dup2(keep, descriptor)
    os.close(full)
    os.close(keep)
    log.info("back")
    texts = [RECORD.fullmatch(line)[4] for line in path.read_text().splitlines()]
    assert texts == ["back", "error log: 3 lines lost: No space left on device"]


def test_losses_of_another_log_are_told(path, descriptor):
    log = ErrorLog(str(path), descriptor)
    reader, writer = os.pipe()
    os.close(reader)
    access = LineWriter(writer, log.report_of("access log"))
    access.write(b"x\n", 1)
    os.dup2(descriptor, writer)
    access.write(b"y\n", 1)
    os.close(writer)
    assert path.read_text().endswith("access log: 1 line lost: Broken pipe\n")
