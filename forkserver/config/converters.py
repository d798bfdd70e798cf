"""The words of the configuration language: how the text of one value is read, and written back.

Each converter is called as `convert(text, folder)`, `folder` being that of the file which names the value,
and gives the value or raises ValueError with the reason, in words for the person who wrote the file.  Nothing
here knows of sections, lines and what a value is used for.
"""

from __future__ import annotations

import difflib
import grp
import os
import pwd
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from forkserver.log.format import compile_format

T = TypeVar("T")
Convert = Callable[[str, str], T]

DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)[ ]?([A-Za-z]*)")
SECONDS = {"h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}
LONGEST = 365 * 24 * 3600.0  # seconds; epoll_wait(2) counts its milliseconds in an int, and nobody waits so long
SIZE = re.compile(r"([0-9]{1,16})[ ]?([A-Za-z]*)")
BYTES = {"G": 1 << 30, "M": 1 << 20, "k": 1 << 10}
LARGEST = 1 << 50
INTEGER = re.compile(r"-?[0-9]{1,18}")
WORKERS = re.compile(r"([0-9]{1,9})(?:[ ]*-[ ]*([0-9]{1,9}))?")
MOST_WORKERS = 1024
BOOLEAN = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
STREAMS = ("stdout", "stderr", "none")
FACILITIES = (  # syslog(3)
    *("auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "syslog", "user", "uucp"),
    *(f"local{number}" for number in range(8)),
)
FORMATS = ("common", "combined", "json")
SHOWN = 60  # characters of a wrong value that a message repeats


def quoted(text: str) -> str:
    """The value as a message repeats it: in quotes, and not for ever."""
    return f'"{text}"' if len(text) <= SHOWN else f'"{text[:SHOWN]}…"'


def suggestion(word: str, known: Collection[str]) -> str:
    """`; did you mean X?` for a near miss of a known word, else nothing."""
    near = difflib.get_close_matches(word[:SHOWN].lower().replace("-", "_"), known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def duration(text: str, folder: str) -> float:
    """`500ms 10s 2m 1h` as seconds; only 0 needs no unit."""
    found = DURATION.fullmatch(text)
    if not found:
        raise ValueError(f"{quoted(text)} is not a duration such as 500ms, 10s, 2m or 1h")
    number, unit = found.groups()
    if not unit and Decimal(number) != 0:
        raise ValueError(f"{quoted(text)} has no unit; write {number}s, or one of ms, m and h")
    if unit and unit not in SECONDS:
        raise ValueError(f"{quoted(unit)} is not a unit of time; they are ms, s, m and h")
    seconds = float(Decimal(number) * SECONDS.get(unit, Decimal(1)))
    if seconds > LONGEST:
        raise ValueError(f"{quoted(text)} is longer than a year")
    return seconds


def limit(text: str, folder: str) -> float:
    """A duration above 0 in seconds, for a wait that must end."""
    seconds = duration(text, folder)
    if seconds == 0:
        raise ValueError("every wait must end; give a time above 0, such as 1h")
    return seconds


def duration_text(seconds: float) -> str:
    """The shortest way to write a duration: 90.0 is 90s, 120.0 is 2m."""
    exact = Decimal(repr(float(seconds)))
    for unit, factor in SECONDS.items():
        if exact and exact % factor == 0:
            return f"{int(exact / factor)}{unit}"
    return f"{exact / SECONDS['ms']:f}ms" if exact else "0"


def size(text: str, folder: str) -> int:
    """`8k 16M 1G` as bytes, in powers of 1024; a bare number is bytes."""
    found = SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"{quoted(text)} is not a size such as 512, 8k, 16M or 1G")
    number, unit = found.groups()
    factors = {name.lower(): factor for name, factor in BYTES.items()}
    if unit and unit.lower() not in factors:
        raise ValueError(f"{quoted(unit)} is not a unit of size; they are k, M and G (powers of 1024)")
    value = int(number) * factors.get(unit.lower(), 1)
    if value > LARGEST:
        raise ValueError(f"{quoted(text)} is more than {size_text(LARGEST)}")
    return value


def size_text(value: int) -> str:
    """The shortest way to write a size: 16384 is 16k."""
    for unit, factor in BYTES.items():
        if value and value % factor == 0:
            return f"{value // factor}{unit}"
    return str(value)


def boolean(text: str, folder: str) -> bool:
    """One of yes, no, on, off, true and false, in any case."""
    if text.lower() not in BOOLEAN:
        raise ValueError(f"{quoted(text)} is neither yes nor no (also on, off, true, false)")
    return BOOLEAN[text.lower()]


def integer(lowest: int, highest: int) -> Convert[int]:
    """A whole number within bounds, both included."""

    def convert(text: str, folder: str) -> int:
        if not INTEGER.fullmatch(text) or not lowest <= int(text) <= highest:
            raise ValueError(f"{quoted(text)} is not a whole number from {lowest} to {highest}")
        return int(text)

    return convert


def text(text: str, folder: str) -> str:
    """Any text; lines are joined by one space."""
    return " ".join(line for line in text.split("\n") if line)


def path(text: str, folder: str) -> str:
    """An absolute path; a relative one starts from the folder of the file that names it."""
    if not text or "\n" in text:
        raise ValueError("one path is expected, on one line")
    return os.path.normpath(os.path.join(os.path.abspath(folder), text))


def existing(what: str, holds: Callable[[str], bool]) -> Convert[str]:
    """The absolute path of a file, or of a folder, that is there."""

    def convert(text: str, folder: str) -> str:
        place = path(text, folder)
        if not os.path.exists(place):
            raise ValueError(f"no such {what}: {place}")
        if not holds(place):
            raise ValueError(f"not a {what}: {place}")
        return place

    return convert


existing_folder = existing("folder", os.path.isdir)
existing_file = existing("file", os.path.isfile)


def optional(convert: Convert[str]) -> Convert[str]:
    """The same, where an empty value stays empty."""
    return lambda text, folder: convert(text, folder) if text else ""


def pieces(text: str) -> list[str]:
    """What stands between commas and line ends, without the empty ones."""
    return [piece.strip(" \t") for piece in re.split("[,\n]", text) if piece.strip(" \t")]


def listing(convert: Convert[T]) -> Convert[tuple[T, ...]]:
    """Several values, separated by commas or lines."""
    return lambda text, folder: tuple(convert(piece, folder) for piece in pieces(text))


def choice(*words: str) -> Convert[str]:
    """One of the given words."""

    def convert(text: str, folder: str) -> str:
        if text not in words:
            raise ValueError(f"{quoted(text)} is none of {', '.join(words)}{suggestion(text, words)}")
        return text

    return convert


@dataclass(frozen=True, slots=True)
class Workers:
    """How many processes: from `low` to `high`, as the load asks for, or always so many where both are the same."""

    low: int
    high: int

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"

    def nearest(self, number: int) -> int:
        """The number of processes that is allowed and nearest to this one."""
        return min(max(number, self.low), self.high)


def workers(text: str, folder: str) -> Workers:
    """Numbers of processes, N or MIN-MAX; `auto` is one for each CPU that may be used (sched_getaffinity(2))."""
    if text == "auto":
        processors = len(os.sched_getaffinity(0))
        return Workers(processors, processors)
    found = WORKERS.fullmatch(text)
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= min(low, high) <= max(low, high) <= MOST_WORKERS:
        raise ValueError(
            f"{quoted(text)} is neither auto nor a whole number from 1 to {MOST_WORKERS}, nor MIN-MAX"
            f"{suggestion(text, ['auto'])}"
        )
    if low > high:
        raise ValueError(f"{quoted(text)} ends below its beginning; write {high}-{low}")
    return Workers(low, high)


def user(text: str, folder: str) -> str:
    """The name of a user whom the system knows (getpwnam(3))."""
    try:
        return pwd.getpwnam(text).pw_name
    except KeyError:
        raise ValueError(f"unknown user: {text}") from None


def group(text: str, folder: str) -> str:
    """The name of a group that the system knows (getgrnam(3))."""
    try:
        return grp.getgrnam(text).gr_name
    except KeyError:
        raise ValueError(f"unknown group: {text}") from None


def log_destination(text: str, folder: str) -> str:
    """`stdout`, `stderr`, `none`, `syslog`, `syslog:FACILITY`, or a file, whose folder is made where it is missing."""
    scheme, colon, facility = text.partition(":")
    if text in STREAMS or text == "syslog":
        return text
    if scheme == "syslog" and colon:
        if facility not in FACILITIES:
            raise ValueError(f"unknown facility of syslog: {quoted(facility)}{suggestion(facility, FACILITIES)}")
        return text
    near = "" if re.search("[/.]", text) else suggestion(text, (*STREAMS, "syslog"))
    if near:
        raise ValueError(f"{quoted(text)} is no destination{near} A file of that name is written ./{text}")
    place = path(text, folder)
    if os.path.isdir(place):
        raise ValueError(f"a folder, not a file: {place}")
    return place


def log_format(value: str, folder: str) -> str:
    """The name of a format, or a LogFormat string as Apache's mod_log_config has it."""
    joined = text(value, folder)
    if joined not in FORMATS and "%" not in joined:
        words = ", ".join(FORMATS)
        raise ValueError(f"{quoted(joined)} is none of {words}, nor a format with %{suggestion(joined, FORMATS)}")
    compile_format(joined)
    return joined


def plain_text(value: Any) -> str:
    """A value as it would be written in a file, where its type alone tells how."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return ", ".join(map(plain_text, value))
    return "" if value is None else str(value)


WRITERS: dict[Convert[Any], Callable[[Any], str]] = {
    duration: duration_text,
    limit: duration_text,
    size: size_text,
}
