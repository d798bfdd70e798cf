"""What is said of a worker that died or hangs."""

from __future__ import annotations

from forkserver.process import forensics
from forkserver.process.scoreboard import InProgress

SLOW = InProgress("GET /slow HTTP/1.1", "192.0.2.1", 100.0, 160.0, 0, 3)
QUICK = InProgress("GET /quick\n HTTP/1.1", "", 102.0, 162.0, 0, 0)


def test_a_death_with_nothing_in_hand_is_one_line() -> None:
    assert forensics.death("exited with 3", (), 105.0) == "exited with 3"


def test_a_death_names_all_requests_in_hand() -> None:
    assert forensics.death("exited with 3", (SLOW, QUICK), 105.0).split("\n") == [
        "exited with 3 while serving 'GET /slow HTTP/1.1'",
        "serving 'GET /slow HTTP/1.1' of 192.0.2.1 for 5.0 s",
        r"serving 'GET /quick\n HTTP/1.1' for 3.0 s",
    ]
