"""How exposed the service is by systemd's own measure, and the two ways to port 80."""

from __future__ import annotations

import re

import pytest

from .machine import Machine
from .service import ACCESS_LOG, DROP_IN, SHIPPED, UNIT, configure, drop_in, fetch, shown

pytestmark = pytest.mark.system


def exposure(machine: Machine) -> float:
    """The overall mark of `systemd-analyze security`: 0 is best, 10 worst."""
    analysis = machine.run(f"systemd-analyze security --no-pager {UNIT}")
    overall = re.search(rf"Overall exposure level for {UNIT}: ([\d.]+)", analysis)
    assert overall, analysis
    return float(overall[1])


def test_exposure(served: Machine) -> None:
    assert "test.jpg" in fetch(served)
    assert exposure(served) <= 1.1


def test_port_80_by_the_drop_in(machine: Machine) -> None:
    machine.run(f"install -D -m 644 {SHIPPED}/port80.conf {DROP_IN}/port80.conf; systemctl daemon-reload")
    configure(machine, "127.0.0.1:8080", "127.0.0.1:80")
    machine.run(f"systemctl start {UNIT}")
    assert "test.jpg" in fetch(machine, "http://127.0.0.1/")
    assert exposure(machine) <= 1.4


def test_port_80_without_it_is_refused_with_the_reason(machine: Machine) -> None:
    drop_in(machine, "[Service]\nRestart=no\n")
    configure(machine, "127.0.0.1:8080", "127.0.0.1:80")
    since = machine.cursor()
    assert machine.call(f"systemctl start {UNIT}").returncode == 1
    assert machine.wait_for("127.0.0.1:80: permission denied", UNIT, since)


def test_port_80_by_the_socket_unit(machine: Machine) -> None:
    """Without any capability; the port outlives a restart, and after a stop a visitor starts the service."""
    machine.run(f"install -m 644 {SHIPPED}/forkserver.socket /etc/systemd/system/; systemctl daemon-reload")
    configure(machine, "127.0.0.1:8080", "systemd:web")
    machine.run(f"systemctl --quiet enable --now forkserver.socket; systemctl start {UNIT}")
    assert "test.jpg" in fetch(machine, "http://127.0.0.1/")
    assert "test.jpg" in fetch(machine, "http://[::1]/")
    for verb in ("reload", "restart", "stop"):
        machine.run(f"systemctl {verb} {UNIT} 2>&1")
        assert "test.jpg" in fetch(machine, "http://127.0.0.1/")
    assert shown(machine, "ActiveState") == "active"
    assert exposure(machine) <= 1.1


def test_this_systemd_knows_every_line(machine: Machine) -> None:
    machine.run(f"install -m 644 {SHIPPED}/forkserver.socket /etc/systemd/system/")
    machine.run(f"install -D -m 644 {SHIPPED}/port80.conf {DROP_IN}/port80.conf; systemctl daemon-reload")
    assert machine.run(f"systemd-analyze verify {UNIT} forkserver.socket") == ""


def test_nobody_else_reads_the_logs_or_finds_the_control_socket(served: Machine) -> None:
    fetch(served)
    for path in (ACCESS_LOG, "/run/forkserver/control.sock"):
        served.run(f"test -e {path}")
        refused = served.call(f"runuser -u daemon -- stat {path}")
        assert "Permission denied" in refused.stdout
