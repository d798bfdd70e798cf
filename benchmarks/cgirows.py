"""What is measured of a server of CGI scripts: a process for each request, whoever starts it."""

from __future__ import annotations

from dataclasses import dataclass

from . import client
from .cgipeer import BUSY, SHORT, CgiPeer
from .peer import Peer
from .rows import Load, Row

CLIENTS = 8


@dataclass(frozen=True)
class Script(Load):
    """wrk at full speed, against a script."""

    body: bytes = b""  # of the right answer
    sent: bytes | None = None
    group = "cgi"

    def check(self, peer: Peer) -> None:
        assert isinstance(peer, CgiPeer), peer.name
        client.expect(peer.port, self.target, 200, self.body, self.fields(peer), sent=self.sent, may_close=peer.closes)


ROWS: tuple[Row, ...] = (
    Script(
        "cgi-python",
        "a Python script that imports json, html, re and email",
        "same",
        "/cgi-bin/busy.py",
        CLIENTS,
        size=len(BUSY),
        body=BUSY,
    ),
    Script(
        "cgi-plain",
        "a Python script that imports nothing",
        "same",
        "/cgi-bin/plain.py",
        CLIENTS,
        size=len(SHORT),
        body=SHORT,
    ),
    Script(
        "cgi-post",
        "the same script, sent 2 KiB",
        "post",
        "/cgi-bin/length.py",
        CLIENTS,
        size=5,
        body=b"2048\n",
        sent=b"x" * 2048,
    ),
    Script("cgi-sh", "a shell script", "same", "/cgi-bin/hello.sh", CLIENTS, size=len(SHORT), body=SHORT),
)
