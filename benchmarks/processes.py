"""What the kernel knows of a tree of processes: its members, the CPU time they used, the memory they hold.

Sources: proc(5), `/proc/PID/stat` and `/proc/PID/smaps_rollup`.  Knows nothing of servers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

TICKS = os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)  # a process may end between the listing and the reading


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third, `state`, on; the second may hold blanks and brackets."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()


def every_stat() -> Iterator[tuple[int, list[str]]]:
    """(pid, fields) of all processes of the machine."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                yield int(name), stat_fields(int(name))
            except GONE:
                continue


def tree(root: int) -> list[int]:
    """The process `root` and all its descendants, parents first."""
    children: dict[int, list[int]] = {}
    for pid, fields in every_stat():
        children.setdefault(int(fields[1]), []).append(pid)
    members = [root]
    for pid in members:
        members.extend(children.get(pid, ()))
    return members


def cpu_seconds(root: int) -> float:
    """User and system time of the tree, in seconds, with that of the children it has already reaped."""
    ticks = 0
    for pid in tree(root):
        try:
            ticks += sum(map(int, stat_fields(pid)[11:15]))
        except GONE:
            continue
    return ticks / TICKS


def pss_bytes(root: int) -> int:
    """Proportional set size of the tree, in bytes: what is shared counts once."""
    return sum(rollup(pid, "Pss:") for pid in tree(root))


def private_bytes(pid: int) -> int:
    """What one process shares with no other, in bytes: what its end would give back."""
    return rollup(pid, "Private_")


def rollup(pid: int, word: str) -> int:
    """Sum of the lines of smaps_rollup that begin with `word`, in bytes."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return 1024 * sum(int(line.split()[1]) for line in file if line.startswith(word))
    except GONE:
        return 0
