"""The kind `wsgi`: an application in Python, called as PEP 3333 says.

Knows the order of a call.  What an application is told, what it may say, and what is made of that, is told by the
files beside this one.
"""

from __future__ import annotations

from collections.abc import Callable

from forkserver.apps.app import place_of
from forkserver.apps.errorlines import Errors, to_stderr
from forkserver.apps.foreseeing import foresee
from forkserver.apps.metavariables import tell_length
from forkserver.apps.targets import parse_target
from forkserver.apps.wsgi.bodies import answer
from forkserver.apps.wsgi.environ import Environ, base_of, environ_of
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
        self.place = place_of(prefix)
        self.employ(threads=1, errors=to_stderr)

    def check(self) -> None:
        """Raises AppError when there is none by what can be seen without running it."""
        foresee(parse_target(self.options.wsgi), self.options.path)

    def load(self) -> None:
        """Raises AppError when there is no application to be had."""
        self._application: Application = load_application(self.options, self.place)

    def employ(self, *, threads: int, errors: Callable[[str], None]) -> None:
        """What is the same for every request is settled now; a line written to `wsgi.errors` begins with the mount."""
        lines = Errors(f"[{self.place}]", errors)
        self._base: Environ = base_of(self.options.env, lines, FileWrapper, threads=threads)

    def close(self) -> None:
        """Has nothing to let go: PEP 3333 has no word for the end."""

    def respond(self, request: Request) -> Response:
        """The application's reply.

        Raises what the application does, TypeError, ValueError or WsgiError for a reply that is none.
        """
        asked = request.asked
        template, ends = asked.note, (asked.ends or request.ends).variables
        environ = template | ends if template is not None else self._environ(request, ends)
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

    def _environ(self, request: Request, ends: Environ) -> Environ:
        """That of a request that is new; where others of the same bytes are expected, what it has in common with them
        is kept.
        """
        asked = request.asked
        environ = environ_of(self._base, asked)
        if not environ["SERVER_NAME"]:  # which of our addresses it is, the next one may answer otherwise
            environ["SERVER_NAME"] = request.local[0]
        elif asked.kept:
            asked.note = environ.copy()
        environ.update(ends)
        return environ
