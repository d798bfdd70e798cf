"""Ranges: one, several, from the end, none that exist, and any nonsense."""

from __future__ import annotations

import email
import email.policy
import os
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.http.ranges import MOST, wanted

SIZE = 1000

SPANS = {
    "bytes=0-0": [(0, 1)],
    "bytes=0-499": [(0, 500)],
    "bytes=500-": [(500, 1000)],
    "bytes=0-": [(0, 1000)],
    "bytes=999-": [(999, 1000)],
    "bytes=-1": [(999, 1000)],
    "bytes=-1000": [(0, 1000)],
    "bytes=-5000": [(0, 1000)],
    "bytes=900-5000": [(900, 1000)],
    "BYTES=1-2": [(1, 3)],
    "bytes=0000001-0000000000000000000000000000002": [(1, 3)],
    "bytes=0-99999999999999999999999999999999999": [(0, 1000)],
    "bytes=0-0,-1": [(0, 1), (999, 1000)],
    "bytes=-1,0-0": [(999, 1000), (0, 1)],
    "bytes= 0-0 ,\t, 2-2,": [(0, 1), (2, 3)],
    "bytes=0-0,1-1": [(0, 1), (1, 2)],
    "bytes=0-0,5000-6000": [(0, 1)],
    "bytes=0-0,-0": [(0, 1)],
    "bytes=0-0,4-4,2-2,6-6": [(0, 1), (4, 5), (2, 3), (6, 7)],
    "bytes=" + ",".join(f"{n}-{n}" for n in range(MOST)): [(n, n + 1) for n in range(MOST)],
}
NOTHING = ["bytes=1000-", "bytes=1000-2000", "bytes=-0", "bytes=5000-,-0", "bytes=99999999999999999999999-"]
IGNORED = [
    "",
    "bytes",
    "bytes=",
    "bytes=,",
    "bytes=-",
    "bytes=--1",
    "bytes=1",
    "bytes=2-1",
    "bytes=0-0,2-1",
    "bytes=a-b",
    "bytes=1-2-3",
    "bytes=0x1-2",
    "bytes=+1-2",
    "bytes=1_0-20",
    "bytes=1 - 2",
    "bytes=\u00b2-",
    "bytes:0-1",
    "bytes =0-1",
    "items=0-1",
    "seconds=0-1",
    "bytes=0-1\n",
    "bytes=0-10,5-15",
    "bytes=0-,0-",
    "bytes=0-10,10-20",
    "bytes=0-0,4-4,2-2,6-6,8-8",
    "bytes=" + ",".join(f"{n}-{n}" for n in range(MOST + 1)),
    "bytes=" + "," * 9000 + "0-0",
    "bytes=" + "0-," * 3000,
]


@pytest.mark.parametrize(("text", "spans"), SPANS.items())
def test_what_is_asked_for(text, spans):
    assert wanted(text, SIZE) == spans


@pytest.mark.parametrize("text", NOTHING)
def test_nothing_of_it_exists(text):
    assert wanted(text, SIZE) == []


@pytest.mark.parametrize("text", IGNORED)
def test_it_is_ignored(text):
    assert wanted(text, SIZE) is None


@pytest.mark.parametrize("text", ["bytes=0-", "bytes=-5", "bytes=7-"])
def test_an_empty_file_has_no_parts(text):
    assert wanted(text, 0) is None


bounds = st.one_of(st.just(""), st.integers(0, 70).map(str), st.integers(0).map(str))
members = st.one_of(st.text(max_size=5), st.tuples(bounds, bounds).map("-".join))
fields = st.one_of(
    st.text(),
    st.lists(members, max_size=20).map(lambda some: "bytes=" + ",".join(some)),
    st.from_regex(r"bytes=[-0-9,]*"),
)


@given(fields, st.integers(0, 64))
def test_any_text_gives_spans_of_the_file_or_none(text, size):
    spans = wanted(text, size)
    assert spans is None or len(spans) <= MOST
    for span in spans or []:
        assert 0 <= span.start < span.stop <= size
    ordered = sorted(spans or [])
    assert all(one.stop <= other.start for one, other in pairwise(ordered))


