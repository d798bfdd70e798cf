"""Preconditions: each field alone, and every pair in the order of RFC 9110 section 13.2.2."""

from __future__ import annotations

import itertools
import os

import pytest

from forkserver.http.conditions import judge, range_holds
from forkserver.http.response import http_date

TAG = '"abc-5"'
CHANGED = 1_700_000_000
SAME, BEFORE, AFTER = (http_date(CHANGED + shift) for shift in (0, -1, 1))

# Field: the values with which its condition is met, not met, and those that say nothing.
IF_MATCH = (
    ["*", TAG, f'"x", {TAG}', f"W/{TAG}, {TAG}"],
    ['"x"', f"W/{TAG}", "abc-5", "", "*, *", f"{TAG} x"],
    [],
)
IF_NONE_MATCH = (
    ['"x"', 'W/"x"', "abc-5", "", f"{TAG};q", f"{TAG} {TAG}"],
    ["*", TAG, f"W/{TAG}", f'"a,b" ,, {TAG}'],
    [],
)
IF_UNMODIFIED_SINCE = ([SAME, AFTER], [BEFORE], ["", "yesterday", f"{SAME}, {SAME}", str(CHANGED)])
IF_MODIFIED_SINCE = ([BEFORE], [SAME, AFTER], ["", "yesterday", f"{AFTER}, {AFTER}", str(CHANGED)])

CASES = [
    *(("if-match", value, 200) for value in IF_MATCH[0]),
    *(("if-match", value, 412) for value in IF_MATCH[1]),
    *(("if-none-match", value, 200) for value in IF_NONE_MATCH[0]),
    *(("if-none-match", value, 304) for value in IF_NONE_MATCH[1]),
    *(("if-unmodified-since", value, 200) for value in IF_UNMODIFIED_SINCE[0] + IF_UNMODIFIED_SINCE[2]),
    *(("if-unmodified-since", value, 412) for value in IF_UNMODIFIED_SINCE[1]),
    *(("if-modified-since", value, 200) for value in IF_MODIFIED_SINCE[0] + IF_MODIFIED_SINCE[2]),
    *(("if-modified-since", value, 304) for value in IF_MODIFIED_SINCE[1]),
]


@pytest.mark.parametrize(("name", "value", "status"), CASES)
def test_one_condition(name, value, status):
    assert judge({name: value}, TAG, CHANGED) == status


def test_no_condition():
    assert judge({"host": "x"}, TAG, CHANGED) == 200


def expected(match, none_match, modified, unmodified):
    """The status by the steps of section 13.2.2; each value is whether its condition is met, None: absent."""
    if match is False or (match is None and unmodified is False):
        return 412
    if none_match is not None:
        return 200 if none_match else 304
    return 304 if modified is False else 200


@pytest.mark.parametrize("met", list(itertools.product([None, True, False], repeat=4)))
def test_all_conditions_together(met):
    samples = (IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE)
    names = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
    values = {
        name: sample[0][0] if state else sample[1][0]
        for name, sample, state in zip(names, samples, met, strict=True)
        if state is not None
    }
    assert judge(values, TAG, CHANGED) == expected(*met)


@pytest.mark.parametrize(
    ("value", "now", "holds"),
    [
        (TAG, CHANGED, True),
        (f"W/{TAG}", CHANGED, False),
        ('"other"', CHANGED, False),
        ("*", CHANGED, False),
        (f"{TAG}, {TAG}", CHANGED, False),
        (SAME, CHANGED + 1, True),
        (SAME, CHANGED + 0.9, False),
        (BEFORE, CHANGED + 9, False),
        (AFTER, CHANGED + 9, False),
        ("nonsense", CHANGED + 9, False),
        ("", CHANGED + 9, False),
    ],
)
def test_if_range(value, now, holds):
    assert range_holds({"if-range": value}, TAG, CHANGED, now) is holds


def test_a_range_without_if_range():
    assert range_holds({}, TAG, CHANGED, CHANGED)


@pytest.fixture
def page(root):
    """A file whose tag and date are known."""
    (root / "a.txt").write_bytes(b"hello")
    os.utime(root / "a.txt", (CHANGED, CHANGED))
    return f'"{CHANGED * 10**9:x}-5"'


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_unchanged_file_is_not_sent_again(ask, site, page, method):
    app = site(cache_control="no-cache")
    for condition in ({"if_none_match": page}, {"if_modified_since": SAME}):
        got = ask(app, method, "/a.txt", **condition)
        assert (got.status, got.body) == (304, b"")
        assert got.fields == {"etag": page, "cache-control": "no-cache"}


def test_a_failed_condition_is_told(ask, site, page):
    got = ask(site(), "GET", "/a.txt", if_match='"other"', range="bytes=0-1")
    assert got.status == 412
    assert got.still is None


def test_a_range_is_looked_at_last(ask, site, page):
    app = site()
    assert ask(app, "GET", "/a.txt", if_none_match=page, range="bytes=9-").status == 304
    assert ask(app, "GET", "/a.txt", if_match=page, range="bytes=9-").status == 416
    assert ask(app, "GET", "/a.txt", if_range=page, range="bytes=1-2").body == b"el"
    assert ask(app, "GET", "/a.txt", if_range=SAME, range="bytes=1-2").body == b"el"
    assert ask(app, "GET", "/a.txt", if_range=BEFORE, range="bytes=1-2").body == b"hello"
    assert ask(app, "GET", "/a.txt", if_range=f"W/{page}", range="bytes=9-").status == 200
    assert ask(app, "GET", "/a.txt", if_range=page).status == 200
