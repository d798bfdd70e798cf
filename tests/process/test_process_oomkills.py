"""The kernel's count of OOM kills: where it is, and by how much it rose."""

from __future__ import annotations

from pathlib import Path

import pytest

from forkserver.process.oomkills import OomKills, counter

EVENTS = "low 0\nhigh 0\nmax 731\noom 2\noom_kill 3\noom_group_kill 9\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
# As on Debian 12 (one hierarchy), and on machines with version 1 beside a version 2 that has no memory.
UNIFIED = "30 23 0:26 {root} {mounted} rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
MEMORY = "35 31 0:32 {root} {mounted} rw,relatime - cgroup cgroup rw,memory\n"
OTHER = "32 31 0:29 / /nowhere rw,relatime - cgroup cgroup rw,cpu\n"


@pytest.mark.parametrize(("name", "text"), [("memory.events", EVENTS), ("memory.oom_control", CONTROL)])
def test_the_count_is_compared_with_the_one_last_seen(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    kills = OomKills(str(path), now=10.0)
    assert kills.since(12.0) == (0, 2.0, name)
    path.write_text(text.replace("oom_kill 3", "oom_kill 5"))
    assert kills.since(13.5) == (2, 1.5, name)
    assert kills.since(14.0) == (0, 0.5, name)


@pytest.mark.parametrize("text", [None, "", "low 0\n"], ids=["no file", "empty", "no such line"])
def test_where_nobody_counts_nothing_is_said(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "memory.events"
    if text is not None:
        path.write_text(text)
    assert OomKills(str(path), now=10.0).since(12.0) is None


@pytest.mark.parametrize(
    ("mount", "root", "membership", "file"),
    [
        (UNIFIED, "/", "0::/", "memory.events"),
        (UNIFIED, "/", "0::/system.slice/forkserver.service", "system.slice/forkserver.service/memory.events"),
        (UNIFIED, "/", "0::/new: one", "new: one/memory.events"),
        (UNIFIED, "/docker/4711", "0::/docker/4711", "memory.events"),
        (UNIFIED, "/a\\134x2db\\040c", "0::/a\\x2db c/d", "d/memory.events"),
        (MEMORY, "/", "4:memory:/old\n3:cpu:/other\n0::/", "old/memory.oom_control"),
        (MEMORY, "/", "4:hugetlb,memory:/", "memory.oom_control"),
        (MEMORY, "/docker/4711", "4:memory:/docker/4711/below", "below/memory.oom_control"),
    ],
)
def test_the_file_of_our_own_group_is_found(tmp_path: Path, mount: str, root: str, membership: str, file: str) -> None:
    path = tmp_path / "mounted" / file
    path.parent.mkdir(parents=True)
    path.write_text(EVENTS if file.endswith("events") else CONTROL)
    (tmp_path / "mountinfo").write_text(OTHER + mount.format(root=root, mounted=tmp_path / "mounted"))
    (tmp_path / "cgroup").write_text(membership + "\n")
    assert counter(str(tmp_path)) == str(path)


@pytest.mark.parametrize(
    ("mount", "root", "membership"),
    [
        (MEMORY, "/", "0::/"),
        (UNIFIED, "/", "4:memory:/old"),
        (UNIFIED, "/docker/4711", "0::/elsewhere"),
        (UNIFIED, "/", "0::/there"),
        (UNIFIED, "/", ""),
    ],
    ids=["not in it", "not mounted", "not shown", "no such file", "in none"],
)
def test_where_there_is_none(tmp_path: Path, mount: str, root: str, membership: str) -> None:
    (tmp_path / "mountinfo").write_text(mount.format(root=root, mounted=tmp_path))
    (tmp_path / "cgroup").write_text(membership and membership + "\n")
    assert counter(str(tmp_path)) == ""


def test_without_proc_nobody_counts(tmp_path: Path) -> None:
    assert counter(str(tmp_path / "nothing")) == ""
