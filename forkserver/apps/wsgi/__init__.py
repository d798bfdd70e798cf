"""The kind `wsgi`: an application in Python, called as PEP 3333 says.

Knows the order of a call.  What an application is told, what it may say, and what is made of that, is told by the
files beside this one.
"""

from __future__ import annotations

from collections.abc import Callable

from forkserver.apps.errorlines import Errors, to_stderr
from forkserver.apps.metavariables import tell_length
from forkserver.apps.wsgi.bodies import answer
from forkserver.apps.wsgi.environ import Environ, base_of, template_of
from forkserver.apps.wsgi.filewrapper import FileWrapper
from forkserver.apps.wsgi.loading import Application, load_application
from forkserver.apps.wsgi.options import WsgiOptions
from forkserver.apps.wsgi.starting import Start
from forkserver.apps.wsgi.streams import input_of
from forkserver.http.request import Request
from forkserver.http.response import Response

__all__ = ["Wsgi", "WsgiOptions"]


class Wsgi:
    """One application, at one mount."""

    Options = WsgiOptions
    methods = None
    reads_body = True
    blocking = True

    def __init__(self, options: WsgiOptions, prefix: str) -> None:
        """`prefix` is the mount's, without a slash at its end."""
        self.options = options
        self.place = prefix.encode("latin-1").decode("utf-8", "replace") or "/"
        self.employ(threads=1, workers=1, errors=to_stderr)

    def load(self) -> None:
        """Raises AppError when there is no application to be had."""
        self._application: Application = load_application(self.options, self.place)

    def employ(self, *, threads: int, workers: int, errors: Callable[[str], None]) -> None:
        """What is the same for every request is settled now; a line written to `wsgi.errors` begins with the mount."""
        lines = Errors(f"[{self.place}]", errors)
        self._base: Environ = base_of(self.options.env, lines, FileWrapper, threads=threads, workers=workers)

    def close(self) -> None:
        """Has nothing to let go: PEP 3333 has no word for the end."""

    def respond(self, request: Request) -> Response:
        """The application's reply.

        Raises what the application does, TypeError, ValueError or WsgiError for a reply that is none.
        """
        asked = request.asked
        environ = (asked.note or self._template(request)) | (asked.ends or request.ends).variables
        environ["forkserver.deadline"] = request.extend
        if request.body or asked.head.length:
            environ["wsgi.input"], length = input_of(request.body)
            tell_length(environ, request, length)
        start = Start(request)
        result = self._application(environ, start)
        # The short way: one piece in a list, as most applications answer that are written for speed.
        if type(result) is list and len(result) == 1 and start.made and not start.wrote:
            piece = result[0]
            if type(piece) is bytes:
                status, fields, length_told = start.made
                return Response(status, fields, piece, length_told)
        return answer(start, result)

    def _template(self, request: Request) -> Environ:
        """What the environ of a request whose like was not seen before has in common with those of its like."""
        template = template_of(self._base, request.asked)
        if template["SERVER_NAME"]:
            request.asked.note = template
        else:  # which of our addresses it is, another request of the same bytes may answer otherwise
            template["SERVER_NAME"] = request.local[0]
        return template
