"""What becomes of a call in whichever thread has it: the application is run to the end of its answer.

Knows calls and their pieces; knows nothing of connections, and which thread it is, is known to `crew.py`.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING

from forkserver.apps.app import BrokenReply
from forkserver.http.response import FileSlice, Response, bodied
from forkserver.serving.call import Call
from forkserver.serving.crew import Crew
from forkserver.serving.timeout import RequestTimeout

if TYPE_CHECKING:
    from forkserver.log import ErrorLog


class Performing:
    """The part of `Calls` that any thread may call."""

    crew: Crew
    log: ErrorLog

    def perform(self, call: Call) -> None:
        """Run the application to the end of its answer; whatever it raises is kept in the call."""
        try:
            response = call.mount.app.respond(call)
            body = response.body
            if call.response is None and isinstance(body, (bytes, FileSlice, tuple)):
                call.response = response
                call.whole = True
            else:
                self._gather(call, response, body)  # type: ignore[arg-type]  # what else it may be is iterable
        except (RequestTimeout, ConnectionAbortedError) as error:
            if not (call.expired or call.gone):  # it was not we who raised it
                self._complain(call)
            call.failed(error)
        except BrokenReply as error:  # it has told why
            call.failed(error)
        except BaseException as error:  # the application's trouble, of whatever kind, and this request's
            self._complain(call)  # before anybody sees that it failed
            call.failed(error)

    def complain(self, why: str) -> None:
        """Of an application."""
        self.log.error(why)

    def _complain(self, call: Call) -> None:
        self.log.error(f"{call.head.line.text!r} failed", traceback=traceback.format_exc())

    def _gather(self, call: Call, response: Response, body: Iterable[bytes]) -> None:
        """Take the pieces of a body as they are made; it is closed in any case, here and once (PEP 3333)."""
        try:
            if call.response is None:
                call.open(response)
            if bodied(call.head.line.method, response):
                for piece in body:
                    call.put(piece)
            call.whole = True
        finally:
            close = getattr(body, "close", None)
            if close:
                if call.whole and self.crew.call is not call:
                    self.crew.notice(call)  # the client need not wait for that
                close()
