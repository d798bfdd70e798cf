"""What the master says of itself: the status command's answer, systemd's STATUS= line.

Reads the scoreboard and the books; changes nothing.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any

from forkserver.process.pool import Pool
from forkserver.process.scoreboard import Seat


@dataclass
class Report:
    """Totals since the start, and what happened last."""

    pool: Pool
    began: float = field(default_factory=time.monotonic)
    requests: int = 0  # of workers that are gone
    sent: int = 0
    crashes: int = 0
    reloads: int = 0
    last_refusal: str = ""
    _before: tuple[float, int] = (0.0, 0)
    rate: float = 0.0  # requests a second, of late

    def buried(self, reading: Seat, expected: bool) -> None:
        """A worker is gone; what it did counts on."""
        self.requests += reading.requests
        self.sent += reading.sent
        self.crashes += not expected

    def workers(self) -> list[tuple[Seat, str]]:
        return [(self.pool.read(c.seat), c.life.value) for c in self.pool.children.by_seat.values()]

    def figures(self, now: float) -> str:
        """One line for STATUS=, called once a second."""
        readings = [reading for reading, _ in self.workers()]
        total = self.requests + sum(reading.requests for reading in readings)
        then, before = self._before
        self.rate = (total - before) / (now - then) if then else 0.0
        self._before = (now, total)
        connections = sum(reading.connections for reading in readings)
        workers = f"{len(readings)} worker{'s' if len(readings) != 1 else ''}"
        line = f"{workers}, {connections} connections, {self.rate:.0f} requests/s"
        if self.last_refusal:
            return f"{line}; the last reload was refused: {self.last_refusal}"
        return line

    def status(self) -> dict[str, Any]:
        """The answer to `forkserver status`."""
        now = time.monotonic()
        current = self.pool.current
        workers = [worker_status(reading, life, now) for reading, life in self.workers()]
        return {
            "ok": True,
            "pid": os.getpid(),
            "config": current.config.path if current else "",
            "generation": self.pool.children.generation,
            "uptime": round(now - self.began, 3),
            "listening": [listener.name for listener in current.listeners] if current else [],
            "requests": self.requests + sum(worker["requests"] for worker in workers),
            "bytes": self.sent + sum(worker["bytes"] for worker in workers),
            "requests_per_second": round(self.rate, 1),
            "crashes": self.crashes,
            "reloads": self.reloads,
            "last_refusal": self.last_refusal,
            "wanted": self.pool.children.want,
            "workers": workers,
        }


def worker_status(reading: Seat, life: str, now: float) -> dict[str, Any]:
    """One worker, in the status command's answer; "request" and "running" are of its longest request in progress."""
    in_progress = [
        {"request": one.line, "client": one.client, "running": round(now - one.began, 3)} for one in reading.in_progress
    ]
    return {
        "worker": reading.seat,
        "pid": reading.pid,
        "generation": reading.generation,
        "state": life,
        "uptime": round(now - reading.born, 3),
        "connections": reading.connections,
        "requests": reading.requests,
        "bytes": reading.sent,
        "request": in_progress[0]["request"] if in_progress else "",
        "running": in_progress[0]["running"] if in_progress else 0.0,
        "in_progress": in_progress,
    }
