"""Starts the WSGI servers that are libraries: `python -m benchmarks.launch SERVER PORT FOLDER APP WORKERS`.

FOLDER is put on the import path, APP is MODULE:NAME.  Nothing but the number of threads is set; the rest is the
server's default.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

THREADS = 8
WAITRESS_THREADS = 16  # it is one process: as many as two of the others have together


def crew(workers: int, serve: Callable[[], object]) -> None:
    """Run `serve` in forked processes; all end with the first that does, and with this one."""
    children = []
    for _ in range(workers):
        if not (pid := os.fork()):
            serve()
            os._exit(1)  # a server that returns has failed
        children.append(pid)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        os.wait()
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)


def waitress(application: Any, port: int, _workers: int) -> None:
    server = importlib.import_module("waitress")
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it would warn of each request that waits
    server.serve(application, host="127.0.0.1", port=port, threads=WAITRESS_THREADS)


def cheroot(application: Any, port: int, workers: int) -> None:
    module = importlib.import_module("cheroot.wsgi")
    address = ("127.0.0.1", port)
    crew(workers, lambda: module.Server(address, application, numthreads=THREADS, reuse_port=True).safe_start())


def bjoern(application: Any, port: int, workers: int) -> None:
    server = importlib.import_module("bjoern")
    server.listen(application, "127.0.0.1", port)
    crew(workers, server.run)


def fastwsgi(application: Any, port: int, workers: int) -> None:
    module = importlib.import_module("fastwsgi")

    def serve() -> None:  # as its own multi_run does, but ended with the other
        module.server.init(application, "127.0.0.1", port)
        module.server.run()

    crew(workers, serve)


SERVERS = {"waitress": waitress, "cheroot": cheroot, "bjoern": bjoern, "FastWSGI": fastwsgi}


def main() -> None:
    server, port, folder, where, workers = sys.argv[1:]
    sys.path.insert(0, folder)
    module, _, name = where.partition(":")
    SERVERS[server](getattr(importlib.import_module(module), name), int(port), int(workers))


if __name__ == "__main__":
    main()
