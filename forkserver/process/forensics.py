"""What is said of a worker that died or hangs: text, made of what others have read.

Knows the wording alone; reads no file and no clock, and kills nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

from forkserver.log.error import safe
from forkserver.process.scoreboard import InProgress


def serving(request: InProgress, now: float) -> str:
    """One request in progress, as a line of its own."""
    client = f" of {safe(request.client)}" if request.client else ""
    return f"serving {request.line!r}{client} for {now - request.began:.1f} s"


def death(how: str, requests: Sequence[InProgress], now: float) -> str:
    """How a worker ended and what it had in hand: lines, of which the first names the longest request."""
    if not requests:
        return how
    return "\n".join((f"{how} while serving {requests[0].line!r}", *(serving(request, now) for request in requests)))
