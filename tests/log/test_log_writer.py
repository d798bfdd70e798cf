"""Lines and trouble: full disks, full pipes, torn lines, files that are exchanged under the writer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from forkserver.log import LineWriter
from forkserver.log.writer import portions

from .facts import SCRIPT_ENVIRONMENT


@pytest.fixture
def opened():
    """Open a path for appending; closed after the test."""
    descriptors = []

    def open_append(path):
        descriptors.append(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT))
        return descriptors[-1]

    yield open_append
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture
def pipe():
    reader, writer = os.pipe2(os.O_NONBLOCK)
    yield reader, writer
    os.close(reader)
    os.close(writer)


class Told:
    """Reports as a list, and a clock that a test moves."""

    def __init__(self):
        self.reports = []
        self.now = 0.0

    def __call__(self, count, reason):
        self.reports.append((count, reason))

    def clock(self):
        return self.now


def test_lines_are_appended(tmp_path, opened):
    (tmp_path / "log").write_bytes(b"old\n")
    writer = LineWriter(opened(tmp_path / "log"))
    writer.write(b"one\ntwo\n", 2)
    writer.write(b"three\n")
    assert (tmp_path / "log").read_bytes() == b"old\none\ntwo\nthree\n"
    assert writer.lost == 0


def test_no_descriptor_no_lines():
    writer = LineWriter(-1)
    writer.write(b"one\n", 1)
    assert writer.lost == 0


def test_a_full_disk_is_survived_and_reported_once(tmp_path, opened):
    told = Told()
    descriptor = opened("/dev/full")
    writer = LineWriter(descriptor, told, told.clock)
    writer.write(b"one\ntwo\n", 2)
    writer.write(b"three\n", 1)
    assert (writer.lost, told.reports) == (3, [])
    os.dup2(opened(tmp_path / "log"), descriptor)
    writer.write(b"four\n", 1)
    writer.write(b"five\n", 1)
    assert told.reports == [(3, "No space left on device")]
    assert (tmp_path / "log").read_bytes() == b"four\nfive\n"


def test_reports_keep_a_distance_and_forget_nothing(tmp_path, opened):
    told = Told()
    descriptor, full, log = opened("/dev/full"), opened("/dev/full"), opened(tmp_path / "log")
    writer = LineWriter(descriptor, told, told.clock)
    for _ in range(3):
        os.dup2(full, descriptor)
        writer.write(b"lost\n", 1)
        os.dup2(log, descriptor)
        writer.write(b"kept\n", 1)
    assert [count for count, _ in told.reports] == [1]
    told.now = 1.0
    writer.write(b"kept\n", 1)
    assert [count for count, _ in told.reports] == [1, 2]


def test_a_report_may_write_to_the_same_log(tmp_path, opened):
    descriptor = opened("/dev/full")
    writer = LineWriter(descriptor, lambda count, reason: writer.write(f"{count} lost\n".encode(), 1))
    writer.write(b"one\n", 1)
    os.dup2(opened(tmp_path / "log"), descriptor)
    writer.write(b"two\n", 1)
    assert (tmp_path / "log").read_bytes() == b"two\n1 lost\n"


def test_a_closed_descriptor_is_survived(tmp_path):
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.close(descriptor)
    writer = LineWriter(descriptor)
    writer.write(b"one\n", 1)
    assert writer.lost == 1


def test_a_pipe_without_reader_is_survived():
    reader, descriptor = os.pipe()
    os.close(reader)
    writer = LineWriter(descriptor)
    writer.write(b"one\n", 1)
    os.close(descriptor)
    assert writer.lost == 1


def test_a_full_pipe_loses_whole_lines_only(pipe):
    reader, descriptor = pipe
    told = Told()
    writer = LineWriter(descriptor, told, told.clock)
    batch = b"".join(b"%03d %s\n" % (number, b"x" * 995) for number in range(100))
    writer.write(batch, 100)
    first = os.read(reader, 1 << 20)
    assert batch.startswith(first)
    assert first.endswith(b"\n")
    assert writer.lost == 100 - first.count(b"\n") > 0
    writer.write(b"after\n", 1)
    assert os.read(reader, 100) == b"after\n"
    assert told.reports == [(100 - first.count(b"\n"), "Resource temporarily unavailable")]


@pytest.mark.parametrize(
    ("data", "limit", "ends"),
    [
        (b"aa\nbb\ncc\n", 0, [9]),
        (b"aa\nbb\ncc\n", 9, [9]),
        (b"aa\nbb\ncc\n", 7, [6, 9]),
        (b"aa\nbb\ncc\n", 3, [3, 6, 9]),
        (b"aaaaaaaa\nb\n", 3, [9, 11]),
        (b"a\nbbbbbbbb\n", 3, [2, 11]),
        (b"", 3, []),
    ],
)
def test_portions_end_with_lines(data, limit, ends):
    assert list(portions(data, limit)) == ends


# A file may not grow past 1000 bytes (Python ignores SIGXFSZ): a short write without a full disk.
TORN = """
import os, resource, sys
from forkserver.log import LineWriter

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

