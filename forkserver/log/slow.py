"""The slow log: one record for a request that takes long, with the stack of whoever is at it.

Knows the wording, and that a record is one of the error log's (`error.py`), so that it takes the same three forms and
is written whole; knows nothing of when a request counts as slow.
"""

from __future__ import annotations

from forkserver.log.error import ErrorLog, safe

LONGEST_STACK = 200  # lines


def slow_log(destination: str, descriptor: int, *, role: str) -> ErrorLog:
    """The writer; ValueError for an unknown facility.  A record is written by `warning(slow_record(…), lines=True)`."""
    return ErrorLog(destination, descriptor, "warning", role=role, name="slow log")


def slow_record(
    line: str,
    client: str,
    *,
    step: int,
    running: float,
    queued: float | None = None,
    mount: str = "",
    worker: str = "",
    stack: str = "",
) -> str:
    """The text of one record, to be written with `lines=True`.

    `line` is the request line, `step` how many times `slow_after` has passed (1, 2, 4).  `running` and `queued` are
    seconds, in the application and waiting for it (None: not known).  `mount` is where the application is, as in the
    configuration: `/shop`, `blog.example.org/`.  `worker` names it where another process writes.  A line feed in a
    request line stays within it; those of the stack are lines.
    """
    elapsed = running + (queued or 0.0)
    of = f" of {safe(client)}" if client else ""
    at = f" at [{mount}]" if mount else ""
    who = f"{worker}: " if worker else ""
    shares = "" if queued is None else f": {queued:.3f} s in the queue, {running:.3f} s in the application"
    first = f"{who}slow ({step}x): {line!r}{of}{at} for {elapsed:.3f} s{shares}"
    return "\n".join((first, *bounded(stack)))


def bounded(text: str, most: int = LONGEST_STACK) -> list[str]:
    """The lines of a text, without its middle when there are more than `most`."""
    lines = text.rstrip("\n").split("\n") if text.strip() else []
    if len(lines) <= most:
        return lines
    half = most // 2
    return [*lines[:half], f"[… {len(lines) - 2 * half} lines …]", *lines[-half:]]
