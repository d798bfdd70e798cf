"""The syslog destination, with a daemon that the test plays."""

from __future__ import annotations

import os
import socket
import stat

import pytest

from forkserver.log import ErrorLog, LogFile, access_writer, open_destination
from forkserver.log.syslog import FACILITIES, SyslogWriter, facility_of

PID = os.getpid()


class Daemon:
    """A datagram socket at a path."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(path)

    def heard(self):
        """All messages so far; a unix socket has them as soon as they are sent."""
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(65536).decode())
            except BlockingIOError:
                return messages


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "s")


@pytest.fixture
def daemon(path):
    daemon = Daemon(path)
    yield daemon
    daemon.socket.close()


@pytest.fixture
def log(path, daemon):
    file = LogFile("syslog:local3", path)
    yield file
    file.close()


def test_a_socket_that_never_blocks(log):
    assert stat.S_ISSOCK(os.fstat(log.descriptor).st_mode)
    assert not os.get_blocking(log.descriptor)
    assert not os.get_inheritable(log.descriptor)
    assert not log.moved()


def test_no_daemon(path):
    with pytest.raises(OSError, match=r"no syslog daemon listens there.*No such file") as caught:
        open_destination("syslog", path)
    assert caught.value.filename == path


def test_facilities():
    assert facility_of("syslog") == FACILITIES["daemon"] == 3
    assert facility_of("syslog:local7") == 23
    assert facility_of("/var/log/syslog") is None
    with pytest.raises(ValueError, match=r"'bogus'; there are kern, .*local7"):
        open_destination("syslog:bogus")


def test_each_access_line_is_a_datagram(log, daemon):
    writer = access_writer(log.destination, log.descriptor, lambda count, reason: None)
    writer.write(b"one\ntwo\n", 2)
    assert daemon.heard() == [f"<158>forkserver[{PID}]: one", f"<158>forkserver[{PID}]: two"]


def test_error_records(log, daemon):
    error_log = ErrorLog(log.destination, log.descriptor)
    error_log.error("it broke", traceback="Traceback:\nKeyError")
    error_log.info("fine")
    head = f"<155>forkserver[{PID}]: "
    assert daemon.heard() == [
        head + "it broke",
        head + "    Traceback:",
        head + "    KeyError",
        f"<158>forkserver[{PID}]: fine",
    ]


def test_a_daemon_that_does_not_listen_costs_lines_only(log, daemon):
    reports = []
    writer = SyslogWriter(log.descriptor, bytes, lambda *told: reports.append(told))
    writer.write(b"x\n" * 10_000, 10_000)
    heard = len(daemon.heard())
    assert writer.lost == 10_000 - heard > 0
    writer.write(b"y\n", 1)
    assert reports == [(10_000 - heard, "Resource temporarily unavailable")]
    assert daemon.heard() == ["y"]


def test_a_daemon_that_is_started_anew_is_found(path, daemon, log):
    reports = []
    writer = SyslogWriter(log.descriptor, bytes, lambda *told: reports.append(told))
    writer.write(b"one\n", 1)
    daemon.socket.close()
    os.unlink(path)
    before = os.listdir("/proc/self/fd")
    writer.write(b"two\n", 1)
    writer.write(b"three\n", 1)
    assert os.listdir("/proc/self/fd") == before
    again = Daemon(path)
    writer.write(b"four\n", 1)
    assert again.heard() == ["four"]
    assert reports == [(2, "No such file or directory")]
    again.socket.close()


def test_another_destination_gets_a_plain_writer(tmp_path):
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    access_writer(str(tmp_path / "log"), descriptor, lambda count, reason: None).write(b"one\n", 1)
    os.close(descriptor)
    assert (tmp_path / "log").read_bytes() == b"one\n"


def test_none_and_a_file_in_place_of_a_socket(tmp_path):
    before = os.listdir("/proc/self/fd")
    SyslogWriter(-1, bytes).write(b"one\n", 1)
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    writer = SyslogWriter(descriptor, bytes)
    os.close(descriptor)
    writer.write(b"one\n", 1)
    assert writer.lost == 1
    assert os.listdir("/proc/self/fd") == before
