"""The pid file is believed while its lock is held, and no longer."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forkserver.process import forking
from forkserver.process.pidfile import PidFile, PidFileLocked


@contextlib.contextmanager
def child(act: Callable[[], object]) -> Iterator[int]:
    """A child that has done something and then holds still until it is killed; its pid."""
    reader, writer = os.pipe()
    until, hold = os.pipe()

    def main() -> None:
        os.close(hold)
        act()
        os.write(writer, b"!")
        os.read(until, 1)

    pid = forking.fork("child", main)
    os.close(writer)
    assert os.read(reader, 1) == b"!"
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for descriptor in (reader, until, hold):
            os.close(descriptor)


def test_it_holds_our_pid_and_goes_with_us(tmp_path: Path) -> None:
    path = tmp_path / "run" / "server.pid"
    with PidFile(str(path)) as held:
        assert path.read_text() == f"{os.getpid()}\n"
        assert not os.get_inheritable(held.descriptor)
    assert not path.exists()
    assert held.descriptor == -1


def test_a_living_holder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "server.pid"
    with child(lambda: PidFile(str(path)).__enter__()) as pid:
        with (
            pytest.raises(PidFileLocked, match=f"server.pid is held by process {pid}: already running"),
            PidFile(str(path)),
        ):
            pass
        assert path.read_text() == f"{pid}\n"


def test_a_stale_file_is_taken_over(tmp_path: Path) -> None:
    """Killed, its holder could not remove it; even a longer pid leaves no rest behind."""
    path = tmp_path / "server.pid"
    with child(lambda: PidFile(str(path)).__enter__()):
        pass
    assert path.exists()
    path.write_text("123456789012\n")
    with PidFile(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_file_of_a_living_process_that_holds_no_lock_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "server.pid"
    path.write_text(f"{os.getppid()}\n")
    with PidFile(str(path)):
        assert path.read_text() == f"{os.getpid()}\n"


def test_children_do_not_inherit_the_lock_and_letting_go_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "server.pid"
    held = PidFile(str(path))
    held.__enter__()

    def refused() -> None:
        with pytest.raises(PidFileLocked):
            PidFile(str(path)).__enter__()

    with child(held.let_go):
        assert path.exists()
        with child(refused):
            pass  # a child of ours that wants it is refused
        held.__exit__(None, None, None)
        with PidFile(str(path)):  # while the first child still lives
            assert path.exists()


def test_a_file_that_was_exchanged_under_us_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder unlinked it between our opening and our locking."""
    path = tmp_path / "server.pid"
    path.write_text("1\n")
    real = os.open
    opened: list[int] = []

    def race(name: str, *more: int) -> int:
        descriptor = real(name, *more)
        if not opened:
            path.unlink()
        opened.append(descriptor)
        return descriptor

    monkeypatch.setattr(os, "open", race)
    with PidFile(str(path)) as held:
        assert len(opened) == 2
        assert os.path.samestat(os.fstat(held.descriptor), path.stat())


def test_what_was_tidied_up_already_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "server.pid"
    with PidFile(str(path)):
        path.unlink()
    assert not path.exists()


def test_what_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "server.pid").mkdir()
    with pytest.raises(IsADirectoryError), PidFile(str(tmp_path / "server.pid")):
        pass
