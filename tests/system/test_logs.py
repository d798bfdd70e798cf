"""Log rotation as Debian does it: by the shipped file, and in the style that copies and truncates."""

from __future__ import annotations

import pytest

from .machine import Machine
from .service import ACCESS_LOG, HOME, UNIT, configure, workers

pytestmark = pytest.mark.system

SHIPPED = "logrotate --force --state /tmp/state /etc/logrotate.d/forkserver"
COPYING = "logrotate --force --state /tmp/state /tmp/copying"
COPYING_CONFIG = f"{ACCESS_LOG} {{\n su forkserver forkserver\n rotate 9\n copytruncate\n}}\n"


def visit(first: int, last: int) -> str:
    """A shell command: so many requests over one connection, each with a number of its own."""
    return f"curl --silent --fail --output /dev/null '{HOME}?[{first}-{last}]'"


def logged(machine: Machine) -> list[int]:
    """The numbers of all requests in all files, once the service has stopped."""
    lines = machine.run(f"systemctl stop {UNIT}; zcat --force {ACCESS_LOG}*").splitlines()
    return sorted(int(line.split("/?")[1].split(" ")[0]) for line in lines)


def test_the_journal_knows_how_grave_a_message_is(served: Machine) -> None:
    since = served.cursor()
    victim = min(workers(served))
    served.run(f"kill -KILL {victim}")
    served.wait_for(rf"\(pid {victim}\)", UNIT, since)
    grave = served.run(f"journalctl --output=cat --priority=err --unit={UNIT}")
    assert "SIGKILL" in grave
    assert "is ready" not in grave


def test_renaming_under_load_loses_no_line(served: Machine) -> None:
    rotations = "; ".join(f"{SHIPPED}; {visit(first, first + 99)}" for first in (3001, 3101, 3201))
    served.run(f"{visit(1, 3000)} & {rotations}; wait $!")
    assert logged(served) == list(range(1, 3301))


def test_a_renamed_file_is_noticed_without_a_signal(served: Machine) -> None:
    """Visits go on until one appears in the new file; the command's own limit ends them in any case."""
    served.run(f"{visit(1, 1)}; {SHIPPED}; until [ -s {ACCESS_LOG} ]; do {visit(2, 2)}; done")
    assert served.run(f"stat --format='%a %U' {ACCESS_LOG}") == "640 forkserver\n"


def test_a_signal_opens_the_new_file(served: Machine) -> None:
    served.run(f"{visit(1, 5)}; mv {ACCESS_LOG} {ACCESS_LOG}.1")
    served.run(f"systemctl kill --signal=USR1 --kill-whom=main {UNIT}; until [ -e {ACCESS_LOG} ]; do :; done")
    served.run(visit(6, 10))
    assert logged(served) == list(range(1, 11))


def test_truncating_between_visits_loses_no_line(served: Machine) -> None:
    """Lines go to the file's end, wherever that is: a truncated file starts anew, without a hole."""
    served.write("/tmp/copying", COPYING_CONFIG)
    steps = "; ".join(f"{visit(first, first + 99)}; {COPYING}" for first in (1, 101, 201))
    served.run(f"{steps}; {visit(301, 400)}")
    assert logged(served) == list(range(1, 401))
    assert "\0" not in served.run(f"cat {ACCESS_LOG}")


def test_a_full_disk_loses_lines_and_says_how_many_but_no_request(machine: Machine) -> None:
    configure(machine, "workers = auto", "workers = 1")
    folder = ACCESS_LOG.rpartition("/")[0]
    machine.run(f"mount -t tmpfs -o size=32k,mode=0750,uid=$(id -u forkserver),gid=$(id -g forkserver) tmpfs {folder}")
    machine.run(f"systemctl start {UNIT}")
    since = machine.cursor()
    machine.run(visit(1, 2000))  # fails if one of them does
    kept = machine.run(f"cat {ACCESS_LOG}")
    assert len(kept) <= 32 * 1024
    machine.run(f"truncate --size=0 {ACCESS_LOG}; {visit(2001, 2001)}")
    told = machine.wait_for(r"access log: \d+ lines lost: No space left on device", UNIT, since)
    lost = int(told.split("access log: ")[1].split(" ")[0])
    assert lost == 2000 - kept.count("\n")
    assert f"{HOME}?2001".rpartition("/")[2] in machine.run(f"cat {ACCESS_LOG}")
