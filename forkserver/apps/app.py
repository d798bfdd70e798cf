"""What every hosted thing is to the server: the one interface of all kinds.

Knows requests and responses; knows no kind, and nothing of sockets, processes and other connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from forkserver.http.request import Request
from forkserver.http.response import Response


class App(Protocol):
    """One hosted thing, made from the options of its section: `Kind(options, prefix)`.

    `load()` runs once, before the workers are forked, and raises `AppError` when the thing cannot be hosted.
    `respond(request)` is called for each complete request whose method is in `methods` (None: every method; the
    others are answered with 405 and an Allow field before their body is read).
    The body of a request is empty where `reads_body` is false: it is taken off the wire and thrown away.
    What is `blocking` may take its time, and is called by whichever thread of the worker is free, several requests at
    once; what is not must answer at once, and is called by one thread.  An iterable body is iterated, and closed if
    it has a `close`, by the thread that called `respond`.
    `close()` runs when the worker leaves.
    """

    methods: frozenset[str] | None
    reads_body: bool
    blocking: bool

    def load(self) -> None: ...

    def respond(self, request: Request) -> Response: ...

    def close(self) -> None: ...


class BlockingApp(App, Protocol):
    """One whose `blocking` is true.

    `employ(…)` is called in each worker before the first request: how many `threads` of it may call at once, and
    `errors`, which takes what an application has to say, in lines with line feeds between them.  Other processes may
    always call the same application meanwhile.
    """

    def employ(self, *, threads: int, errors: Callable[[str], None]) -> None: ...


@runtime_checkable
class Checkable(Protocol):
    """An app that can tell whether `load()` must fail before any code of its user's is run.

    `check()` raises `AppError` when it is sure of that; `forkserver check` asks it, and nothing follows.
    """

    def check(self) -> None: ...


class BrokenReply(Exception):  # noqa: N818 - a fact, of which the log knows the fault
    """Raised by a blocking application that cannot go on with its reply, and has told its `errors` why."""


def place_of(prefix: str) -> str:
    """A prefix, or another path of UTF-8 bytes as latin-1, as a person would write it: `/`, `/shop`."""
    return prefix.encode("latin-1").decode("utf-8", "replace") or "/"


class AppError(Exception):
    """The application of a section cannot be loaded; the text says why."""
