"""A worker that the kernel kills for want of memory: a control group with a limit, and what the log says of it.

The group is made here, of whichever version has memory on this machine, and the server moves into it before it starts.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.daemons import Daemon

pytestmark = pytest.mark.system

LIMIT = 192 << 20  # bytes: several times what the server takes, and a fraction of what the application then wants
CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 2
threads = 4
[/]
wsgi = tests.daemon.badapp:application
"""
OLD, NEW = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
JOIN = 'echo $$ >"$0" && exec "$@"'


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with that limit; swap, where there is some, does not help."""
    old = OLD.is_dir()
    group = (OLD if old else NEW) / f"forkserver-test-{os.getpid()}"
    if not old:
        (NEW / "cgroup.subtree_control").write_text("+memory")
    group.mkdir()
    try:
        (group / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(LIMIT))
        swap = group / ("memory.memsw.limit_in_bytes" if old else "memory.swap.max")
        if swap.exists():
            swap.write_text(str(LIMIT if old else 0))
        yield group
    finally:
        group.rmdir()


@pytest.fixture
def daemon(group: Path, make: Callable[..., Daemon]) -> Iterator[Daemon]:
    daemon = make(CONFIG).start(before=["sh", "-c", JOIN, str(group / "cgroup.procs")])
    daemon.settled(2)
    yield daemon
    daemon.stop()  # before the group goes


def test_the_record_says_that_it_was_for_want_of_memory(daemon: Daemon, group: Path) -> None:
    assert daemon.get("/fine").status == 200
    file = "memory.oom_control" if OLD.is_dir() else "memory.events"
    assert daemon.say(b"GET /devour HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    daemon.errors.wait_for(r"\[error\] .*\(pid \d+\) was killed by SIGKILL while serving 'GET /devour HTTP/1.1'")
    daemon.errors.wait_for(r"^    serving 'GET /devour HTTP/1.1' of 127.0.0.1 for ")
    daemon.errors.wait_for(
        rf"^    the kernel killed for want of memory: oom_kill in {file} of its control group rose by 1 in the last "
    )
    assert "oom_kill 1\n" in (group / file).read_text()
    daemon.settled(3)
    assert daemon.get("/fine").status == 200
    os.kill(daemon.workers()[0], signal.SIGKILL)
    daemon.errors.wait_for(rf"^    not for want of memory: oom_kill in {file} of its control group did not rise$")
