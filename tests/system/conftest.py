"""What the tests of the installed service share: a machine where it is installed, and one where it runs."""

from __future__ import annotations

import configparser
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .debian import root_folder
from .machine import Machine
from .service import install

SOURCE = Path(__file__).parents[2]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show the service's journal under a failed test."""
    report = yield
    machine = getattr(item, "funcargs", {}).get("machine")
    if report.failed and machine is not None:
        report.sections.append(("journal", machine.journal("forkserver*")))
    return report


@pytest.fixture(scope="session")
def debian() -> Iterator[Path]:
    with root_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def binds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The source tree, and all that pip needs to install it without a network."""
    wheels = tmp_path_factory.mktemp("wheels")
    setup = configparser.ConfigParser()
    setup.read(SOURCE / "setup.cfg")
    required = [*setup["options"]["install_requires"].split("\n"), "setuptools", "wheel"]
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", f"--dest={wheels}"]
    subprocess.run([*download, *filter(None, required)], check=True, timeout=300)
    return {"/source": SOURCE, "/wheels": wheels}


@pytest.fixture(scope="session")
def installed(debian: Path, binds: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one run of install.sh adds to Debian's files."""
    with Machine([debian], tmp_path_factory.mktemp("installed"), binds) as machine:
        install(machine)
    return machine.disk


@pytest.fixture
def machine(installed: Path, debian: Path, binds: dict[str, Path], tmp_path: Path) -> Iterator[Machine]:
    """A machine where forkserver is installed and was never started."""
    with Machine([installed, debian], tmp_path, binds) as machine:
        yield machine


@pytest.fixture
def served(machine: Machine) -> Machine:
    """A machine where the service runs."""
    machine.run("systemctl start forkserver")
    return machine
