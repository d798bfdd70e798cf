"""Reloads in a row while clients come, go and stay: not one request is lost.  `make test RELOADS=50` makes it fifty."""

from __future__ import annotations

import http.client
import os
import threading
from pathlib import Path

from tests.conftest import Start
from tests.daemons import PATIENCE, Daemon, children_of

CONFIG = """
[server]
listen = 127.0.0.1:0
workers = 2
[log]
access = {folder}/access.log
[/]
static = {site}
"""
RELOADS = int(os.environ.get("RELOADS", "12"))
CLIENTS = 4


class Client(threading.Thread):
    """Asks again and again until it is told to stop; every answer must be the right one."""

    def __init__(self, daemon: Daemon, stop: threading.Event, *, keep: bool) -> None:
        super().__init__()
        self.daemon_, self.stop, self.keep = daemon, stop, keep
        self.answered = 0
        self.connections = 0
        self.failure = ""

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self.connections += 1
                self.converse()
        except (OSError, http.client.HTTPException, AssertionError) as error:
            self.failure = repr(error)

    def converse(self) -> None:
        """One connection, used until the server closes it or, not being kept, for one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon_.port, timeout=PATIENCE)
        try:
            closing = False
            while not closing and not self.stop.is_set():
                connection.request("GET", "/small.txt", headers={} if self.keep else {"Connection": "close"})
                response = connection.getresponse()
                closing = response.will_close
                body = response.read()
                assert (response.status, body) == (200, b"small\n"), (response.status, body)
                self.answered += 1
        finally:
            connection.close()


def test_reloads_in_a_row_lose_not_one_request(start: Start, site: Path, tmp_path: Path) -> None:
    daemon = start(CONFIG.format(site=site, folder=tmp_path))
    daemon.settled(2)
    before = daemon.holdings()
    stop = threading.Event()
    clients = [Client(daemon, stop, keep=number % 2 == 0) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        answers = [daemon.reload() for _ in range(RELOADS)]
    finally:
        stop.set()
        for client in clients:
            client.join(3 * PATIENCE)
    assert answers == [{"ok": True, "generation": number} for number in range(2, RELOADS + 2)]
    assert [client.failure for client in clients] == [""] * CLIENTS
    assert all(client.answered > RELOADS for client in clients)
    assert all(client.connections > RELOADS / 4 for client in clients if client.keep)  # the reloads did reach them
    for leaver in range(2 * RELOADS):
        daemon.errors.wait_for_count("exited with 0", leaver + 1)
    assert daemon.holdings() == before
    assert "Z" not in children_of(daemon.process.pid).values()
    assert daemon.stop() == 0
    answered = sum(client.answered for client in clients)
    assert (tmp_path / "access.log").read_text().count('"GET /small.txt HTTP/1.1" 200 ') == answered
    print(f"{answered} requests during {RELOADS} reloads")
