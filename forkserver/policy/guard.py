"""The door of a mount that asks for a name and a password.

Knows what a client is told; hashes and files are known to `auth.py`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import cast

from forkserver.apps.app import App, BlockingApp
from forkserver.http.request import Head, Request
from forkserver.http.response import Response, error_response, head_parts
from forkserver.policy.auth import AuthError, Users, credentials_of

LOOK = 1.0  # seconds for which the file of users is not looked at again


class Guard:
    """Who is asked, and how."""

    def __init__(self, path: str, realm: str) -> None:
        """`path` is that of the users' file.  ValueError for a realm that no field can hold."""
        quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
        self._challenge = (("WWW-Authenticate", f'Basic realm="{quoted}", charset="UTF-8"'),)
        head_parts(401, self._challenge)
        self.users = Users(path)
        self.tell: Callable[[str], None] = lambda why: None
        self._looked = -math.inf

    def challenge(self, head: Head, now: float) -> Response | None:
        """The refusal of who gives nothing that could be right; quick.  `now` is of the monotonic clock."""
        if now - self._looked >= LOOK:
            self._looked = now
            try:
                self.users.refresh()
            except AuthError as error:
                self.tell(f"the users that were known before stay: {error}")
        return None if credentials_of(head) else self.refusal()

    def refusal(self) -> Response:
        return error_response(401, "", self._challenge)


class Guarded:
    """An application behind a guard: it may take its time, as a password does that was not seen before."""

    blocking = True

    def __init__(self, app: App, guard: Guard) -> None:
        self.app, self.guard = app, guard
        self.methods, self.reads_body = app.methods, app.reads_body
        self._one_by_one = None if app.blocking else threading.Lock()  # for an application that knows one thread only

    def load(self) -> None:
        """See App."""
        self.app.load()

    def employ(self, *, threads: int, errors: Callable[[str], None]) -> None:
        """See BlockingApp."""
        if self.app.blocking:
            cast("BlockingApp", self.app).employ(threads=threads, errors=errors)

    def respond(self, request: Request) -> Response:
        """The application's answer, or the guard's."""
        pair = credentials_of(request.head)
        users = self.guard.users
        if pair is None or not (users.known(pair) or users.check(pair)):
            return self.guard.refusal()
        request.asked.user = pair[0]
        if self._one_by_one is None:
            return self.app.respond(request)
        with self._one_by_one:
            return self.app.respond(request)

    def close(self) -> None:
        """See App."""
        self.app.close()
