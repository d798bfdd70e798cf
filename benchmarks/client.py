"""A small HTTP client that checks a server's answers before anything is timed.

A benchmark that measures errors is worthless: the same bytes, the right status, a connection that is kept (or
closed, where that is measured), and a line in the access log.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping

TIMEOUT = 10.0
POLL = 0.001


class PeerError(Exception):
    """A server does not do what is to be measured; the text says what it does instead."""


class Reply:
    """Status, fields (found in any case) and body of an answer, and whether the connection stays open."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.fields = response.headers
        self.body = response.read()
        self.kept = not response.will_close


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)


def get(
    connection: http.client.HTTPConnection,
    target: str,
    fields: Mapping[str, str] | None = None,
    sent: bytes | None = None,
) -> Reply:
    """One GET, or POST of `sent`, on the given connection, which is opened when it is not."""
    connection.request("GET" if sent is None else "POST", target, sent, {} if fields is None else dict(fields))
    return Reply(connection.getresponse())


def fetch(port: int, target: str, fields: Mapping[str, str] | None = None) -> Reply:
    """One GET on a connection of its own."""
    connection = connect(port)
    try:
        return get(connection, target, fields)
    finally:
        connection.close()


def wait_until_up(port: int, target: str, ended: Callable[[], int | None], limit: float = TIMEOUT) -> Reply:
    """Ask every millisecond until the server answers.

    Raises PeerError after `limit` seconds, and as soon as `ended` gives the exit status of the server's process.
    """
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if (status := ended()) is not None:
            raise PeerError(f"it ended with exit status {status}")
        try:
            return fetch(port, target)
        except (OSError, http.client.HTTPException):
            time.sleep(POLL)
    raise PeerError(f"no answer within {limit:.0f} s of its start")


def expect(
    port: int,
    target: str,
    status: int,
    body: bytes | None,
    fields: Mapping[str, str],
    *,
    sent: bytes | None = None,
    may_close: bool = False,
) -> Reply:
    """Ask twice on one connection; raises PeerError unless both answers are as told (`body` None: any).

    `sent` is the body of a POST; without one it is a GET.
    """
    connection = connect(port)
    try:
        for _ in range(2):
            reply = get(connection, target, fields, sent)
            if reply.status != status:
                raise PeerError(f"{target}: status {reply.status} where {status} is due")
            if body is not None and reply.body != body:
                raise PeerError(f"{target}: other bytes than due ({len(reply.body)} for {len(body)})")
            if reply.kept == (fields.get("Connection") == "close") and not (may_close and not reply.kept):
                raise PeerError(f"{target}: the connection {'stays open' if reply.kept else 'is closed'}")
        return reply
    except (OSError, http.client.HTTPException) as error:
        raise PeerError(f"{target}: {error or type(error).__name__}") from error
    finally:
        connection.close()


def expect_log(path: str, word: str, limit: float = 2.0) -> None:
    """Raises PeerError unless a line of the access log names `word` within `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            with open(path, errors="replace") as file:
                if any(word in line for line in file):
                    return
        except FileNotFoundError:
            pass  # a server may make its log with the first line
        time.sleep(POLL)
    raise PeerError(f"no line with {word} in its access log")
