"""What can be hosted: one small file a kind, one interface, one table.

An application sees requests and gives responses.  It knows nothing of sockets, processes and other connections.
"""

from __future__ import annotations

from typing import Any, Protocol

from forkserver.http.request import Request
from forkserver.http.response import Response


class App(Protocol):
    """One hosted thing, made from the options of its section.

    `load()` runs once, before the workers are forked, and raises `AppError` when the thing cannot be hosted.
    `respond(request)` is called for each complete request whose method is in `methods` (None: every method; the others
    are answered with 405 and an Allow field before their body is read).
    `close()` runs when the worker leaves.
    """

    methods: frozenset[str] | None

    def load(self) -> None: ...

    def respond(self, request: Request) -> Response: ...

    def close(self) -> None: ...


class AppError(Exception):
    """The application of a section cannot be loaded; the text says why."""


from forkserver.apps.redirect import Redirect  # noqa: E402 - the kinds need the names above
from forkserver.apps.static import Static  # noqa: E402 - as before

KINDS: dict[str, type[Any]] = {"static": Static, "redirect": Redirect}
