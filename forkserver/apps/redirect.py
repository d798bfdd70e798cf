"""The kind `redirect`: whatever is asked for below its mount is elsewhere now.

Knows paths and queries as text; opens nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from forkserver.apps.app import AppError
from forkserver.config.converters import choice, quoted, text
from forkserver.config.options import option
from forkserver.http.request import Request
from forkserver.http.response import Response, error_response

# A path, or an http URL with a host that needs no second look.
_TARGET = re.compile(
    r"""(?: https?:// (?: [A-Za-z0-9._~-]+ | \[ [0-9A-Fa-f:.]+ \] ) (?: : [0-9]{1,5} )? (?= [/?\#] | \Z ) | / (?!/) )
        [\x21-\x7e]*""",
    re.VERBOSE,
)
_HOST = "$host"
_PLACE = re.compile(r"\$(?:([0-9])|host\b|\$)")  # what is filled in
_OCTET = re.compile(r"%[0-9A-Fa-f]{2}|.", re.DOTALL)
_SAFE = "!$&'()*+,;=:@/?%"  # stays as it is in a path or query; "%" is the sign of what is encoded already


def patterns(text: str, folder: str) -> tuple[tuple[str, str], ...]:
    """`EXPRESSION TARGET`, one a line."""
    return tuple(_pattern(line) for line in text.split("\n") if line)


def _pattern(line: str) -> tuple[str, str]:
    words = line.split()
    if len(words) != 2:
        raise ValueError(f"{quoted(line)} is not a regular expression and a target, with white space between")
    try:
        groups = re.compile(words[0]).groups
    except re.error as error:
        raise ValueError(f"{quoted(words[0])} is no regular expression: {error}") from None
    if missing := [number for number in _PLACE.findall(words[1]) if number and int(number) > groups]:
        raise ValueError(f"{quoted(words[0])} has no group for ${missing[0]}")
    return words[0], words[1]


@dataclass(frozen=True)
class RedirectOptions:
    """The options of a section of this kind."""

    redirect: str = option(
        None, text, "Path or URL to which everything below the mount has moved; $host stands for the host asked for."
    )
    patterns: tuple[tuple[str, str], ...] = option(
        "",
        patterns,
        "Exceptions, one a line: a regular expression for the whole rest of the path, as it was sent, and where that "
        "has moved, with $1 for its first group; the first that matches decides.",
        write=lambda pairs: "\n".join(map(" ".join, pairs)),
    )
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
        """Raises AppError for a target that is neither an absolute path nor an http URL."""
        self.target = _checked(self.options.redirect)
        self.patterns = [(re.compile(pattern), _checked(target)) for pattern, target in self.options.patterns]

    def close(self) -> None:
        """Has nothing to let go."""

    def respond(self, request: Request) -> Response:
        """The redirect of one request."""
        rest = _rest(request)
        for pattern, target in self.patterns:
            if found := pattern.fullmatch(rest):
                return self._redirect(request, target, "", found)
        return self._redirect(request, self.target, rest, None)

    def _redirect(self, request: Request, text: str, rest: str, found: re.Match[str] | None) -> Response:
        host = request.head.host
        if not host and _HOST in text:
            return error_response(400, "The request does not say which host it is for.")
        target = urlsplit(_filled(text, host, found))
        path = target.path.rstrip("/") + rest if rest else target.path
        query = "&".join(filter(None, (target.query, quote(request.head.line.query, safe=_SAFE, encoding="latin-1"))))
        location = urlunsplit((target.scheme, target.netloc, path, query, target.fragment))
        return Response(int(self.options.status), (("Location", location),))


def _checked(target: str) -> str:
    """The target, which may have something to be filled in.  AppError for one that leads nowhere."""
    if not _TARGET.fullmatch(_PLACE.sub("x", target)):
        raise AppError(f"not a path such as /new nor a URL such as https://example.org/: {target}")
    try:
        urlsplit(_PLACE.sub("x", target))
    except ValueError as error:
        raise AppError(f"{target}: {error}") from None
    return target


def _filled(target: str, host: str, found: re.Match[str] | None) -> str:
    """The target with the host, and the groups of what was found, where it names them.

    What comes from a request cannot make the target the name of another host (`//elsewhere/`).
    """

    def fill(place: re.Match[str]) -> str:
        if place[1]:
            return (found[int(place[1])] or "") if found else ""
        return host if place[0] == _HOST else "$"

    filled = _PLACE.sub(fill, target)
    return "/" + filled.lstrip("/") if target.startswith("/") else filled


def _rest(request: Request) -> str:
    """What of the path lies below the mount, encoded as it was sent: a `%2F` is data and no slash.

    It begins with one slash, so that behind an empty path it cannot be read as the name of another host.
    """
    octets = _OCTET.findall(request.head.line.raw_path)  # one for each character of the decoded path
    sent = "".join(octets[len(octets) - len(request.path) :])
    return "/" + quote(sent.lstrip("/"), safe=_SAFE, encoding="latin-1") if sent else ""
