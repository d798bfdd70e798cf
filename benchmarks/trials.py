"""The command `python -m benchmarks.trials`: what reloads, killed workers and retirements cost the clients.

Starts forkserver with the small application, once for each trial and kind of clients, and prints two Markdown tables;
no figure here is a time.  Exit codes: 0 the law holds, 1 it was broken, 2 wrk is missing.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import client, crowd, ordeals, report, wsgipeer
from .crowd import Pounding, pound
from .ordeals import Server, Trial, kill, reload, suffer
from .peer import PATH
from .wsgipeers import ForkserverWsgi

RELOADS = 50
KILLING, PAUSE = 20.0, 0.2  # seconds: how long, and from one to the next
REQUESTS, RETIRING = 500, 10.0  # of a worker until it retires; seconds of that


class Tried(ForkserverWsgi):
    """forkserver, with limits of our own."""

    limits = ""

    def configuration(self, pool: str, mount: str) -> str:
        return super().configuration(pool, mount).replace("[limits]\n", f"[limits]\n{self.limits}\n")

    def retired(self) -> int:
        """Workers that said so in the error log."""
        return self.said(r"\(pid \d+\) retires: ")

    def named(self) -> int:
        """Requests that the records of killed workers name."""
        return self.said(r"(?m)^    serving '")

    def said(self, pattern: str) -> int:
        """How often the error log has it."""
        with open(self.output, errors="replace") as file:
            return len(re.findall(pattern, file.read()))


@contextmanager
def running(limits: str) -> Iterator[tuple[Tried, Server]]:
    """A server that answers; ended, whatever happens."""
    with tempfile.TemporaryDirectory(prefix="forkserver-trials-") as folder:
        wsgipeer.write(folder)
        tried = Tried(folder, folder)
        tried.limits = limits
        tried.start()
        try:
            client.wait_until_up(tried.port, tried.probe, tried.ended)
            yield tried, Server(tried.port, os.path.join(tried.folder, "control.sock"))
        finally:
            tried.stop()


def retire(tried: Tried) -> int:
    """Let the workers come and go."""
    threading.Event().wait(RETIRING)
    return tried.retired()


Ordeal = Callable[[Tried, Server, Trial], int]
TRIALS: tuple[tuple[str, str, Ordeal], ...] = (
    ("reloads in a row", "", lambda _tried, server, _trial: reload(server, RELOADS)),
    (
        f"a worker killed every {PAUSE * 1000:.0f} ms",
        "",
        lambda _tried, server, trial: kill(server, trial, KILLING, PAUSE),
    ),
    (f"`requests = {REQUESTS}`", f"requests = {REQUESTS}", lambda tried, _server, _trial: retire(tried)),
)


def visited(what: str, tried: Tried, server: Server, ordeal: Ordeal) -> Trial:
    """A trial with the clients of `visitors.py`."""
    return suffer(what, server, lambda trial: ordeal(tried, server, trial))


def pounded(what: str, tried: Tried, server: Server, ordeal: Ordeal) -> Pounding:
    """A trial with wrk."""
    trial = pound(what, server, lambda trial: ordeal(tried, server, trial))
    trial.named = tried.named()
    return trial


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    if not shutil.which("wrk", path=PATH):
        print("the load generator wrk is missing: apt install wrk", file=sys.stderr)
        return 2
    print(report.machine())
    breaches: list[str] = []
    for heading, clients in ((ordeals.HEADING, visited), (crowd.HEADING, pounded)):
        print(f"\n{heading}", flush=True)
        for what, limits, ordeal in TRIALS:
            with running(limits) as (tried, server):
                trial = clients(what, tried, server, ordeal)
            print(trial.row(), flush=True)
            breaches += trial.breaches()
    print("\n" + "\n".join(breaches or ["The law holds."]))
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
