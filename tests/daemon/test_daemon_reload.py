"""A reload is a transaction: all of it or nothing."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.daemon.test_daemon_deaths import config
from tests.daemons import PATIENCE, Daemon, children_of, descriptors


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's socket; its path is `tmp_path / "notify"`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(PATIENCE)
        yield sock


def hear(ear: socket.socket, *wanted: str) -> None:
    """Wait for these notifications, in this order, some perhaps in one datagram; others may come between."""
    assert wanted
    rest = ""
    for words in wanted:
        while words not in rest:
            rest = ear.recv(65536).decode()
            assert rest
        rest = rest.partition(words)[2]


def listening(pid: int) -> set[str]:
    """The listening TCP sockets of a process, by inode."""
    held = {leads_to[8:-1] for leads_to in descriptors(pid).values() if leads_to.startswith("socket:[")}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == "0A"} & held


def test_what_is_new_holds_when_the_command_returns(start: Start, site: Path, tmp_path: Path) -> None:
    daemon = start(config(site))
    daemon.settled(2)
    before, sockets = daemon.holdings(), listening(daemon.process.pid)
    other = tmp_path / "other"
    other.mkdir()
    (other / "small.txt").write_text("another small\n")
    daemon.write(config(other))
    told = daemon.command("reload")
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    for _ in range(8):  # whichever worker answers
        assert daemon.get("/small.txt").body == b"another small\n"
    status = daemon.status()
    assert (status["generation"], status["reloads"], status["last_refusal"]) == (2, 1, "")
    assert [worker["generation"] for worker in status["workers"] if worker["state"] == "ready"] == [2, 2]
    assert listening(daemon.process.pid) == sockets  # the very same socket
    daemon.errors.wait_for_count(r"exited with 0", 2)
    assert daemon.holdings() == before


def broken_option(site: Path, tmp_path: Path) -> tuple[str, str]:
    return config(site).replace(
        "workers = 2", "workres = 2"
    ), r"server.ini:5: \[server\] workres: .*did you mean workers"


def missing_folder(site: Path, tmp_path: Path) -> tuple[str, str]:
    return config(site) + f"[/gone]\nstatic = {tmp_path}/gone\n", r"server.ini:\d+: \[/gone\] static: .*gone"


def refusing(site: Path, tmp_path: Path) -> tuple[str, str]:
    return config(site) + "[/r]\nbad = refuse\n", r"server.ini:\d+: \[/r\] asked to refuse"


def raising(site: Path, tmp_path: Path) -> tuple[str, str]:
    return config(site) + "[/r]\nbad = raise\n", r"RuntimeError: asked to raise while loading"


def dying(site: Path, tmp_path: Path) -> tuple[str, str]:
    return config(site) + "[/r]\nbad = die\n", r"the process that loads the applications was killed by SIGKILL"


def no_log(site: Path, tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "file").write_text("")
    return config(site) + f"[log]\naccess = {tmp_path}/file/access.log\n", r"cannot write the log .*file"


def missing_gift(site: Path, tmp_path: Path) -> tuple[str, str]:
    text = config(site).replace("127.0.0.1:0", "127.0.0.1:0, systemd:web")
    return text, "cannot listen on systemd:web: no socket of that name was passed in"


@pytest.mark.parametrize(
    "wrong",
    [broken_option, missing_folder, refusing, raising, dying, no_log, missing_gift],
    ids=lambda made: made.__name__,
)
def test_whatever_is_wrong_the_old_generation_serves_on(
    start: Start, site: Path, tmp_path: Path, ear: socket.socket, wrong: Any
) -> None:
    daemon = start(config(site), NOTIFY_SOCKET=str(tmp_path / "notify"))
    workers = daemon.settled(2)
    hear(ear, "READY=1", "STATUS=2 workers")
    before = daemon.holdings()
    text, reason = wrong(site, tmp_path)
    daemon.write(text)
    told = daemon.typed("reload")
    assert told.returncode == 1
    assert told.stderr.startswith("forkserver: reload refused: ")
    assert daemon.errors.wait_for(r"\[error\] .*reload refused: ")
    hear(ear, "RELOADING=1\nMONOTONIC_USEC=", "READY=1", "the last reload was refused: ")
    for found in (told.stderr, daemon.status()["last_refusal"], daemon.typed("status").stdout):
        assert re.search(reason, found)
    assert daemon.get("/small.txt").status == 200
    assert sorted(daemon.workers()) == sorted(workers)
    assert daemon.status()["generation"] == 1
    daemon.write(config(site))
    assert daemon.reload() == {"ok": True, "generation": 2}
    assert daemon.status()["last_refusal"] == ""
    daemon.settled(4)
    for pid in workers:
        daemon.errors.wait_for_count(rf"\(pid {pid}\) exited with 0", 1)
    assert daemon.holdings() == before
    assert "Z" not in children_of(daemon.process.pid).values()


def test_a_port_in_use_is_refused_and_nothing_else_is_taken(start: Start, site: Path, tmp_path: Path) -> None:
    daemon = start(config(site))
    daemon.settled(2)
    before = daemon.holdings()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        daemon.write(config(site).replace("127.0.0.1:0", f"unix:{tmp_path}/new.sock, 127.0.0.1:{port}"))
        told = daemon.typed("reload")
        assert (told.returncode, told.stderr) == (
            1,
            f"forkserver: reload refused: cannot listen on 127.0.0.1:{port}: in use by another program\n",
        )
    assert not (tmp_path / "new.sock").exists()
    assert daemon.get("/small.txt").status == 200
    assert daemon.holdings() == before
    assert daemon.reload()["ok"]  # now the port is free
    assert daemon.errors.wait_for(rf"generation 2 serves at unix:.*new.sock, 127.0.0.1:{port} ")


def test_listeners_are_kept_opened_and_closed(start: Start, site: Path, tmp_path: Path) -> None:
    daemon = start(config(site).replace("127.0.0.1:0", f"127.0.0.1:0, unix:{tmp_path}/one.sock"))
    daemon.settled(2)
    kept = listening(daemon.process.pid)
    daemon.write(config(site).replace("127.0.0.1:0", f"unix:{tmp_path}/two.sock, 127.0.0.1:0"))
    assert daemon.reload()["ok"]
    assert listening(daemon.process.pid) == kept
    assert daemon.get("/small.txt").status == 200
    assert sorted(path.name for path in tmp_path.glob("*.sock")) == ["two.sock"]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(tmp_path / "two.sock"))
        sock.sendall(b"GET /small.txt HTTP/1.0\r\n\r\n")
        assert sock.makefile("rb").read().endswith(b"small\n")
    daemon.write(config(site).replace("127.0.0.1:0", f"unix:{tmp_path}/two.sock"))
    assert daemon.reload()["ok"]
    with pytest.raises(ConnectionRefusedError):
        daemon.connect()
    assert daemon.stop() == 0
    assert list(tmp_path.glob("*.sock")) == []


def test_logs_may_go_elsewhere(start: Start, site: Path, tmp_path: Path) -> None:
    log = "[log]\naccess = {}/{}/access.log\nerror = {}\nlevel = {}\n"
    daemon = start(config(site))
    daemon.settled(2)
    before = daemon.holdings()
    daemon.write(config(site) + log.format(tmp_path, "a", f"{tmp_path}/error.log", "debug"))
    assert daemon.reload()["ok"]
    assert daemon.get("/small.txt").status == 200
    assert daemon.reload()["ok"]  # the workers write their lines before they leave
    assert "generation 2 serves" in (tmp_path / "error.log").read_text()
    daemon.write(config(site) + log.format(tmp_path, "b", "none", "info").replace(f"{tmp_path}/b/access.log", "none"))
    assert daemon.reload()["ok"]
    assert daemon.get("/small.txt").status == 200
    daemon.write(config(site))
    assert daemon.reload()["ok"]
    assert '"GET /small.txt HTTP/1.1" 200 6 ' in (tmp_path / "a" / "access.log").read_text()
    assert daemon.errors.wait_for("generation 5 serves")
    daemon.errors.wait_for_count(r"exited with 0", 2)
    assert daemon.holdings() == before


def test_the_number_of_workers_may_change(start: Start, site: Path) -> None:
    daemon = start(config(site, workers=1))
    daemon.settled(1)
    daemon.write(config(site, workers=4))
    assert daemon.reload()["ok"]
    assert len(daemon.workers()) == 4
    daemon.write(config(site, workers=2))
    assert daemon.reload()["ok"]
    assert len(daemon.workers()) == 2


def ask_all(daemon: Daemon, count: int) -> list[dict[str, Any]]:
    """Ask for a reload so many times at once."""
    answers: list[dict[str, Any]] = []
    asking = [threading.Thread(target=lambda: answers.append(daemon.reload())) for _ in range(count)]
    for one in asking:
        one.start()
    for one in asking:
        one.join(3 * PATIENCE)
    return answers


def test_reloads_asked_at_once_are_all_answered(start: Start, site: Path) -> None:
    daemon = start(config(site))
    answers = ask_all(daemon, 5)
    assert [answer["ok"] for answer in answers] == [True] * 5
    generations = {answer["generation"] for answer in answers}
    assert generations == {2, 3} or generations == {2}
    assert daemon.status()["generation"] == max(generations)


def test_a_reload_asked_while_another_one_loads_sees_the_latest_file(start: Start, site: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    daemon = start(config(site))
    daemon.settled(2)
    daemon.write(config(site) + f"[/new]\nbad = wait {tmp_path}/fifo\n")
    answers: list[dict[str, Any]] = []
    first = threading.Thread(target=lambda: answers.append(daemon.reload()))
    first.start()
    daemon.errors.wait_for("^loading$")
    assert daemon.get("/new").status == 404  # nothing has changed yet
    daemon.write(config(site) + "[/newer]\nbad = yes\n")
    second = threading.Thread(target=lambda: answers.append(daemon.reload()))
    second.start()
    assert daemon.status()["generation"] == 1
    (tmp_path / "fifo").write_text("now")
    first.join(PATIENCE)
    second.join(PATIENCE)
    assert sorted(answer["generation"] for answer in answers) == [2, 3]
    assert [daemon.get("/newer").status, daemon.get("/new").status] == [200, 404]


def test_a_worker_killed_while_a_reload_loads_is_replaced(start: Start, site: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    daemon = start(config(site, workers=1))
    (worker,) = daemon.settled(1)
    assert daemon.get("/small.txt").status == 200
    daemon.write(config(site, workers=1) + f"[/new]\nbad = wait {tmp_path}/fifo\n")
    asking = threading.Thread(target=daemon.reload)
    asking.start()
    daemon.errors.wait_for("^loading$")
    os.kill(worker, 9)
    daemon.settled(2)
    assert daemon.get("/small.txt").status == 200
    (tmp_path / "fifo").write_text("now")
    asking.join(PATIENCE)
    assert daemon.get("/new").status == 200


def test_a_stop_ends_a_reload_under_way(start: Start, site: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    daemon = start(config(site))
    daemon.settled(2)
    daemon.write(config(site) + f"[/new]\nbad = wait {tmp_path}/fifo\n")
    answers: list[dict[str, Any]] = []
    asking = [threading.Thread(target=lambda: answers.append(daemon.reload())) for _ in range(2)]
    asking[0].start()
    daemon.errors.wait_for("^loading$")
    asking[1].start()
    assert daemon.status()["ok"]
    while len(waiting_clients(daemon)) < 2:
        assert daemon.status()["ok"]
    assert daemon.stop() == 0
    for one in asking:
        one.join(PATIENCE)
    assert answers == [{"ok": False, "why": "the server is stopping"}] * 2


def waiting_clients(daemon: Daemon) -> list[str]:
    """The connections to the control socket that the master holds."""
    path = str(daemon.folder / "control.sock")
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    inodes = {f"socket:[{row[6]}]" for row in rows if row[-1] == path and row[5] == "03"}
    return [leads_to for leads_to in descriptors(daemon.process.pid).values() if leads_to in inodes]


def test_a_reload_tells_the_service_manager(start: Start, site: Path, tmp_path: Path, ear: socket.socket) -> None:
    daemon = start(config(site), NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1000000")
    hear(ear, "READY=1", "WATCHDOG=1", "STATUS=2 workers, 0 connections, 0 requests/s")
    assert daemon.reload()["ok"]
    hear(ear, "RELOADING=1\nMONOTONIC_USEC=", "READY=1", "WATCHDOG=1")
    assert daemon.stop() == 0
    hear(ear, "STOPPING=1", "STATUS=stopping")


def test_nobody_holds_more_than_it_needs(start: Start, site: Path, tmp_path: Path, ear: socket.socket) -> None:
    daemon = start(config(site, workers=1), NOTIFY_SOCKET=str(tmp_path / "notify"))
    (worker,) = daemon.settled(1)
    hear(ear, "READY=1")
    (mold,) = children_of(daemon.process.pid).keys() - {worker}
    ours, others, master = (descriptors(pid) for pid in (worker, mold, daemon.process.pid))
    assert len(ours) <= 12, ours
    assert len(others) <= 5 + 4, others  # four are for a worker that it may be forking
    assert len(master) <= 18, master
