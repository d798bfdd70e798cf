"""Listening sockets: opened, adopted, kept and closed."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from forkserver.config.addresses import Address, addresses
from forkserver.process.sockets import CannotListen, Listener, inherited, open_listeners, open_unix
from tests.daemons import has_ipv6
from tests.typed import ROOT

BACKLOG = 16


@contextmanager
def listening(text: str, folder: str = "/", **more: object) -> Iterator[list[Listener]]:
    listeners = open_listeners(addresses(text, folder), BACKLOG, **more)  # type: ignore[arg-type]  # by name
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


def accepts(listener: Listener) -> bool:
    """Whether a connection gets through."""
    with socket.socket(listener.socket.family) as client:
        client.connect(listener.socket.getsockname())
        listener.socket.setblocking(True)
        accepted, _ = listener.socket.accept()
        with accepted:
            accepted.sendall(b"!")
            return client.recv(1) == b"!"


def test_ipv4_on_a_port_of_the_kernels_choice() -> None:
    with listening("127.0.0.1:0") as (listener,):
        port = listener.socket.getsockname()[1]
        assert port > 0
        assert listener.name == f"127.0.0.1:{port}"
        assert not os.get_blocking(listener.socket.fileno())
        assert not listener.socket.get_inheritable()
        assert listener.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert accepts(listener)


def test_ipv6_alone_or_a_clear_word() -> None:
    if not has_ipv6():
        with pytest.raises(CannotListen, match=r"^\[::1\]:0: this machine does not"):
            open_listeners(addresses("[::1]:0", "/"), BACKLOG)
        return
    with listening("[::1]:0") as (listener,):
        assert listener.name == f"[::1]:{listener.socket.getsockname()[1]}"
        assert listener.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        assert accepts(listener)


def test_every_address_of_the_machine() -> None:
    with listening(":0") as listeners:
        families = [listener.socket.family for listener in listeners]
        assert families[0] == socket.AF_INET
        assert families[1:] in ([], [socket.AF_INET6])


def test_an_optional_address_that_the_machine_lacks_is_left_out() -> None:
    lacking = Address("[2001:db8::1]:0", "tcp6", host="2001:db8::1", optional=True)
    assert open_listeners([lacking], BACKLOG) == []
    with pytest.raises(CannotListen, match="this machine does not"):
        open_listeners([Address("[2001:db8::1]:0", "tcp6", host="2001:db8::1")], BACKLOG)


def test_a_port_in_use_is_named() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotListen, match=f"^127.0.0.1:{port}: in use by another program$"):
            open_listeners(addresses(f"127.0.0.1:{port}", "/"), BACKLOG)


def test_all_or_nothing(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        before = sorted(os.listdir("/proc/self/fd"))
        with pytest.raises(CannotListen):
            open_listeners(addresses(f"unix:{tmp_path}/a.sock, 127.0.0.1:0, 127.0.0.1:{port}", "/"), BACKLOG)
        assert sorted(os.listdir("/proc/self/fd")) == before
        assert not (tmp_path / "a.sock").exists()


def test_kept_listeners_stay_what_they_are(tmp_path: Path) -> None:
    with listening(f"127.0.0.1:0, unix:{tmp_path}/a.sock") as old:
        fresh = open_listeners(addresses(f"unix:{tmp_path}/a.sock, 127.0.0.1:0, unix:{tmp_path}/b.sock", "/"), 99, old)
        assert fresh[0] is old[1]
        assert fresh[1] is old[0]
        assert fresh[2] not in old
        assert accepts(fresh[0])
        fresh[2].close()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.sock"]


def test_a_kept_listener_may_be_spoken_to_otherwise(tmp_path: Path) -> None:
    with listening(f"127.0.0.1:0, unix:{tmp_path}/a.sock") as old:
        fresh = open_listeners(addresses(f"127.0.0.1:0 proxy, unix:{tmp_path}/a.sock proxy", "/"), BACKLOG, old)
        assert [listener.address.proxy for listener in fresh] == [True, True]
        assert [listener.socket for listener in fresh] == [listener.socket for listener in old]
        assert [listener.inode for listener in fresh] == [listener.inode for listener in old]


def test_a_failure_leaves_kept_listeners_open(tmp_path: Path) -> None:
    with listening(f"unix:{tmp_path}/a.sock") as old:
        (tmp_path / "file").write_text("")
        with pytest.raises(CannotListen):
            open_listeners(addresses(f"unix:{tmp_path}/a.sock, unix:{tmp_path}/file", "/"), BACKLOG, old)
        assert accepts(old[0])


def test_a_unix_socket_is_made_with_its_folder_and_goes_with_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "made" / "web.sock"
    with listening(f"unix:{path}") as (listener,):
        assert listener.name == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert accepts(listener)
    assert not path.exists()


def test_a_control_socket_is_for_its_owner_from_its_first_moment(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    before = os.umask(0)
    try:
        with open_unix(str(path), 0o600, BACKLOG):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.umask(0) == 0
    finally:
        os.umask(before)


def test_a_stale_socket_file_is_cleared(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    dead = open_unix(str(path), 0o600, BACKLOG)
    dead.close()
    assert path.exists()
    with listening(f"unix:{path}") as (listener,):
        assert accepts(listener)


def test_a_live_socket_is_refused_and_unharmed(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    with listening(f"unix:{path}") as (live,):
        with pytest.raises(CannotListen, match=r"web\.sock: in use by another program"):
            open_listeners(addresses(f"unix:{path}", "/"), BACKLOG)
        live.socket.setblocking(True)
        live.socket.accept()[0].close()  # the one that asked whether somebody lives here
        assert accepts(live)


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_socket_is_never_removed(tmp_path: Path, make: object) -> None:
    path = tmp_path / "web.sock"
    make(path)  # type: ignore[operator]  # one of three ways to make something
    with pytest.raises(CannotListen, match="is there already and is no socket"):
        open_listeners(addresses(f"unix:{path}", "/"), BACKLOG)
    assert os.path.lexists(path)


def test_a_file_of_somebody_else_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    (listener,) = open_listeners(addresses(f"unix:{path}", "/"), BACKLOG)
    path.rename(tmp_path / "moved")
    with open_unix(str(path), 0o600, BACKLOG):
        listener.close()
        assert path.exists()


def test_a_file_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    (listener,) = open_listeners(addresses(f"unix:{tmp_path}/sub/web.sock", "/"), BACKLOG)
    (tmp_path / "sub" / "web.sock").unlink()
    (tmp_path / "sub").rmdir()
    (tmp_path / "sub").write_text("now a file")  # ENOTDIR
    listener.close()
    assert listener.socket.fileno() == -1


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotListen, match=r"web\.sock: (Not a directory|File exists)"):
        open_listeners(addresses(f"unix:{tmp_path}/file/web.sock", "/"), BACKLOG)


def test_gifts_are_adopted_by_name_and_outlive_their_listener() -> None:
    gift = socket.create_server(("127.0.0.1", 0))
    with gift, listening("systemd:web", gifts={"web": [gift]}) as (listener,):
        assert listener.name == f"127.0.0.1:{gift.getsockname()[1]}"
        assert not os.get_blocking(listener.socket.fileno())
        assert accepts(listener)
        listener.close()
        with listening("systemd:web", gifts={"web": [gift]}) as (again,):  # a later configuration wants it back
            assert accepts(again)


def test_several_gifts_of_one_name_are_all_adopted() -> None:
    one, two = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    with one, two, listening("systemd:web", gifts={"web": [one, two]}) as listeners:
        assert [accepts(listener) for listener in listeners] == [True, True]


def test_a_gift_that_was_not_given_is_refused() -> None:
    words = r"systemd:web: no socket of that name was passed in .*: api, www\)"
    with socket.create_server(("127.0.0.1", 0)) as gift, pytest.raises(CannotListen, match=words):
        open_listeners(addresses("systemd:web", "/"), BACKLOG, gifts={"www": [gift], "api": [gift]})
    with pytest.raises(CannotListen, match=r"LISTEN_FDNAMES: none"):
        open_listeners(addresses("systemd:web", "/"), BACKLOG)


PASSED = """
import os, sys
sys.path.insert(0, {root!r})
from forkserver.process.sockets import inherited
environ = {{"LISTEN_PID": {pid}, "LISTEN_FDS": {fds!r}, **{names!r}}}
found = inherited(environ)
assert environ == {{}}, environ
for name, given in sorted(found.items()):
    print(name, *(one.getsockname()[1] for one in given), *(one.get_inheritable() for one in given))
