"""Where a server listens, as a whole process."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from tests.conftest import Start
from tests.daemons import Daemon, has_ipv6

CONFIG = """
[server]
listen = {listen}
workers = 2
[/]
static = {site}
"""


def get(family: int, address: object) -> bytes:
    """The small file, from wherever."""
    with socket.socket(family) as sock:
        sock.settimeout(20)
        sock.connect(address)  # type: ignore[arg-type]  # as the family has it
        sock.sendall(b"GET /small.txt HTTP/1.0\r\n\r\n")
        return sock.makefile("rb").read()


def test_several_at_once(start: Start, site: Path, tmp_path: Path) -> None:
    listen = f"127.0.0.1:0, 127.0.0.2:0, unix:{tmp_path}/run/web.sock"
    daemon = start(CONFIG.format(site=site, listen=listen))
    first, second, third = daemon.status()["listening"]
    for name in (first, second):
        host, _, port = name.rpartition(":")
        assert get(socket.AF_INET, (host, int(port))).endswith(b"small\n")
    assert third == f"unix:{tmp_path}/run/web.sock"
    assert get(socket.AF_UNIX, f"{tmp_path}/run/web.sock").endswith(b"small\n")
    assert daemon.output.wait_for(r'^unix .*"GET /small.txt HTTP/1.0" 200 6 ')
    assert daemon.stop() == 0
    assert not (tmp_path / "run" / "web.sock").exists()


def test_ipv6_or_a_clear_word(make: Start, site: Path) -> None:
    daemon = make(CONFIG.format(site=site, listen="[::1]:0"))
    if has_ipv6():
        daemon.start()
        assert get(socket.AF_INET6, ("::1", daemon.port)).endswith(b"small\n")
    else:
        daemon.begin()
        assert daemon.errors.wait_for(r"cannot start: cannot listen on \[::1\]:0: this machine does not")
        assert daemon.wait() == 1


def test_ipv4_and_ipv6_side_by_side_on_one_port(make: Start, site: Path) -> None:
    """The IPv6 listener takes IPv6 alone (v6only)."""
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    daemon = make(CONFIG.format(site=site, listen=f":{port}"))
    daemon.start()
    assert get(socket.AF_INET, ("127.0.0.1", port)).endswith(b"small\n")
    expected = [f"0.0.0.0:{port}", f"[::]:{port}"] if has_ipv6() else [f"0.0.0.0:{port}"]
    assert daemon.status()["listening"] == expected
    if has_ipv6():
        assert get(socket.AF_INET6, ("::1", port)).endswith(b"small\n")


def test_the_socket_file_of_a_dead_server_is_cleared(start: Start, site: Path, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    start(CONFIG.format(site=site, listen=f"unix:{path}"))
    assert get(socket.AF_UNIX, str(path)).endswith(b"small\n")


def test_a_live_socket_is_refused(start: Start, make: Start, site: Path, tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    start(CONFIG.format(site=site, listen=f"unix:{path}"))
    second = make(CONFIG.format(site=site, listen=f"unix:{path}"))
    second.begin()
    assert second.wait() == 1
    assert f"cannot start: cannot listen on unix:{path}: in use by another program" in second.errors.rest()
    assert get(socket.AF_UNIX, str(path)).endswith(b"small\n")


def test_a_port_in_use_at_the_start(make: Start, site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        daemon = make(CONFIG.format(site=site, listen=f"127.0.0.1:{port}"))
        daemon.begin()
        assert daemon.wait() == 1
    told = daemon.errors.rest()
    assert re.search(rf"\[error\] .*cannot start: cannot listen on 127.0.0.1:{port}: in use by another program", told)
    assert "Traceback" not in told
    assert daemon.left() == []
    assert not (daemon.folder / "control.sock").exists()


def pass_in(daemon: Daemon, *sockets: socket.socket, names: str) -> Daemon:
    """Start as a service manager would: the sockets from descriptor 3 on, the variables for this very process."""
    moves = " ".join(f"{3 + index}<&{sock.fileno()}" for index, sock in enumerate(sockets))
    script = f'exec {moves}; export LISTEN_FDS={len(sockets)} LISTEN_FDNAMES={names} LISTEN_PID=$$; exec "$@"'
    return daemon.start(before=["bash", "-c", script, "bash"], pass_fds=[sock.fileno() for sock in sockets])


def test_sockets_of_a_service_manager(make: Start, site: Path) -> None:
    one, two = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    ports = [one.getsockname()[1], two.getsockname()[1]]
    with one, two:
        daemon = pass_in(make(CONFIG.format(site=site, listen="systemd:web, systemd:api")), one, two, names="api:web")
        assert daemon.status()["listening"] == [f"127.0.0.1:{port}" for port in reversed(ports)]
        for port in ports:
            assert get(socket.AF_INET, ("127.0.0.1", port)).endswith(b"small\n")
        daemon.write(CONFIG.format(site=site, listen="systemd:web"))
        assert daemon.reload()["ok"]
        daemon.write(CONFIG.format(site=site, listen="systemd:api"))
        assert daemon.reload()["ok"]  # what was given up comes back
        assert get(socket.AF_INET, ("127.0.0.1", ports[0])).endswith(b"small\n")
        assert daemon.stop() == 0
        one.settimeout(20)
        with socket.create_connection(("127.0.0.1", ports[0])):  # it is still the manager's
            one.accept()[0].close()


def test_a_name_that_was_not_passed(make: Start, site: Path) -> None:
    daemon = make(CONFIG.format(site=site, listen="systemd:web"))
    daemon.begin()
    assert daemon.wait() == 1
    assert (
        "cannot listen on systemd:web: no socket of that name was passed in (LISTEN_FDNAMES: none)"
        in daemon.errors.rest()
    )


def test_a_second_server_with_the_same_control_socket(start: Start, site: Path) -> None:
    daemon = start(CONFIG.format(site=site, listen="127.0.0.1:0"))
    told = daemon.command("run")
    assert told.returncode == 1
    assert told.stderr == (
        f"forkserver: cannot start: {daemon.folder}/control.sock: control socket in use by another program\n"
    )
    assert daemon.get("/small.txt").status == 200
    assert daemon.status()["ok"]


def test_the_control_socket_of_a_dead_server_is_cleared(make: Start, site: Path) -> None:
    daemon = make(CONFIG.format(site=site, listen="127.0.0.1:0"))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{daemon.folder}/control.sock")
    daemon.start()
    assert daemon.get("/small.txt").status == 200
    assert os.stat(f"{daemon.folder}/control.sock").st_mode & 0o777 == 0o600
