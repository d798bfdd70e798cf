"""The command `python -m benchmarks.trials`: what reloads, killed workers and retirements cost the clients.

Starts forkserver with the small application and prints a Markdown table; no figure here is a time.  Exit codes:
0 the law holds, 1 it was broken.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import client, report, wsgipeer
from .ordeals import HEADING, Outcome, Server, kill, reload, suffer
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
        with open(self.output, errors="replace") as file:
            return len(re.findall(r"\(pid \d+\) retires: ", file.read()))


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


Ordeal = Callable[[Tried, Server, Outcome], int]
TRIALS: tuple[tuple[str, str, Ordeal], ...] = (
    ("reloads in a row", "", lambda _tried, server, _outcome: reload(server, RELOADS)),
    (
        f"a worker killed every {PAUSE * 1000:.0f} ms",
        "",
        lambda _tried, server, outcome: kill(server, outcome, KILLING, PAUSE),
    ),
    (f"`requests = {REQUESTS}`", f"requests = {REQUESTS}", lambda tried, _server, _outcome: retire(tried)),
)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is stopped then, too
    print(f"{report.machine()}\n\n{HEADING}", flush=True)
    breaches: list[str] = []
    for what, limits, ordeal in TRIALS:
        with running(limits) as (tried, server):
            outcome = suffer(what, server, lambda outcome: ordeal(tried, server, outcome))  # noqa: B023 - called here
        print(outcome.row(), flush=True)
        breaches += outcome.breaches()
    print("\n" + "\n".join(breaches or ["The law holds."]))
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
