"""What is measured: each row of the table, how it is checked first, and the figures it yields.

A row turns a running peer into figures, by name; the first name of `columns` is the one by which servers are
compared (less is better).  The rows here are those of files; `wsgirows.py` has those of applications.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import ClassVar

from . import client, processes, site
from .client import PeerError
from .peer import PATH, Peer

Figures = dict[str, float]
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "load.lua")
MIB = 1024 * 1024
CONNECTIONS_IDLE = 2000
DEADLINE = 5.0  # seconds after which an answer is not waited for any more, where that is a result


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    key: str
    title: str
    columns: ClassVar[tuple[str, ...]]
    group: ClassVar[str] = "static"  # the peers it is for: those of the same group
    most: ClassVar[int] = 1000  # rounds, however many are asked for

    def prepare(self, peer: Peer, seconds: float) -> None:
        """Check that the peer does what is to be measured (raises PeerError), and warm it up."""

    def measure(self, peer: Peer, seconds: float) -> Figures:
        """One round; raises PeerError when a single answer was not as it should be."""
        raise NotImplementedError


@dataclass(frozen=True)
class Load(Row):
    """wrk at full speed on one core, against the peer's two processes."""

    mode: str
    target: str
    connections: int = 32
    status: int = 200
    size: int = 1024  # least number of bytes that an answer brings
    columns: ClassVar[tuple[str, ...]] = ("CPU µs/request", "requests/s", "p50 ms", "p99 ms")

    def prepare(self, peer: Peer, seconds: float) -> None:
        self.check(peer)
        self.measure(peer, min(1.0, seconds))

    def check(self, peer: Peer) -> None:
        """Raises PeerError unless the peer answers as it should."""
        for name in site.numbered()[::100] if self.mode == "many" else [self.target[1:]]:
            body = site.content(name) if self.status == 200 else None
            client.expect(peer.port, "/" + name, self.status, body, self.fields(peer))

    def fields(self, peer: Peer) -> dict[str, str]:
        """The request fields that make this row what it is."""
        if self.mode == "close":
            return {"Connection": "close"}
        return self.validators(peer) if self.mode == "fresh" else {}

    def validators(self, peer: Peer) -> dict[str, str]:
        """What a browser would send to ask whether its copy is still good."""
        fields = client.fetch(peer.port, self.target).fields
        pairs = (("If-Modified-Since", fields["Last-Modified"]), ("If-None-Match", fields["ETag"]))
        return {name: value for name, value in pairs if value}

    def measure(self, peer: Peer, seconds: float) -> Figures:
        before = processes.cpu_seconds(peer.pid)
        requests, microseconds, received, errors, bad, p50, p99 = self.run(peer, seconds)
        cpu = processes.cpu_seconds(peer.pid) - before
        logged = take_log(peer, requests)
        if errors or bad != (requests if self.status >= 400 else 0):
            raise PeerError(f"{errors} socket errors, {bad} of {requests} answers with a status of 400 or more")
        if not requests or received < requests * self.size:
            raise PeerError(f"{received} bytes in {requests} answers")
        if peer.logs and logged < requests:
            raise PeerError(f"{logged} lines in the access log for {requests} answers")
        return self.figures(peer, cpu, requests, microseconds / 1e6, received) | {
            "p50 ms": p50 / 1000,
            "p99 ms": p99 / 1000,
        }

    def figures(self, _peer: Peer, cpu: float, requests: int, seconds: float, _received: int) -> Figures:
        return {"CPU µs/request": cpu * 1e6 / requests, "requests/s": requests / seconds}

    def run(self, peer: Peer, seconds: float) -> list[int]:
        """Run wrk once; the seven numbers of load.lua's RESULT line."""
        arguments = [self.mode, self.target, f"{time.time_ns():x}", *self.fields(peer).values()]
        command = [
            *(
                str(shutil.which("wrk", path=PATH)),
                "-t1",
                f"-c{min(self.connections, peer.connections)}",
                f"-d{max(1, round(seconds))}s",
            ),
            *("--timeout", "5s", "-s", SCRIPT, f"http://127.0.0.1:{peer.port}/", "--", *arguments),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
        _, told, result = done.stdout.rpartition("RESULT ")
        if not told:
            raise PeerError(f"wrk: {(done.stderr or done.stdout).strip()[-200:]}")
        return [int(word) for word in result.split()]


def take_log(peer: Peer, requests: int) -> int:
    """Number of lines in the access log, once it has those of all requests or a second has passed.

    The log is emptied: it grows by megabytes a second here, and every server appends.
    """
    lines, end = 0, time.monotonic() + 1.0
    with open(peer.access_log, "rb") as file:
        while True:
            lines += sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
            if lines >= requests or time.monotonic() > end or not peer.logs:
                break
            time.sleep(0.01)
    os.truncate(peer.access_log, 0)
    return lines


@dataclass(frozen=True)
class Pipeline(Load):
    """Many requests at a time: wrk counts the answers well, but its latency is then that of no single one."""

    columns: ClassVar[tuple[str, ...]] = ("CPU µs/request", "requests/s")


@dataclass(frozen=True)
class Download(Load):
    """Few large answers: the cost is that of a MiB."""

    columns: ClassVar[tuple[str, ...]] = ("CPU µs/MiB", "MiB/s", "p50 ms", "p99 ms")

    def figures(self, _peer: Peer, cpu: float, requests: int, seconds: float, received: int) -> Figures:
        return {"CPU µs/MiB": cpu * 1e6 * MIB / received, "MiB/s": received / MIB / seconds}


def restart(peer: Peer) -> float:
    """Stop the peer and start it again; the seconds from there to the end of its first good answer."""
    peer.stop()
    begin = time.perf_counter()
    peer.start()
    reply = client.wait_until_up(peer.port, peer.probe, peer.ended)
    took = time.perf_counter() - begin
    if reply.status != 200 or reply.body != peer.proof():
        raise PeerError(f"the first answer is {reply.status} with {len(reply.body)} bytes")
    return took


@dataclass(frozen=True)
class Idle(Row):
    """Memory of the process tree: without connections, then with many that wait for their next request."""

    columns: ClassVar[tuple[str, ...]] = ("KiB/idle connection", "MiB without any")

    def measure(self, peer: Peer, seconds: float) -> Figures:
        restart(peer)  # memory that was used once is seldom given back
        for _ in range(200):
            client.expect(peer.port, "/one.txt", 200, site.content("one.txt"), {})
        before = processes.pss_bytes(peer.pid)
        held = [client.connect(peer.port) for _ in range(CONNECTIONS_IDLE)]
        try:
            kept = sum(client.get(connection, "/one.txt").kept for connection in held)
            after = processes.pss_bytes(peer.pid)
        finally:
            for connection in held:
                connection.close()
        if kept != CONNECTIONS_IDLE:
            raise PeerError(f"only {kept} of {CONNECTIONS_IDLE} connections stay open")
        return {
            "KiB/idle connection": (after - before) / 1024 / CONNECTIONS_IDLE,
            "MiB without any": before / MIB,
        }


@dataclass(frozen=True)
class Cold(Row):
    """From the start of the process to the end of its first good answer; the peer is restarted for it."""

    columns: ClassVar[tuple[str, ...]] = ("ms to first answer",)

    def measure(self, peer: Peer, seconds: float) -> Figures:
        return {"ms to first answer": restart(peer) * 1000}


ROWS: tuple[Row, ...] = (
    Cold("cold", "cold start to first answer"),
    Idle("idle", f"memory (PSS of the tree), {CONNECTIONS_IDLE:,} idle keep-alive connections"),
    Load("static", "1 KiB file, the same request again and again", "same", "/one.txt"),
    Load("unique", "1 KiB file, every query, cookie and referer new", "unique", "/one.txt"),
    Load("many", "2,000 files of 1 KiB at random", "many", "/many/"),
    Load("100k", "100 KiB file", "same", "/large.bin", size=100 * 1024),
    Download("10m", "10 MiB file, 4 clients", "same", "/huge.bin", connections=4, size=10 * MIB),
    Load("304", "conditional request, 304", "fresh", "/one.txt", status=304, size=0),
    Load("404", "no such file, 404", "same", "/none.txt", status=404, size=0),
    Load("close", "1 KiB file, a connection for each request", "close", "/one.txt"),
    Pipeline("pipeline", "1 KiB file, 16 requests at a time", "pipeline", "/one.txt"),
)
