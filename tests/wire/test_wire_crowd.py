"""Slow clients cost nothing: a crowd of them in every state, and in the middle of it somebody is served at once."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from tests.wire.hosts import Host, Kind
from tests.wire.talk import request

CROWD = 40  # clients of each sort
SORTS = {
    "silent": b"",
    "half a head": request("GET", "/static/small.txt")[:-10],
    "half a body": request("POST", "/echo", "Content-Length: 10") + b"12345",
    "reads nothing": request("GET", "/static/huge.bin"),
    "at rest": request("GET", "/static/small.txt"),
}


def test_a_crowd_of_slow_clients_delays_nobody(host: Host, kind: Kind) -> None:
    with ExitStack() as crowd:
        for data in SORTS.values():
            for _ in range(CROWD):
                crowd.enter_context(host.talk()).send(data)
        host.wait(lambda: host.connections() >= CROWD * len(SORTS), "the whole crowd is in")
        began = time.monotonic()
        for _ in range(20):
            with host.talk() as talk:
                assert talk.ask(request("GET", kind.good)).status == 200
        print(f"20 requests on 20 connections among {CROWD * len(SORTS)} others: {time.monotonic() - began:.3f} s")
    host.wait(lambda: host.connections() == 0, "the crowd has left")


@pytest.mark.parametrize("sort", SORTS)
def test_a_crowd_that_leaves_rudely_leaves_nothing_behind(host: Host, sort: str) -> None:
    with ExitStack() as crowd:
        for _ in range(CROWD):
            crowd.enter_context(host.talk()).send(SORTS[sort])
        host.wait(lambda: host.connections() >= CROWD, "the whole crowd is in")
    host.wait(lambda: host.connections() == 0, "the crowd has left")
