"""Bodies kept: in memory, in a file, never more than allowed, and nothing left behind when the disk is full."""

from __future__ import annotations

import errno
import io
import os

import pytest

from forkserver.http.request import CHUNKED, BadRequest, HeadLimits
from forkserver.serving import spool as module
from forkserver.serving.spool import Spool


def taken(spool: Spool) -> bytes:
    body = spool.body()
    whole = body if isinstance(body, bytes) else body.read()
    spool.close()
    assert isinstance(body, bytes) or body.closed
    return whole


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 1000])
@pytest.mark.parametrize("step", [1, 7, 5000])
def test_a_body_comes_out_as_it_went_in(size: int, step: int) -> None:
    body = os.urandom(size)
    spool = Spool(size, 1000, 10)
    rest = b""
    for start in range(0, size, step):
        rest = spool.feed(body[start : start + step])
    assert spool.done
    assert (spool.received, rest) == (size, b"")
    assert (spool.file is not None) is (size > 10)
    assert taken(spool) == body


def test_what_follows_the_body_is_given_back() -> None:
    assert Spool(3, 10, 10).feed(b"abcGET /") == b"GET /"
    assert Spool(CHUNKED, 10, 10).feed(b"3\r\nabc\r\n0\r\n\r\nGET /") == b"GET /"


def test_a_length_beyond_the_limit_is_refused_before_anything_is_taken() -> None:
    assert Spool(10, 10, 0).received == 0
    with pytest.raises(BadRequest) as refused:
        Spool(11, 10, 0)
    assert refused.value.status == 413


@pytest.mark.parametrize("wire", [b"b\r\n", b"5\r\n12345\r\n6\r\n", b"FFFFFFFFFFFF\r\n"])
def test_a_chunk_beyond_the_limit_is_refused_by_its_size(wire: bytes) -> None:
    spool = Spool(CHUNKED, 10, 0)
    with pytest.raises(BadRequest) as refused:
        spool.feed(wire)
    assert refused.value.status == 413
    spool.close()


def test_chunks_up_to_the_limit_are_taken() -> None:
    spool = Spool(CHUNKED, 10, 10)
    spool.feed(b"5\r\n12345\r\n5\r\n67890\r\n0\r\n\r\n")
    assert taken(spool) == b"1234567890"


def test_trailers_have_the_limits_of_heads() -> None:
    spool = Spool(CHUNKED, 10, 10, HeadLimits(field=20))
    spool.feed(b"0\r\nT: short\r\n")
    with pytest.raises(BadRequest) as refused:
        spool.feed(b"T: " + b"x" * 20)
    assert refused.value.status == 431


def test_a_body_nobody_took_is_given_up() -> None:
    spool = Spool(100, 100, 10)
    spool.feed(bytes(50))
    file = spool.file
    assert file
    spool.close()
    spool.close()
    assert file.closed


class FullDisk(io.RawIOBase):
    """A file on a disk with no room."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def tell(self) -> int:
        return 0

    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_full_disk_is_told_and_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """A small body fails when its buffer is written for reading, a large one at once; closing fails once more."""
    disk = FullDisk()
    monkeypatch.setattr(module.tempfile, "TemporaryFile", lambda: io.BufferedRandom(disk))
    spool = Spool(size, 1 << 20, 10)

    def whole() -> object:
        spool.feed(bytes(size))
        return spool.body()

    with pytest.raises(OSError, match="No space left"):
        whole()
    spool.close()
    assert disk.closed


def test_what_nobody_wants_is_read_and_thrown_away() -> None:
    spool = Spool(1000, 1000, 10, wanted=False)
    assert spool.feed(bytes(1000) + b"next") == b"next"
    assert spool.done
    assert spool.file is None
    assert spool.body() == b""
