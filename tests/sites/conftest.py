"""The servers of this folder: one for each framework in each process that runs tests, checked after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sites.hosting import DJANGO, FLASK, WEBPY, Host, running

pytest.register_assert_rewrite("tests.sites.common")  # its assertions explain themselves


@pytest.fixture(scope="session")
def django_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with running(DJANGO, tmp_path_factory.mktemp("django")) as host:
        yield host


@pytest.fixture(scope="session")
def flask_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with running(FLASK, tmp_path_factory.mktemp("flask")) as host:
        yield host


@pytest.fixture(scope="session")
def webpy_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with running(WEBPY, tmp_path_factory.mktemp("webpy")) as host:
        yield host


def lives(host: Host) -> Iterator[Host]:
    """Give a host to a test; afterwards there are two workers, the same as before unless a reload came between."""
    before, generation = host.workers(), host.daemon.status()["generation"]
    yield host
    while host.visitors:
        host.visitors.pop().close()
    after = host.workers()
    assert len(after) == 2
    if host.daemon.status()["generation"] == generation:
        assert after == before
