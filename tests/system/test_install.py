"""install.sh: installs, upgrades, keeps what was edited, changes nothing when it fails, takes it all away."""

from __future__ import annotations

import pytest

from .machine import Machine
from .service import (
    ACCESS_LOG,
    CONFIG,
    FORKSERVER,
    HOME,
    INSTALL,
    OFFLINE,
    REFUSED,
    UNIT,
    fetch,
    install,
    processes,
)

pytestmark = pytest.mark.system


def release(machine: Machine) -> str:
    """The folder of the release in use."""
    return machine.run("readlink /opt/forkserver/current").strip()


def found(machine: Machine) -> set[str]:
    """Every file or folder of that name outside the source tree, the topmost of each."""
    places = "/etc /opt /run /srv /tmp /usr/local /var"
    return set(machine.run(f"find {places} -name '*forkserver*' -prune").split())


def test_installed_but_neither_started_nor_enabled(machine: Machine) -> None:
    assert machine.call(f"systemctl is-active {UNIT}").stdout == "inactive\n"
    assert machine.call(f"systemctl is-enabled {UNIT}").stdout == "disabled\n"
    assert machine.call(f"{FORKSERVER} check {CONFIG}").returncode == 0
    assert "forkserver" in machine.run(f"{FORKSERVER} --version")


def test_the_command_is_on_the_path_and_has_its_pages(machine: Machine) -> None:
    assert machine.run("readlink -f /usr/local/bin/forkserver") == machine.run(f"readlink -f {FORKSERVER}")
    assert machine.run("forkserver --version") == machine.run(f"{FORKSERVER} --version")
    for page in ("man1/forkserver.1", "man5/forkserver.ini.5"):
        assert machine.run(f"head -c 9 /usr/local/share/man/{page}").startswith((".", "'"))


def test_paths_in_the_installed_configuration_are_those_of_the_unit(machine: Machine) -> None:
    text = machine.run(f"cat {CONFIG}")
    assert ACCESS_LOG in text
    assert "/run/forkserver/control.sock" in text
    assert "../" not in text


def test_again_keeps_an_edited_configuration_and_pages(machine: Machine) -> None:
    shipped = machine.run(f"cat {CONFIG}")
    machine.run(f"echo '; mine' >>{CONFIG}; echo mine >/etc/forkserver/site/index.html")
    assert f"Kept your {CONFIG}" in install(machine)
    assert machine.run(f"cat {CONFIG}") == shipped + "; mine\n"
    assert machine.run(f"cat {CONFIG}.new") == shipped
    assert machine.run("cat /etc/forkserver/site/index.html") == "mine\n"


def test_an_upgrade_takes_effect_at_the_restart(served: Machine) -> None:
    """Until then the running server keeps its files; a configuration that nobody edited follows at once."""
    before = release(served)
    served.run("cp -r /source /new; echo '; new' >>/new/conf/server.ini")
    served.run("""sed -i 's/^__version__ = .*/__version__ = "99.0"/' /new/forkserver/__init__.py""")
    assert "systemctl restart forkserver" in served.run("/new/systemd/install.sh", **OFFLINE)
    assert "99.0" in served.run(f"{FORKSERVER} --version")
    assert "; new" in served.run(f"cat {CONFIG}")
    served.run(f"test {release(served)} != {before} -a -d /opt/forkserver/{before}")
    assert "test.jpg" in fetch(served)
    served.run(f"systemctl restart {UNIT}")
    assert "test.jpg" in fetch(served)


def test_the_release_in_use_and_the_one_before_are_kept(machine: Machine) -> None:
    seen = [release(machine)]
    for _ in range(2):
        install(machine)
        seen.append(release(machine))
    assert len(set(seen)) == 3
    assert set(machine.run("cd /opt/forkserver; ls -d release.*").split()) == set(seen[1:])


def test_a_failed_upgrade_changes_nothing(machine: Machine) -> None:
    before = machine.run("find /opt/forkserver /etc/forkserver /tmp")
    assert machine.call(INSTALL, PIP_NO_INDEX="1", PIP_FIND_LINKS="/nowhere").returncode == 1
    assert machine.run("find /opt/forkserver /etc/forkserver /tmp") == before


def test_a_configuration_that_the_new_version_refuses_stops_the_upgrade(machine: Machine) -> None:
    before = release(machine)
    machine.write(CONFIG, "[server]\nlisten = nonsense\n")
    done = machine.call(INSTALL, **OFFLINE)
    assert done.returncode == 1
    assert f"{CONFIG}:2: " in done.stdout
    assert "nothing was switched" in done.stdout
    assert release(machine) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--python /usr/bin/false", "older than Python 3.10"),
        ("--python /nowhere/python3", "missing"),
        ("--python", "needs a path"),
        ("--purge", "--purge goes with --uninstall"),
        ("--unknown", "Usage:"),
    ],
)
def test_a_wrong_call_says_why(machine: Machine, arguments: str, words: str) -> None:
    done = machine.call(f"{INSTALL} {arguments}")
    assert done.returncode in (1, 2)
    assert words in done.stdout


def test_only_root_may(machine: Machine) -> None:
    done = machine.call(f"runuser -u daemon -- {INSTALL}")
    assert (done.returncode, done.stdout) == (1, "install.sh: needs root\n")


def test_uninstall_leaves_configuration_and_logs(served: Machine) -> None:
    served.run(f"systemctl --quiet enable {UNIT}")
    fetch(served)
    install(served, "--uninstall")
    assert processes(served) == set()
    assert served.call(f"curl --silent {HOME}").returncode == REFUSED
    assert served.call(f"systemctl cat {UNIT}").returncode == 1
    assert found(served) == {"/etc/forkserver", "/var/lib/forkserver", "/var/log/forkserver"}
    served.run(f"test -s {ACCESS_LOG} -a -s {CONFIG}; id forkserver")


def test_purge_leaves_nothing(served: Machine) -> None:
    install(served, "--uninstall --purge")
    assert found(served) == set()
    assert "forkserver" not in served.run("cat /etc/passwd /etc/group")


def test_uninstall_twice_is_no_error(machine: Machine) -> None:
    install(machine, "--uninstall")
    assert "Removed forkserver" in install(machine, "--uninstall")
