"""wsgi.input and wsgi.errors (PEP 3333, "Input and Error Streams")."""

from __future__ import annotations

import contextlib
import io
import tempfile
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.apps.errorlines import LONGEST_LINE, Errors, to_stderr
from forkserver.apps.wsgi.streams import NOTHING, input_of
from tests.apps.wsgi_calls import call_of, environ_of, mounted, post_of, tells

SIZES = st.one_of(st.none(), st.integers(-1, 40))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["read", "readline", "read1"]), SIZES),
        st.tuples(st.sampled_from(["next", "readlines"]), st.none()),
        st.tuples(st.just("readinto"), st.integers(0, 20)),
        st.tuples(st.just("seek"), st.integers(0, 60)),
        st.tuples(st.just("tell"), st.none()),
    ),
    max_size=12,
)
BODIES = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"defghijkl", b"\x00"]), max_size=12).map(b"".join)


def spooled(body: bytes):
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(body)
    file.seek(0)
    return file


def taken(stream, step):
    """What one step gives."""
    name, number = step
    if name == "next":
        return next(iter(stream), None)
    if name == "readinto":
        buffer = bytearray(number)
        return stream.readinto(buffer), bytes(buffer)
    if name == "tell":
        return stream.tell()
    if name == "read1" and number is None:
        number = -1
    return getattr(stream, name)(number)


@given(BODIES, STEPS)
def test_any_sequence_of_reads_gives_what_a_bytesio_gives(body, steps):
    with contextlib.closing(spooled(body)) as file:
        plain, streams = io.BytesIO(body), [input_of(body)[0], input_of(file)[0]]
        if not body:
            steps = [step for step in steps if step[0] != "seek"]  # the shared one stays where it is
        for step in steps:
            if step[0] == "read1":  # "at most": a file may give less
                continue
            wanted = taken(plain, step)
            assert [taken(stream, step) for stream in streams] == [wanted, wanted]
        rest = plain.read()
        assert [stream.read() for stream in streams] == [rest, rest]


@given(BODIES, st.lists(st.integers(1, 40), max_size=10))
def test_readlines_takes_a_hint(body, hints):
    """How many lines come is for the stream to say: BytesIO and files do not agree on a line that ends at the hint."""
    with contextlib.closing(spooled(body)) as file:
        for stream in (input_of(body)[0], input_of(file)[0]):
            got = [line for hint in hints for line in stream.readlines(hint)]
            assert got + stream.readlines() == io.BytesIO(body).readlines()


@given(BODIES, st.lists(st.integers(1, 10), max_size=10))
def test_read1_goes_on_where_it_left_off(body, sizes):
    with contextlib.closing(spooled(body)) as file:
        for stream in (input_of(body)[0], input_of(file)[0]):
            got = b"".join([stream.read1(size) for size in sizes])
            assert got + stream.read() == body


@pytest.mark.parametrize("in_file", [False, True])
def test_the_input_ends_where_the_body_ends(in_file):
    call = post_of(b"one\ntwo", spooled=in_file)
    stream = environ_of(call)["wsgi.input"]
    assert stream.readline(2) == b"on"
    assert stream.readline() == b"e\n"
    assert list(stream) == [b"two"]
    assert stream.read() == stream.read(10) == stream.readline() == b""
    assert stream.readlines() == []


@pytest.mark.parametrize("wrapper", [io.BufferedReader, lambda stream: stream])
@pytest.mark.parametrize("in_file", [False, True])
def test_the_input_can_be_wrapped_as_any_stream_of_bytes(in_file, wrapper):
    call = post_of("año\n".encode(), spooled=in_file)
    stream = environ_of(call)["wsgi.input"]
    text = io.TextIOWrapper(wrapper(stream), encoding="utf-8")
    assert text.read() == "año\n"
    text.close()
    if in_file:
        stream.seek(0)
        assert stream.read() == "año\n".encode()


def test_an_application_cannot_close_the_servers_file():
    call = post_of(b"abc", spooled=True)
    stream = environ_of(call)["wsgi.input"]
    stream.close()
    assert not call.body.closed
    assert not stream.closed
    assert stream.read() == b"abc"
    call.body.close()
    with pytest.raises(ValueError, match="closed"):
        stream.read()


def test_requests_without_a_body_share_an_input_that_keeps_nothing():
    one, other = (environ_of()["wsgi.input"] for _ in range(2))
    assert one is other is NOTHING
    assert environ_of(post_of(b""))["wsgi.input"] is NOTHING
    one.close()
    assert not other.closed
    assert (one.read(), one.read(5), one.readline(), one.readlines(), list(one)) == (b"", b"", b"", [], [])
    assert (one.seek(7), one.tell(), one.readinto(bytearray(3))) == (0, 0, 0)
    assert io.TextIOWrapper(io.BufferedReader(one)).read() == ""
    with pytest.raises(AttributeError):
        one.anything = 1


def said_to(name="[/shop]"):
    lines = []
    return lines, Errors(name, lines.append)


def test_whole_lines_go_to_the_log_with_the_mount_before_them():
    lines, errors = said_to()
    assert errors.write("one") == 3
    assert lines == []
    assert errors.write(" two\nthree\nfour") == 15
    assert lines == ["[/shop]: one two\nthree"]
    errors.flush()
    assert lines[1:] == ["[/shop]: four"]
    errors.flush()
    errors.write("\n")
    assert len(lines) == 2


def test_print_and_lists_of_lines():
    lines, errors = said_to()
    print("a", 1, file=errors, flush=True)
    errors.writelines(["b\n", "c\n"])
    assert lines == ["[/shop]: a 1", "[/shop]: b\nc"]


@pytest.mark.parametrize("wrong", [b"bytes\n", None, 1])
def test_errors_takes_text(wrong):
    lines, errors = said_to()
    with pytest.raises(TypeError, match=f"wsgi.errors takes str, not {type(wrong).__name__}"):
        errors.write(wrong)
    assert lines == []


def test_a_line_that_never_ends_is_not_kept_for_ever():
    lines, errors = said_to()
    for _ in range(5):
        errors.write("x" * (LONGEST_LINE // 2))
    assert len(lines) == 1
    assert len(lines[0]) > LONGEST_LINE


def test_threads_do_not_mix_their_lines():
    lines, errors = said_to()
    errors.write("mine ")
    other = threading.Thread(target=errors.write, args=("theirs\n",))
    other.start()
    other.join()
    errors.write("still\n")
    assert lines == ["[/shop]: theirs", "[/shop]: mine still"]


def test_without_a_log_errors_go_to_standard_error(capsys):
    to_stderr("[/]: told")
    assert capsys.readouterr().err == "[/]: told\n"


def test_the_log_is_what_the_worker_sets():
    lines = []
    app = mounted(tells(lambda environ: environ["wsgi.errors"].write("hm\n")), "/caf\xc3\xa9")
    app.employ(threads=1, errors=lines.append)
    app.respond(call_of())
    assert lines == ["[/café]: hm"]
