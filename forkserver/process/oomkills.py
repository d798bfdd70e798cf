"""The kernel's own count of the processes that it killed for want of memory, kept for each control group.

Sources: cgroups(7), proc(5), and the kernel's documents cgroup-v2 (memory.events) and cgroup-v1/memory
(memory.oom_control).  Knows files, and nothing of whom the kernel killed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

from forkserver.process.forensics import Oom

EVENTS, CONTROL = "memory.events", "memory.oom_control"  # in which the line "oom_kill N" stands, by version: 2 and 1
ESCAPED = re.compile(r"\\([0-7]{3})")  # a blank, a line feed or a backslash in a path of mountinfo


class OomKills:
    """How many of our control group it has been so far, and how many since the last look."""

    def __init__(self, path: str | None = None, now: float | None = None) -> None:
        self.path = counter() if path is None else path
        self.seen, self.looked = count(self.path), time.monotonic() if now is None else now

    def since(self, now: float) -> Oom | None:
        """How many more since the last look; None where nobody counts."""
        found, before, looked = count(self.path), self.seen, self.looked
        self.seen, self.looked = found, now
        if found is None or before is None:
            return None
        return Oom(found - before, now - looked, os.path.basename(self.path))


def count(path: str) -> int | None:
    """What a file says; None when it does not count, is not there or not for our eyes."""
    try:
        with open(path, encoding="ascii") as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
    except OSError:
        return None


def counter(process: str = "/proc/self") -> str:
    """The file of our own control group that counts; "" when there is none."""
    return next((path for path in _candidates(process) if count(path) is not None), "")


def _candidates(process: str) -> Iterator[str]:
    """One for each hierarchy that we are in and that may have it: with both versions mounted, memory is in one."""
    mounts = [line.split() for line in _lines(f"{process}/mountinfo")]
    for line in _lines(f"{process}/cgroup"):
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        kind, name = ("cgroup", CONTROL) if controllers else ("cgroup2", EVENTS)
        for root, mounted in _of_kind(mounts, kind):
            inside = os.path.relpath(group, root)  # a container may be shown a part of the hierarchy
            if not inside.startswith(".."):
                yield os.path.normpath(f"{mounted}/{inside}/{name}")


def _of_kind(mounts: list[list[str]], kind: str) -> Iterator[tuple[str, str]]:
    """Root and mount point of the mounts of a hierarchy that may have memory."""
    for fields in mounts:
        fs_type, _, options = fields[fields.index("-") + 1 :]
        if fs_type == kind and (kind == "cgroup2" or "memory" in options.split(",")):
            yield _plain(fields[3]), _plain(fields[4])


def _plain(path: str) -> str:
    return ESCAPED.sub(lambda found: chr(int(found[1], 8)), path)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:  # no control groups, or no /proc
        return []
