"""Records of the slow log."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from forkserver.log import slow_log, slow_record
from forkserver.log.slow import LONGEST_STACK, bounded


def test_all_that_is_known_stands_in_the_first_line_and_the_stack_below() -> None:
    text = slow_record(
        "GET /shop/cart HTTP/1.1",
        "192.0.2.1",
        step=2,
        running=10.25,
        queued=0.5,
        mount="/shop",
        worker="worker 3 (pid 4711)",
        stack='  File "shop.py", line 7 in cart\n  File "db.py", line 1 in query\n',
    )
    first, shares, *stack = text.replace("10.750 s: ", "10.750 s:\n").split("\n")
    assert first == "worker 3 (pid 4711): slow (2x): 'GET /shop/cart HTTP/1.1' of 192.0.2.1 at [/shop] for 10.750 s:"
    assert shares == "0.500 s in the queue, 10.250 s in the application"
    assert stack == [
        '  File "shop.py", line 7 in cart',
        '  File "db.py", line 1 in query',
    ]


def test_what_is_not_known_is_left_out() -> None:
    assert slow_record("GET / HTTP/1.1", "", step=1, running=5.0) == "slow (1x): 'GET / HTTP/1.1' for 5.000 s"


def test_a_request_line_cannot_forge_a_record(tmp_path: Path) -> None:
    path = tmp_path / "slow.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    log = slow_log(str(path), descriptor, role="worker 3")
    log.warning(
        slow_record("GET /\n[error] x\x1b[2J HTTP/1.1", "1\n2", step=1, running=5.0, stack="one\ntwo"), lines=True
    )
    os.close(descriptor)
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("number", [0, 1, LONGEST_STACK])
def test_a_short_stack_stays_whole(number: int) -> None:
    lines = [f"frame {frame}" for frame in range(number)]
    assert bounded("\n".join(lines) + "\n") == lines


def test_a_long_stack_loses_its_middle() -> None:
    lines = [f"frame {frame}" for frame in range(10_000)]
    kept = bounded("\n".join(lines))
    assert len(kept) == LONGEST_STACK + 1
    assert (kept[0], kept[-1]) == ("frame 0", "frame 9999")
    assert kept[LONGEST_STACK // 2] == f"[… {10_000 - LONGEST_STACK} lines …]"
