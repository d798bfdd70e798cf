"""Real forkservers for tests: started on a port of the kernel's choice, spoken to over sockets, ended by pid.

Nothing here sleeps: a test waits for a line of the server's log, for bytes on a socket or for the end of a process.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import re
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from forkserver.process.control import ControlClient, NotRunning
from tests.typed import LASTING, LAUNCH, ROOT, Typed, forkserver, typed

PATIENCE = 20.0  # seconds that anything may take on a busy machine before it counts as never


class Lines:
    """The lines of a stream as they come, so that a test can wait for one."""

    def __init__(self, stream: IO[str]) -> None:
        self.seen: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._new.put(line.rstrip("\n"))
        self._new.put(None)

    def wait_for(self, pattern: str, patience: float = PATIENCE) -> re.Match[str]:
        """The first match in a line that no earlier wait has gone past; fails when the stream ends without one."""
        limit = time.monotonic() + patience
        while True:
            try:
                line = self._new.get(timeout=max(0.0, limit - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line like {pattern!r}; seen:\n{self.text}") from None
            if line is None:
                self._new.put(None)
                raise AssertionError(f"the stream ended without a line like {pattern!r}; seen:\n{self.text}")
            self.seen.append(line)
            if found := re.search(pattern, line):
                return found

    def wait_for_count(self, pattern: str, count: int) -> list[re.Match[str]]:
        """All matches there are, once there are so many; those in lines that earlier waits went past count, too."""
        while len(found := [match for line in self.seen if (match := re.search(pattern, line))]) < count:
            self.wait_for(pattern)
        return found

    def rest(self) -> str:
        """Everything up to the end of the stream, and what was seen before."""
        while (line := self._new.get(timeout=PATIENCE)) is not None:
            self.seen.append(line)
        self._new.put(None)
        return self.text

    @property
    def text(self) -> str:
        return "\n".join(self.seen)


@dataclass
class Answer:
    """One response, read whole."""

    status: int
    fields: dict[str, str]  # lower-case names
    body: bytes


@dataclass
class Daemon:
    """A running `forkserver run`, and the folder it lives in.

    `config` is the text of its file without the control socket, which is added; the first listener is at `port`.
    """

    folder: Path
    config: str
    environ: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] = field(init=False)
    errors: Lines = field(init=False)
    output: Lines = field(init=False)
    port: int = field(init=False, default=0)

    @property
    def file(self) -> Path:
        return self.folder / "server.ini"

    def write(self, config: str) -> None:
        """Put another configuration in place, whole."""
        self.config = config
        fresh = self.folder / "server.ini.new"
        fresh.write_text(config.replace("[server]", f"[server]\ncontrol = {self.folder}/control.sock", 1))
        fresh.replace(self.file)

    def begin(self, *words: str, before: Sequence[str] = (), pass_fds: Sequence[int] = ()) -> None:
        """Start the process; does not wait for anything.

        `words` are the command, `run` with our file when there are none; `before` is what executes it, such as `env`.
        """
        self.write(self.config)
        self.process = subprocess.Popen(
            [*before, *LAUNCH, *(words or ("run", str(self.file)))],
            cwd=ROOT,
            env={**os.environ, **self.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            pass_fds=pass_fds,
        )
        assert self.process.stdout
        assert self.process.stderr
        self.errors, self.output = Lines(self.process.stderr), Lines(self.process.stdout)

    def start(self, *words: str, before: Sequence[str] = (), pass_fds: Sequence[int] = ()) -> Daemon:
        """Start, and wait until it serves; the error log must be stderr, as by default."""
        self.begin(*words, before=before, pass_fds=pass_fds)
        where = self.errors.wait_for(r"generation \d+ serves at (\S+?),? ")[1]
        self.port = int(where.rpartition(":")[2]) if not where.startswith("unix:") else 0
        return self

    def connect(self, timeout: float = PATIENCE) -> socket.socket:
        """A connection to the first listener."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def get(self, path: str = "/", method: str = "GET", body: bytes | None = None, **fields: str) -> Answer:
        """One request on a connection of its own; underscores in names of fields stand for dashes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            named = {name.replace("_", "-"): value for name, value in fields.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def say(self, raw: bytes, *, shut: bool = False) -> bytes:
        """Send bytes on a connection of its own; all that comes back until the server closes."""
        with self.connect() as sock:
            sock.sendall(raw)
            if shut:
                sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def command(self, *words: str) -> Typed:
        """`forkserver WORD … FILE` as a process, run to its end."""
        return forkserver(*words, str(self.file), **self.environ)

    def typed(self, *words: str) -> Typed:
        """The same in this process; not for commands that begin a server."""
        assert words[0] not in LASTING
        return typed(*words, str(self.file))

    def settled(self, workers: int) -> list[int]:
        """Wait until so many workers have come up since the start; the pids of all that ever did."""
        return [int(found[1]) for found in self.errors.wait_for_count(r"worker \d+ \(pid (\d+)\) is ready", workers)]

    def ask(self, command: str) -> dict[str, Any]:
        """What the master answers at its control socket; quicker than a command line."""
        with ControlClient(f"{self.folder}/control.sock", PATIENCE) as line:
            return line.ask({"command": command})

    def status(self) -> dict[str, Any]:
        return self.ask("status")

    def reload(self) -> dict[str, Any]:
        """As `forkserver reload`, without the process."""
        return self.ask("reload")

    def workers(self) -> list[int]:
        """The pids of the workers that are ready."""
        return [worker["pid"] for worker in self.status()["workers"] if worker["state"] == "ready"]

    def holdings(self) -> list[str]:
        """What the master holds open, without the numbers that differ from one time to the next, to be compared."""
        with ControlClient(f"{self.folder}/control.sock", PATIENCE) as line:
            for _ in range(2):  # by the second answer it has noticed that earlier clients have left
                assert line.ask({"command": "status"})["ok"]
            return sorted(re.sub(r"[0-9]+", "N", leads_to) for leads_to in descriptors(self.process.pid).values())

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the end of the master; its exit code."""
        return self.process.wait(PATIENCE)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, if it has not ended, and everything that is left of it."""
        if self.process.poll() is None:
            self.send(number)
        try:
            code = self.wait()
            assert self.left() == [], "processes outlive their master"
            return code
        finally:
            self.sweep()

    def left(self) -> list[int]:
        """The processes that outlive the master: there must be none."""
        return session(self.process.pid)

    def sweep(self) -> None:
        """Kill what is left of our session: after a test has failed, or killed a master on purpose."""
        for pid in session(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process.poll() is None:
            self.process.wait(PATIENCE)


def master_of(daemon: Daemon) -> int:
    """The pid of the master in the background; 0 when there is none."""
    try:
        with ControlClient(f"{daemon.folder}/control.sock", PATIENCE) as line:
            return line.master
    except NotRunning:
        return 0


def end_background(daemon: Daemon) -> None:
    """End the master in the background, if there is one, and its children."""
    if pid := master_of(daemon):
        family = [pid, *children_of(pid)]
        os.kill(pid, signal.SIGINT)
        for one in family:
            wait_for_end(one)


def session(leader: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                after = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(after[3]) == leader and after[0] != "Z":
                found.append(int(name))
    return found


def state_of(pid: int) -> tuple[str, int, int] | None:
    """State letter, parent and CPU time in clock ticks of a process (proc(5)); None when there is none."""
    try:
        after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return after[0], int(after[1]), int(after[11]) + int(after[12])


def children_of(parent: int) -> dict[int, str]:
    """The children of a process by pid, with their state letters; Z is a zombie."""
    found = {}
    for name in os.listdir("/proc"):
        state = state_of(int(name)) if name.isdigit() else None
        if state and state[1] == parent:
            found[int(name)] = state[0]
    return found


def wait_for_end(pid: int, patience: float = PATIENCE) -> None:
    """Wait until a process that is not our child has ended."""

    try:
        end = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([end], [], [], patience)[0], f"process {pid} does not end"
    finally:
        os.close(end)


def read_all(sock: socket.socket) -> bytes:
    """Everything until the peer closes."""
    pieces = []
    while piece := sock.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def descriptors(pid: int) -> dict[str, str]:
    """The open descriptors of a process and what they lead to."""
    folder = f"/proc/{pid}/fd"
    found = {}
    for number in os.listdir(folder):
        try:
            found[number] = os.readlink(f"{folder}/{number}")
        except FileNotFoundError:
            continue
    return found


def has_ipv6() -> bool:
    """Whether this machine has the address ::1."""
    try:
        return f"{1:032x} " in Path("/proc/net/if_inet6").read_text()
    except FileNotFoundError:
        return False
