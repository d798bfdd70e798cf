"""The dates that logs show: the second's text is made once, the local zone's offset is always said.

Knows the clock's number it is given and the zone of the process (an application may change that with
tzset(), and the dates stay true, as they carry their offset).  Knows nothing of logs.
"""

from __future__ import annotations

import time
from functools import lru_cache

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def offset(local: time.struct_time, separator: str = "") -> str:
    """The zone of `local` as `+0200`, or with a separator as `+02:00`."""
    minutes = abs(local.tm_gmtoff) // 60
    return f"{'-' if local.tm_gmtoff < 0 else '+'}{minutes // 60:02}{separator}{minutes % 60:02}"


@lru_cache(maxsize=4)
def common_date(second: int) -> str:
    """`[10/Oct/2000:13:55:36 -0700]`, as the Common Log Format has it.

    Months by our own table: those of strftime(3) change with an application's setlocale().
    """
    local = time.localtime(second)
    day = f"{local.tm_mday:02}/{MONTHS[local.tm_mon - 1]}/{local.tm_year:04}"
    return f"[{day}:{local.tm_hour:02}:{local.tm_min:02}:{local.tm_sec:02} {offset(local)}]"


@lru_cache(maxsize=4)
def iso_ends(second: int) -> tuple[str, str]:
    """`("2000-10-10T13:55:36", "-07:00")`: ISO 8601 in two parts, between which a fraction fits."""
    local = time.localtime(second)
    return time.strftime("%Y-%m-%dT%H:%M:%S", local), offset(local, ":")


def iso_date(now: float) -> str:
    """`2000-10-10T13:55:36.042-07:00`."""
    second = int(now)
    date, zone = iso_ends(second)
    return f"{date}.{int((now - second) * 1000):03}{zone}"