def line(letter):
    return letter * 299 + b"\\n"

log = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
writer = LineWriter(log, lambda count, reason: print(count, reason))
limit(1000)
writer.write(line(b"a") + line(b"b") + line(b"c") + line(b"d") + line(b"e"), 5)
writer.write(line(b"f") + line(b"g"), 2)
print(writer.lost)
%s
limit(resource.RLIM_INFINITY)
writer.write(line(b"h"), 1)
print(writer.lost)
"""

MEANWHILE = {
    "": (b"abcdh", "3\n3 File too large\n0\n"),  # the torn line is completed
    "os.truncate('log', 0)": (
        b"h",
        "3\n4 File too large\n0\n",
    ),  # copytruncate: no half a line at the new head
    "os.rename('log', 'old'); os.dup2(os.open('log', os.O_WRONLY | os.O_CREAT), log)": (b"h", None),
    "writer.forget()": (None, "3\n0\n"),
}


@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_a_torn_line_is_completed_in_the_same_file_only(tmp_path, meanwhile):
    command = [sys.executable, "-c", TORN % meanwhile]
    done = subprocess.run(
        command, cwd=tmp_path, env=SCRIPT_ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr == ""
    letters, output = MEANWHILE[meanwhile]
    assert done.stdout == (output or "3\n4 File too large\n0\n")
    if letters is not None:
        assert (tmp_path / "log").read_bytes() == b"".join(bytes([letter]) * 299 + b"\n" for letter in letters)


MANY = """
import sys
from forkserver.log import LineWriter

descriptor, who = int(sys.argv[1]), sys.argv[2].encode()
writer = LineWriter(descriptor)
sys.stdin.read()  # until all are ready
for batch in range(40):
    writer.write(b"".join(b"%s %d %d %s\\n" % (who, batch, n, who * (20 * n)) for n in range(30)), 30)
assert writer.lost == 0
"""


def start_eight(descriptor):
    """Eight processes that write to one descriptor as soon as the returned number is closed."""
    start, go = os.pipe()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MANY, str(descriptor), who],
            stdin=start,
            pass_fds=[descriptor],
            env=SCRIPT_ENVIRONMENT,
        )
        for who in "abcdefgh"
    ]
    os.close(start)
    return processes, go


def check_lines(data):
    """No line is torn, none is missing, and each process's lines stand in order."""
    lines = data.decode().splitlines()
    for who in "abcdefgh":
        own = [line for line in lines if line.startswith(who)]
        assert own == [f"{who} {batch} {n} {who * (20 * n)}" for batch in range(40) for n in range(30)]
    assert len(lines) == 8 * 40 * 30


def test_eight_processes_write_to_one_file(tmp_path, opened):
    processes, go = start_eight(opened(tmp_path / "log"))
    os.close(go)
    assert [process.wait(60) for process in processes] == [0] * 8
    check_lines((tmp_path / "log").read_bytes())


def test_eight_processes_write_to_one_pipe():
    reader, descriptor = os.pipe()
    processes, go = start_eight(descriptor)
    os.close(descriptor)
    os.close(go)
    with open(reader, "rb") as stream:
        data = stream.read()
    assert [process.wait(60) for process in processes] == [0] * 8
    check_lines(data)
