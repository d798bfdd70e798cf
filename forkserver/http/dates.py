"""HTTP's dates (RFC 9110 section 5.6.7), written in one form and read in three.

Knows the calendar and no clock: what time it is, the caller says.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_DAY = "|".join(DAYS)
_MONTH = f"(?P<month>{'|'.join(MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
FORMS = (
    # IMF-fixdate:   Sun, 06 Nov 1994 08:49:37 GMT
    re.compile(f"(?:{_DAY}), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    # rfc850-date:   Sunday, 06-Nov-94 08:49:37 GMT
    re.compile(f"(?:{'|'.join(LONG_DAYS)}), (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    # asctime-date:  Sun Nov  6 08:49:37 1994
    re.compile(f"(?:{_DAY}) {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)


def http_date(seconds: int) -> str:
    """Seconds since the epoch as an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.

    Raises OverflowError beyond the years 1 to 9999.
    """
    when = EPOCH + timedelta(seconds=seconds)
    day, month = DAYS[when.weekday()], MONTHS[when.month - 1]
    return f"{day}, {when.day:02} {month} {when.year:04} {when:%H:%M:%S} GMT"


def parse_date(text: str, now: int | None = None) -> int | None:
    """Seconds since the epoch of a date in any of the three forms; None for what is none.

    The day of the week must be one, but need not be the right one.  The two-digit year of an rfc850-date
    more than fifty years after `now` is taken for one of the past, as the standard wants it; without `now`
    years from 70 on are of the 20th century.
    """
    for form in FORMS:
        match = form.fullmatch(text)
        if match is not None:
            return _seconds(match, now)
    return None


def _seconds(match: re.Match[str], now: int | None) -> int | None:
    year, second = int(match["year"]), int(match["second"])
    if len(match["year"]) == 2:
        year = _full_year(year, now)
    try:
        minute = datetime(
            year,
            MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            tzinfo=timezone.utc,
        )
    except ValueError:
        return None
    # The standard's grammar has room for a leap second, datetime has not.
    return int((minute - EPOCH).total_seconds()) + second if second <= 60 else None


def _full_year(year: int, now: int | None) -> int:
    if now is None:
        return year + (1900 if year >= 70 else 2000)
    this_year = (EPOCH + timedelta(seconds=now)).year
    year += this_year // 100 * 100
    return year - 100 if year > this_year + 50 else year
