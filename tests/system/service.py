"""What the tests do with the service, in their own words."""

from __future__ import annotations

import json

from .machine import Machine

UNIT = "forkserver.service"
CONFIG = "/etc/forkserver/server.ini"
FORKSERVER = "/opt/forkserver/bin/forkserver"
SHIPPED = "/opt/forkserver/current/shipped"
DROP_IN = "/etc/systemd/system/forkserver.service.d"
ACCESS_LOG = "/var/log/forkserver/access.log"
HOME = "http://127.0.0.1:8080/"
INSTALL = "/source/systemd/install.sh"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
REFUSED = 7  # curl(1): failed to connect


def install(machine: Machine, arguments: str = "") -> str:
    """Run install.sh without a network; what it said."""
    return machine.run(f"{INSTALL} {arguments}", **OFFLINE)


def fetch(machine: Machine, url: str = HOME) -> str:
    """The body of a reply with a good status."""
    return machine.run(f"curl --silent --show-error --fail --max-time 10 '{url}'")


def shown(machine: Machine, name: str) -> str:
    """A property of the unit, as `systemctl show` has it."""
    return machine.run(f"systemctl show --property={name} --value {UNIT}").strip()


def status_says(machine: Machine, words: str) -> None:
    """Wait until the unit's STATUS= has these words: it follows within a second."""
    machine.run(f"until systemctl show --property=StatusText {UNIT} | grep --quiet '{words}'; do :; done")


def workers(machine: Machine) -> set[int]:
    """Process ids of the workers."""
    status = json.loads(machine.run(f"{FORKSERVER} status {CONFIG} --json"))
    return {worker["pid"] for worker in status["workers"]}


def processes(machine: Machine) -> set[int]:
    """Process ids of all that runs as the service's user."""
    return set(map(int, machine.call("pgrep --uid forkserver").stdout.split()))


def configure(machine: Machine, old: str, new: str) -> None:
    """Edit the configuration: replace a piece that is there."""
    text = machine.run(f"cat {CONFIG}")
    assert old in text
    machine.write(CONFIG, text.replace(old, new))


def drop_in(machine: Machine, text: str) -> None:
    """Change the unit as an administrator does."""
    machine.write(f"{DROP_IN}/test.conf", text)
    machine.run("systemctl daemon-reload")
