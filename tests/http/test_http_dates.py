"""HTTP's dates, in and out."""

from __future__ import annotations

import calendar
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.http.dates import FORMS, http_date, parse_date

WHEN = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT


@given(st.integers(min_value=0, max_value=4102444800))
def test_a_date_is_written_as_the_standard_library_writes_it_and_read_back(seconds: int) -> None:
    assert http_date(seconds) == formatdate(seconds, usegmt=True)
    assert parse_date(http_date(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_three_forms_are_one_date(text: str) -> None:
    assert parse_date(text) == WHEN


def test_dates_before_the_epoch() -> None:
    assert http_date(-1) == "Wed, 31 Dec 1969 23:59:59 GMT"
    assert parse_date("Wed, 31 Dec 1969 23:59:59 GMT") == -1


def test_a_leap_second_is_the_first_of_the_next_minute() -> None:
    assert parse_date("Sat, 31 Dec 2016 23:59:60 GMT") == calendar.timegm((2017, 1, 1, 0, 0, 0))


@pytest.mark.parametrize(
    ("year", "now", "full"),
    [
        (94, None, 1994),
        (70, None, 1970),
        (69, None, 2069),
        (94, 2025, 1994),
        (75, 2025, 2075),
        (76, 2025, 1976),
        (25, 1994, 1925),
        (10, 2090, 2010),
    ],
)
def test_two_digits_of_a_year(year: int, now: int | None, full: int) -> None:
    clock = None if now is None else calendar.timegm((now, 6, 1, 0, 0, 0))
    assert parse_date(f"Sunday, 06-Nov-{year} 08:49:37 GMT", clock) == calendar.timegm((full, 11, 6, 8, 49, 37))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "784111777",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Son, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov \u0661\u0669\u0669\u0664 08:49:37 GMT",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@given(st.one_of([st.from_regex(form, fullmatch=True) for form in FORMS]), st.none() | st.integers(0, 1 << 36))
def test_whatever_has_the_form_is_a_date_or_none(text: str, now: int | None) -> None:
    seconds = parse_date(text, now)
    assert seconds is None or -(1 << 36) < seconds < 1 << 38


def test_a_year_of_five_digits_cannot_be_written() -> None:
    with pytest.raises(OverflowError):
        http_date(10**18)