@given(st.integers(1, 64), st.data())
def test_the_spans_are_the_slices_that_python_would_take(size, data):
    content = bytes(range(size))
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first, size + 5))
    suffix = data.draw(st.integers(1, size + 5))
    for text, expected in (
        (f"bytes={first}-{last}", content[first : last + 1]),
        (f"bytes={first}-", content[first:]),
        (f"bytes=-{suffix}", content[-suffix:]),
    ):
        (span,) = wanted(text, size)
        assert content[span.start : span.stop] == expected


@pytest.fixture(params=[1000, 300_000], ids=["small", "large"])
def content(request, root):
    """The bytes of /file.txt: kept in memory, or left to the kernel."""
    made = bytes(n * 7 % 251 for n in range(request.param))
    (root / "file.txt").write_bytes(made)
    return made


def parts(got):
    """The (Content-Range, bytes) of each part of a multipart answer, as a mail program reads it."""
    head = f"Content-Type: {got['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + got.body, policy=email.policy.HTTP)
    assert not message.defects
    return [(part["Content-Range"], part.get_payload(decode=True)) for part in message.iter_parts()]


def test_one_range(ask, site, content):
    got = ask(site(), "GET", "/file.txt", range="bytes=10-19")
    assert (got.status, got.body) == (206, content[10:20])
    assert got["Content-Range"] == f"bytes 10-19/{len(content)}"
    assert got["Content-Type"] == "text/plain; charset=utf-8"
    assert got["ETag"]
    assert got.from_file == (len(content) > 131_072)
    assert (got.still is None) == got.from_file


def test_several_ranges(ask, site, content):
    app, size = site(), len(content)
    before = len(ask(app, "GET", "/file.txt").fields)
    got = ask(app, "GET", "/file.txt", range="bytes=0-9, 500-899, -3")
    assert got.status == 206
    assert got["Content-Range"] is None
    assert len(got.fields) == before
    assert re.fullmatch(r"multipart/byteranges; boundary=[0-9a-f]{24}", got["Content-Type"])
    assert parts(got) == [
        (f"bytes 0-9/{size}", content[:10]),
        (f"bytes 500-899/{size}", content[500:900]),
        (f"bytes {size - 3}-{size - 1}/{size}", content[-3:]),
    ]
    assert got.body.count(b"Content-Type: text/plain; charset=utf-8\r\n") == 3


def test_one_range_of_several_that_exists_is_sent_alone(ask, site, content):
    got = ask(site(), "GET", "/file.txt", range="bytes=0-9,9000000-")
    assert (got["Content-Range"], got.body) == (f"bytes 0-9/{len(content)}", content[:10])


def test_no_range_that_exists(ask, site, content):
    got = ask(site(), "GET", "/file.txt", range="bytes=9000000-")
    assert (got.status, got["Content-Range"]) == (416, f"bytes */{len(content)}")


@pytest.mark.parametrize("text", ["bytes=0-10,5-15", "lines=1-2", "bytes=5-1"])
def test_what_is_ignored_is_sent_whole(ask, site, content, text):
    got = ask(site(), "GET", "/file.txt", range=text)
    assert (got.status, got.body, got["Accept-Ranges"]) == (200, content, "bytes")


def test_only_get_knows_ranges(ask, site, content):
    got = ask(site(), "HEAD", "/file.txt", range="bytes=0-1")
    assert got.status == 200
    assert got["Content-Range"] is None


def test_the_parts_of_a_large_file_share_a_descriptor_until_the_last_is_closed(give, site, root):
    (root / "file.bin").write_bytes(bytes(200_000))
    _, one, _, other, _ = give(site(), "GET", "/file.bin", range="bytes=0-0,5-5").body
    assert one.file.fileno() == other.file.fileno()
    assert [(piece.offset, piece.length) for piece in (one, other)] == [(0, 1), (5, 1)]
    one.file.close()
    assert os.fstat(other.file.fileno()).st_size == 200_000
    other.file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(other.file.fileno())
