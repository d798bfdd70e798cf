"""wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling")."""

from __future__ import annotations

import gzip
import io
import os
import tempfile

import pytest

from forkserver.apps.wsgi import filewrapper
from forkserver.apps.wsgi.bodies import Stream
from forkserver.apps.wsgi.filewrapper import FileWrapper
from forkserver.http.response import FileSlice
from tests.apps.wsgi_calls import Taken, call_of, give, mounted

CONTENT = bytes(range(256)) * 100


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    return file


def sends(filelike, *headers, status="200 OK"):
    def application(environ, start_response):
        start_response(status, list(headers))
        return environ["wsgi.file_wrapper"](filelike, 1000)

    return application


def reply_of(application, text="GET /"):
    """The response, untouched."""
    return mounted(application).respond(call_of(text))


def test_a_regular_file_is_left_to_the_kernel_and_closed_at_once(path):
    file = path.open("rb")
    response = reply_of(sends(file))
    assert isinstance(response.body, FileSlice)
    assert (response.body.offset, response.body.length, response.length) == (0, len(CONTENT), len(CONTENT))
    assert file.closed
    assert not os.get_inheritable(response.body.file.fileno())
    assert Taken(call_of(), response).body == CONTENT


def test_it_begins_where_the_file_stands(path):
    file = path.open("rb")
    assert file.read(10) == CONTENT[:10]  # the descriptor itself has been read further than that
    assert give(sends(file)).body == CONTENT[10:]


def test_a_bare_descriptor_begins_where_it_stands(path):
    class Bare:
        def __init__(self):
            self.descriptor = os.open(path, os.O_RDONLY)
            os.lseek(self.descriptor, 20, os.SEEK_SET)

        def fileno(self):
            return self.descriptor

        def read(self, size):
            raise AssertionError("the kernel reads it")

        def close(self):
            os.close(self.descriptor)

    reply = give(sends(Bare()))
    assert isinstance(reply.response.body, FileSlice)
    assert reply.body == CONTENT[20:]


def test_no_more_than_the_length_told(path):
    """PEP 3333: until Content-Length bytes have been written; that is how a part of a file is sent."""
    reply = give(sends(path.open("rb"), ("Content-Length", "7"), status="206 Partial Content"))
    assert (reply.status, reply.length, reply.body) == (206, 7, CONTENT[:7])


def test_a_file_that_is_shorter_than_told_is_read_so_that_it_is_noticed(path):
    file = path.open("rb")
    reply = give(sends(file, ("Content-Length", str(len(CONTENT) + 1))))
    assert isinstance(reply.response.body, Stream)
    assert (reply.body, reply.length, file.closed) == (CONTENT, len(CONTENT) + 1, True)


@pytest.mark.parametrize("beyond", [0, 5])
def test_nothing_is_left(path, beyond):
    file = path.open("rb")
    file.seek(len(CONTENT) + beyond)
    reply = give(sends(file))
    assert (reply.response.body, reply.length, file.closed) == (b"", 0, True)


def test_head_tells_the_length(path):
    file = path.open("rb")
    response = reply_of(sends(file), "HEAD /")
    assert (response.body, response.length, file.closed) == (b"", len(CONTENT), True)


def test_a_status_without_a_body(path):
    file = path.open("rb")
    response = reply_of(sends(file, status="304 Not Modified"))
    assert (response.body, file.closed) == (b"", True)


def packed(path):
    path.write_bytes(gzip.compress(CONTENT))
    return gzip.open(path)


def in_memory(path):
    return io.BytesIO(CONTENT)


def piped(path):
    reader, writer = os.pipe()
    os.write(writer, CONTENT)
    os.close(writer)
    return os.fdopen(reader, "rb")


class ReadOnly:
    """All that PEP 3333 asks of a file."""

    def __init__(self, path):
        self.left = CONTENT

    def read(self, size):
        data, self.left = self.left[:size], self.left[size:]
        return data


