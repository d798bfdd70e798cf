"""The service's life under systemd: start, reload, the death of a worker and of the master, a hang, stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from .machine import Machine
from .service import (
    ACCESS_LOG,
    CONFIG,
    FORKSERVER,
    HOME,
    REFUSED,
    UNIT,
    configure,
    drop_in,
    fetch,
    processes,
    shown,
    status_says,
    workers,
)

pytestmark = pytest.mark.system

SQUATTER = """
import signal, socket, subprocess
taken = socket.create_server(("127.0.0.1", 8081))
subprocess.run(["systemd-notify", "--ready"], check=True)
signal.pause()
"""


def test_start_serves_the_page_and_the_picture(served: Machine) -> None:
    assert shown(served, "ActiveState") == "active"
    status_says(served, "[1-9] worker")
    assert "test.jpg" in fetch(served)
    served.run(f"curl --silent --fail {HOME}test.jpg | cmp - /source/conf/site/test.jpg")
    served.run(f"systemctl stop {UNIT}")
    page, picture = served.run(f"cat {ACCESS_LOG}").splitlines()
    assert '"GET / HTTP/1.1" 200 ' in page
    assert '"GET /test.jpg HTTP/1.1" 200 ' in picture


def test_enabled_it_starts_at_boot(installed: Path, debian: Path, binds: dict[str, Path], tmp_path: Path) -> None:
    with Machine([installed, debian], tmp_path / "first", binds) as first:
        first.run(f"systemctl --quiet enable {UNIT}")
    with Machine([first.disk, installed, debian], tmp_path / "second", binds) as second:
        assert "test.jpg" in fetch(second)


def test_status_says_who_serves(served: Machine) -> None:
    assert workers(served) < processes(served)
    assert served.call(f"{FORKSERVER} status {CONFIG}").returncode == 0
    served.run(f"systemctl stop {UNIT}")
    assert served.call(f"{FORKSERVER} status {CONFIG}").returncode == 3


def test_a_good_reload_is_in_force_when_the_command_returns(served: Machine) -> None:
    master = shown(served, "MainPID")
    served.write("/srv/other/index.html", "the other site")
    configure(served, "static  = site", "static = /srv/other")
    served.run(f"systemctl reload {UNIT}")
    assert fetch(served) == "the other site"
    assert shown(served, "MainPID") == master


def test_a_refused_reload_fails_and_the_old_configuration_serves_on(served: Machine) -> None:
    master, pool, since = shown(served, "MainPID"), workers(served), served.cursor()
    configure(served, "workers = auto", "wrokers = auto")
    assert served.call(f"systemctl reload {UNIT}").returncode == 1
    assert served.wait_for(rf"{CONFIG}:\d+: .*wrokers", UNIT, since)
    assert "test.jpg" in fetch(served)
    assert (shown(served, "ActiveState"), shown(served, "MainPID")) == ("active", master)
    status_says(served, "refused")
    configure(served, "wrokers = auto", "workers = auto")
    assert workers(served) == pool


def test_a_reload_into_a_busy_port_fails_and_serves_on(served: Machine) -> None:
    served.write("/tmp/squatter.py", SQUATTER)
    served.run("systemd-run --service-type=notify -p NotifyAccess=all python3 /tmp/squatter.py")
    configure(served, "127.0.0.1:8080", "127.0.0.1:8080, 127.0.0.1:8081")
    assert served.call(f"systemctl reload {UNIT}").returncode == 1
    assert "test.jpg" in fetch(served)


def test_a_killed_worker_is_replaced(served: Machine) -> None:
    pool, since = workers(served), served.cursor()
    victim = min(pool)
    served.run(f"kill -KILL {victim}")
    assert "SIGKILL" in served.wait_for(rf"\(pid {victim}\)", UNIT, since)
    served.wait_for("is ready", UNIT, since)
    assert "test.jpg" in fetch(served)
    assert len(workers(served)) == len(pool)
    assert victim not in workers(served)
    assert shown(served, "NRestarts") == "0"


def test_a_killed_master_is_started_again(served: Machine) -> None:
    old, since = processes(served), served.cursor()
    served.run(f"systemctl kill --kill-whom=main --signal=KILL {UNIT}")
    served.wait_for("^Started forkserver", UNIT, since)
    assert "test.jpg" in fetch(served)
    assert not old & processes(served)
    assert shown(served, "NRestarts") == "1"


def test_a_hanging_master_is_noticed_by_the_watchdog(served: Machine) -> None:
    since = served.cursor()
    served.run(f"systemctl kill --kill-whom=main --signal=STOP {UNIT}")
    served.wait_for("[Ww]atchdog", UNIT, since)
    served.wait_for("^Started forkserver", UNIT, since)
    assert "test.jpg" in fetch(served)


def test_a_healthy_master_feeds_the_watchdog(served: Machine) -> None:
    told = f"systemctl show --property=WatchdogTimestampMonotonic {UNIT}"
    for _ in range(2):
        served.run(f'before=$({told}); until [ "$({told})" != "$before" ]; do :; done')
    assert shown(served, "NRestarts") == "0"


def test_a_wrong_configuration_fails_once_and_is_not_tried_again(machine: Machine) -> None:
    since = machine.cursor()
    configure(machine, "workers = auto", "workers = many")
    assert machine.call(f"systemctl start {UNIT}").returncode == 1
    assert machine.wait_for(rf"{CONFIG}:\d+: ", UNIT, since)
    assert (shown(machine, "ExecMainStatus"), shown(machine, "NRestarts")) == ("2", "0")
    assert shown(machine, "ActiveState") == "failed"


def test_a_busy_port_fails_with_the_reason(machine: Machine) -> None:
    drop_in(machine, "[Service]\nRestart=no\n")
    machine.write("/tmp/squatter.py", SQUATTER.replace("8081", "8080"))
    machine.run("systemd-run --service-type=notify -p NotifyAccess=all python3 /tmp/squatter.py")
    since = machine.cursor()
    assert machine.call(f"systemctl start {UNIT}").returncode == 1
    assert machine.wait_for("127.0.0.1:8080: in use", UNIT, since)


def test_stop_closes_the_port_and_leaves_nothing(served: Machine) -> None:
    served.run(f"systemctl stop {UNIT}")
    assert served.call(f"curl --silent {HOME}").returncode == REFUSED
    assert processes(served) == set()
    assert (shown(served, "Result"), shown(served, "ActiveState")) == ("success", "inactive")
    assert served.call("test -e /run/forkserver").returncode == 1


def test_stop_lets_a_download_finish(served: Machine) -> None:
    """It began before the stop, is slower than the kernel's buffers are large, and arrives whole."""
    large, got = "/etc/forkserver/site/large", "/tmp/got"
    served.run(f"head -c 16000000 /dev/urandom >{large}")
    download = f"curl --silent --fail --limit-rate 8M --output {got} {HOME}large"
    served.run(f"{download} & until [ -s {got} ]; do :; done; systemctl stop {UNIT}; wait $!")
    served.run(f"cmp {got} {large}")
    assert shown(served, "Result") == "success"
