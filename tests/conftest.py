"""Fixtures that any test may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.daemons import Daemon

Start = Callable[..., Daemon]

# How long an example takes says something of the machine alone.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """A function that prepares a Daemon; all of them are ended with the test, and what they said is shown."""
    made: list[Daemon] = []

    def prepare(config: str, **environ: str) -> Daemon:
        folder = tmp_path / f"daemon-{len(made)}"
        folder.mkdir()
        daemon = Daemon(folder, config, environ)
        made.append(daemon)
        return daemon

    yield prepare
    for daemon in made:
        if hasattr(daemon, "process"):
            daemon.stop()
            print(f"--- {daemon.folder}\n{daemon.errors.rest()}")


@pytest.fixture
def start(make: Callable[..., Daemon]) -> Start:
    """A function that starts a Daemon from the text of a configuration."""
    return lambda config, **environ: make(config, **environ).start()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A small folder of files."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("<!DOCTYPE html><title>home</title>home")
    (folder / "small.txt").write_text("small\n")
    (folder / "large.bin").write_bytes(bytes(range(256)) * 4096)  # 1 MiB
    return folder


@pytest.fixture
def huge(site: Path) -> int:
    """The size of a file that no socket holds."""
    size = 24 << 20
    with open(site / "huge.bin", "wb") as file:
        file.truncate(size)
    return size