@pytest.mark.parametrize("make", [packed, in_memory, piped, ReadOnly])
def test_all_else_is_read(path, make):
    file = make(path)
    reply = give(sends(file))
    assert isinstance(reply.response.body, Stream)
    assert (reply.body, reply.length) == (CONTENT, None)
    assert max(map(len, reply.pieces)) <= 1000
    assert getattr(file, "closed", True)


def test_a_text_file_is_told_of_as_such(tmp_path):
    file = tmp_path / "text"
    file.write_text("text")
    with file.open() as opened, pytest.raises(TypeError, match="as str, not bytes"):
        give(sends(opened))


def temporary(path):
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - the application closes it
    file.write(CONTENT)
    file.seek(0)
    return file


class Framework:
    """As Django wraps a file, twice."""

    def __init__(self, file):
        self.file = file
        self.fileno, self.read, self.tell, self.close = file.fileno, file.read, file.tell, file.close


def framed(path):
    return Framework(Framework(path.open("rb")))


def unbuffered(path):
    return path.open("rb", buffering=0)


def for_both(path):
    return path.open("r+b")


@pytest.mark.parametrize("make", [temporary, framed, unbuffered, for_both])
def test_files_in_wrappers_are_files(path, make):
    reply = give(sends(make(path)))
    assert isinstance(reply.response.body, FileSlice)
    assert reply.body == CONTENT


def test_a_wrapper_around_what_unpacks_is_read(path):
    assert give(sends(Framework(packed(path)))).body == CONTENT


def test_a_close_set_on_the_file_itself_is_called(path):
    """Django hangs the end of its response there."""
    file, closed = path.open("rb"), []
    close = file.close
    file.close = lambda: closed.append(True) or close()
    give(sends(file))
    assert closed == [True]


def test_a_close_that_fails_leaves_nothing_open(path):
    before = set(os.listdir("/proc/self/fd"))
    file = path.open("rb")
    close = file.close

    def broken():
        close()
        raise RuntimeError("broken")

    file.close = broken
    with pytest.raises(RuntimeError, match="broken"):
        reply_of(sends(file))
    assert set(os.listdir("/proc/self/fd")) == before


def test_without_descriptors_the_file_is_read(path, monkeypatch):
    def none_left(descriptor):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(filewrapper.os, "dup", none_left)
    reply = give(sends(path.open("rb")))
    assert isinstance(reply.response.body, Stream)
    assert reply.body == CONTENT


def test_a_closed_file_is_told_by_its_own_words(path):
    file = path.open("rb")
    file.close()
    with pytest.raises(ValueError, match="closed file"):
        give(sends(file))


def test_middleware_may_put_its_own_around_it(path):
    def application(environ, start_response):
        start_response("200 OK", [])
        wrapped = environ["wsgi.file_wrapper"](path.open("rb"))
        try:
            yield from (piece.replace(b"\x00", b"-") for piece in wrapped)
        finally:
            wrapped.close()

    assert give(application).body == CONTENT.replace(b"\x00", b"-")


def test_a_wrapper_of_another_kind_is_iterated(path):
    class Mine(FileWrapper):
        def __next__(self):
            return super().__next__()[:1]

    with path.open("rb") as file:
        reply = give(lambda environ, start: [start("200 OK", []), Mine(file, 5000)][1])
    assert reply.body == bytes(CONTENT[at] for at in range(0, len(CONTENT), 5000))


def test_after_write_the_file_is_read(path):
    def application(environ, start_response):
        start_response("200 OK", [])(b"first ")
        return environ["wsgi.file_wrapper"](path.open("rb"))

    assert give(application).body == b"first " + CONTENT


def test_start_response_must_be_called_for_files_too(path):
    with path.open("rb") as file, pytest.raises(Exception, match="has not called start_response"):
        give(lambda environ, start: environ["wsgi.file_wrapper"](file))


def test_a_file_without_a_close_has_a_wrapper_without():
    assert not hasattr(FileWrapper(ReadOnly(None)), "close")
    assert FileWrapper(ReadOnly(None)).block_size == 8192
