"""What is said of a worker that died or hangs: text, made of what others have read.

Knows the wording alone; reads no file and no clock, and kills nobody.
"""

from __future__ import annotations

from typing import NamedTuple

from forkserver.log.error import safe
from forkserver.log.slow import bounded
from forkserver.process.forking import FAULT, ending
from forkserver.process.scoreboard import InProgress, Seat


class Oom(NamedTuple):
    """What the kernel counts of a control group."""

    kills: int  # more than when it was last looked at
    seconds: float  # since then
    file: str  # that has the count


def serving(request: InProgress, now: float) -> str:
    """One request in progress, as a line of its own."""
    client = f" of {safe(request.client)}" if request.client else ""
    return f"serving {request.line!r}{client} for {now - request.began:.1f} s"


def death(
    code: int,
    reading: Seat,
    now: float,
    *,
    last: InProgress | None = None,
    stack: str = "",
    oom: Oom | None = None,
) -> str:
    """How a worker ended, in lines: one when it just ended, else all that is known.

    `code` as os.waitstatus_to_exitcode() gives it; `last` is the request that an application was handed last; `oom` is
    None where nobody counts, or has nothing to say.
    """
    requests = reading.in_progress
    if code == 0 and not requests:
        return ending(code)
    return "\n".join(
        (
            ending(code) + (f" while serving {requests[0].line!r}" if requests else ""),
            f"generation {reading.generation}, {reading.requests} requests served, up {now - reading.born:.1f} s",
            *(serving(request, now) for request in requests),
            *([_answered(last, now)] if last and not requests else []),
            *([_by_itself(code)] if code > 0 and code != FAULT else []),
            *([_memory(oom)] if oom else []),
            *bounded(stack),
        )
    )


def _answered(request: InProgress, now: float) -> str:
    client = f" of {safe(request.client)}" if request.client else ""
    begun = f"begun {now - request.began:.1f} s before"
    return f"with nothing in hand; the last call was for {request.line!r}{client}, {begun}"


def _by_itself(code: int) -> str:
    """What an exit code says that is not ours."""
    return f"the server never exits with {code}: an application ended the process, by os._exit() or in C code"


def _memory(oom: Oom) -> str:
    count = f"oom_kill in {oom.file} of its control group"
    if oom.kills > 0:
        return (
            f"the kernel killed for want of memory: {count} rose by {oom.kills} in the last {oom.seconds:.1f} s "
            "([limits] memory lets a worker retire before that)"
        )
    return f"not for want of memory: {count} did not rise"
