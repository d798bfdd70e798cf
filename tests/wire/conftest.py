"""The servers of this folder: started once for each process that runs tests, checked after each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.cgihosts import WAYS, Scripted, scripted
from tests.wire.hosts import KINDS, Host, Kind, Run, running

WAITING = {"test_wire_limits.py", "test_wire_ready.py", "test_wire_cgi_limits.py"}
BODY = 6 << 20  # bytes of the largest body
HURRIED = "header_timeout = 1s\nidle_timeout = 1s\nbody_timeout = 1s\nwrite_timeout = 2s"


@pytest.fixture(scope="session")
def _patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with running(tmp_path_factory.mktemp("patient"), limits=f"body = {BODY}") as host:
        yield host


@pytest.fixture(scope="session")
def _hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    log = r"format = %h %t \"%r\" %>s %B X=%X I=%I O=%O D=%D"
    with running(tmp_path_factory.mktemp("hasty"), server="server_header = no", limits=HURRIED, log=log) as host:
        yield host


@pytest.fixture
def host(_patient: Host) -> Iterator[Host]:
    """A server with time limits as shipped."""
    yield _patient
    _patient.check()


@pytest.fixture
def hasty(_hasty: Host) -> Iterator[Host]:
    """A server that gives everybody a second, tells nothing of itself, and logs what an operator may want to know."""
    yield _hasty
    _hasty.check()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind in turn."""
    return KINDS[str(request.param)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A function that starts a server of the test's own."""
    return lambda **settings: running(tmp_path, **settings)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the tests that mostly wait over all others: neighbours run in one process, one after the other."""
    waiting = [item for item in items if item.path.name in WAITING]
    others = [item for item in items if item.path.name not in WAITING]
    distance = len(others) // (len(waiting) + 1) + 1
    for number, item in enumerate(waiting):
        others.insert(number * distance, item)
    items[:] = others


@pytest.fixture(scope="session")
def cgi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    """A server of CGI scripts."""
    with scripted(tmp_path_factory.mktemp("cgi")) as server:
        yield server


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """The mount of each way to run scripts in turn: executed, and forked from a warm interpreter."""
    return f"/{request.param}"
