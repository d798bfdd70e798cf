"""How long each state of a connection may last.

Pure: the time is an argument, and so are the limits.
"""

from __future__ import annotations

from forkserver.config.options import Limits
from forkserver.serving.connection import Connection, State

GRACE = 5.0  # seconds before a rate is measured
LINGER = 5.0  # seconds in which a peer may go on sending what nobody reads, so that it can read our answer


def overdue(connection: Connection, now: float, limits: Limits) -> str:
    """Why this connection has had its time at `now`, of the monotonic clock; "" while it has not."""
    return _OVERDUE[connection.state](connection, now, limits)


def _slow(moved: int, elapsed: float, rate: int) -> bool:
    return bool(rate) and elapsed > GRACE and moved < rate * elapsed


def _greeting(connection: Connection, now: float, limits: Limits) -> str:
    return "the proxy did not say in time for whom it speaks" if now - connection.since > limits.header_timeout else ""


def _reading(connection: Connection, now: float, limits: Limits) -> str:
    elapsed = now - connection.since
    if connection.idle:
        return "rested too long" if elapsed > limits.idle_timeout else ""
    return "the head did not arrive in time" if elapsed > limits.header_timeout else ""


def _body(connection: Connection, now: float, limits: Limits) -> str:
    elapsed = now - connection.since
    if elapsed > limits.body_timeout:
        return "the body did not arrive in time"
    return "the body arrives too slowly" if _slow(connection.moved, elapsed, limits.read_rate) else ""


def _writing(connection: Connection, now: float, limits: Limits) -> str:
    """Judged by what the peer took, not by what we sent.

    The kernel has megabytes of room, and tells us of some only when a third of it is free: through that a client on
    a slow line takes its part without our moving a byte.
    """
    unsent = connection.unsent()
    taken = connection.moved - unsent
    if taken > connection.taken or not unsent:
        connection.taken = taken
        connection.progress = now
    if now - connection.progress > limits.write_timeout:
        return "the client takes nothing"
    slow = unsent and _slow(taken, now - connection.since, limits.write_rate)
    return "the client takes too little" if slow else ""


def _lingering(connection: Connection, now: float, limits: Limits) -> str:
    return "lingered" if now - connection.since > LINGER else ""


def _never(connection: Connection, now: float, limits: Limits) -> str:
    return ""


_OVERDUE = {
    State.GREETING: _greeting,
    State.READING: _reading,
    State.BODY: _body,
    State.RUNNING: _never,  # the application has limits of its own
    State.WRITING: _writing,
    State.LINGERING: _lingering,
    State.CLOSED: _never,
}