"""


def passed(pid: str, fds: str, **names: str) -> tuple[list[str], int]:
    """What a fresh process makes of two sockets on descriptors 3 and 4."""
    one, two = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    with one, two:
        ports = [one.getsockname()[1], two.getsockname()[1]]
        script = PASSED.format(root=str(ROOT), pid=pid, fds=fds, names=names)
        shell = f'exec 3<&{one.fileno()} 4<&{two.fileno()}; exec "$0" -c "$1"'
        done = subprocess.run(
            ["bash", "-c", shell, sys.executable, script],
            pass_fds=[one.fileno(), two.fileno()],
            capture_output=True,
            text=True,
            check=False,
        )
    lines = done.stdout
    for number, port in enumerate(ports):
        lines = lines.replace(str(port), f"port{number}")
    return (lines or done.stderr).splitlines(), done.returncode


def test_sockets_are_inherited_by_name() -> None:
    assert passed("str(os.getpid())", "2", LISTEN_FDNAMES="web:api") == (
        ["api port1 False", "web port0 False"],
        0,
    )


def test_sockets_of_one_name_stay_together() -> None:
    assert passed("str(os.getpid())", "2", LISTEN_FDNAMES="web:web") == (["web port0 port1 False False"], 0)


def test_without_names_they_are_unknown() -> None:
    assert passed("str(os.getpid())", "2") == (["unknown port0 port1 False False"], 0)
    assert passed("str(os.getpid())", "2", LISTEN_FDNAMES="web") == (["unknown port1 False", "web port0 False"], 0)


@pytest.mark.parametrize(
    ("pid", "fds"), [("'1'", "2"), ("''", "2"), ("str(os.getpid())", ""), ("str(os.getpid())", "-1")]
)
def test_what_is_meant_for_others_is_left_alone(pid: str, fds: str) -> None:
    assert passed(pid, fds, LISTEN_FDNAMES="web:api") == ([], 0)


def test_a_number_without_a_socket_is_an_error() -> None:
    lines, code = passed("str(os.getpid())", "200")
    assert code == 1
    assert "OSError" in lines[-1]


def test_nothing_in_the_environment_means_nothing() -> None:
    assert inherited({}) == {}


def test_an_error_without_a_hint_says_what_the_system_says(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match=os.strerror(errno.ENAMETOOLONG) + "|too long"):
        open_listeners([Address("unix:x", "unix", path=str(tmp_path / ("x" * 200)))], BACKLOG)
