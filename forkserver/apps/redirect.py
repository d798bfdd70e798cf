"""The kind `redirect`: whatever is asked for below its mount is elsewhere now.

Knows paths and queries as text; opens nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from forkserver.apps.app import AppError
from forkserver.config.converters import choice, text
from forkserver.config.options import option
from forkserver.http.request import Request
from forkserver.http.response import Response

# A path, or an http URL with a host that needs no second look.
_TARGET = re.compile(
    r"""(?: https?:// (?: [A-Za-z0-9._~-]+ | \[ [0-9A-Fa-f:.]+ \] ) (?: : [0-9]{1,5} )? (?= [/?\#] | \Z ) | / (?!/) )
        [\x21-\x7e]*""",
    re.VERBOSE,
)
_OCTET = re.compile(r"%[0-9A-Fa-f]{2}|.", re.DOTALL)
_SAFE = "!$&'()*+,;=:@/?%"  # stays as it is in a path or query; "%" is the sign of what is encoded already


@dataclass(frozen=True)
class RedirectOptions:
    """The options of a section of this kind."""

    redirect: str = option(None, text, "Path or URL to which everything below the mount has moved.")
    status: str = option("301", choice("301", "302", "303", "307", "308"), "Status of the redirect.")


class Redirect:
    """A signpost: the rest of the path and the query are kept."""

    Options = RedirectOptions
    methods = None
    reads_body = False
    blocking = False

    def __init__(self, options: RedirectOptions, prefix: str) -> None:
        self.options = options

    def load(self) -> None:
        """Raises AppError when the target is neither an absolute path nor an http URL."""
        if not _TARGET.fullmatch(self.options.redirect):
            raise AppError(f"not a path such as /new nor a URL such as https://example.org/: {self.options.redirect}")
        try:
            self.target = urlsplit(self.options.redirect)
        except ValueError as error:
            raise AppError(f"{self.options.redirect}: {error}") from None

    def close(self) -> None:
        """Has nothing to let go."""

    def respond(self, request: Request) -> Response:
        """The redirect of one request."""
        target = self.target
        rest = _rest(request)
        path = target.path.rstrip("/") + rest if rest else target.path
        query = "&".join(filter(None, (target.query, quote(request.head.line.query, safe=_SAFE, encoding="latin-1"))))
        location = urlunsplit((target.scheme, target.netloc, path, query, target.fragment))
        return Response(int(self.options.status), (("Location", location),))


def _rest(request: Request) -> str:
    """What of the path lies below the mount, encoded as it was sent: a `%2F` is data and no slash.

    It begins with one slash, so that behind an empty path it cannot be read as the name of another host.
    """
    octets = _OCTET.findall(request.head.line.raw_path)  # one for each character of the decoded path
    sent = "".join(octets[len(octets) - len(request.path) :])
    return "/" + quote(sent.lstrip("/"), safe=_SAFE, encoding="latin-1") if sent else ""
