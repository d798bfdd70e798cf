"""The options that all kinds of streams have in common.

Knows how they are written; how they are kept is known to who serves connections.
"""

from __future__ import annotations

from forkserver.config.converters import boolean, duration, integer
from forkserver.config.options import MANY, option

MOST = 4096  # threads of one section in one worker


def threads_option() -> int:
    """The option `connections` where each has a thread."""
    return option(
        "64",
        integer(1, MOST),
        "Connections, or datagrams, at once in each worker, each in a thread of its own; further ones wait, or are "
        "taken by another worker.",
    )


def connections_option() -> int:
    """The option `connections` where they cost little."""
    return option(
        "1024", integer(1, MANY), "Connections at once in each worker; further ones wait, or are taken by another."
    )


def idle_option(default: str = "5m") -> float:
    """The option `idle_timeout`."""
    return option(
        default, duration, "Time in which neither side has sent a byte, after which a connection is ended; 0: any."
    )


def total_option() -> float:
    """The option `total_timeout`."""
    return option("0", duration, "Time that a connection may last altogether; 0: any.")


def log_option() -> bool:
    """The option `access_log`."""
    return option(
        "yes", boolean, "Whether each connection, at its end, and each datagram is written to the access log."
    )
