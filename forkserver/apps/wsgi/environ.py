"""The environ of a request (PEP 3333, "environ Variables"; RFC 3875 section 4.1).

What many requests have in common is one dict, copied for each of them.  Knows names and values; calls nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from forkserver import __version__
from forkserver.apps.wsgi.streams import NOTHING, Errors
from forkserver.http.fields import CHUNKED, Fields
from forkserver.http.request import Asked, Request

Environ = dict[str, Any]

NAMES = 512  # of fields, whose variables are remembered

# Set anew for each request; they stand in every template so that its copies need not grow.
OF_REQUEST: dict[str, Any] = {
    "REMOTE_ADDR": "",
    "REMOTE_PORT": "",
    "SERVER_PORT": "",
    "wsgi.input": NOTHING,
    "forkserver.deadline": None,
}

# What a request may say itself: a variable of the section would pass for its word.
OF_REQUESTS = {
    *("AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTPS", "PATH_INFO", "QUERY_STRING", "RAW_URI", "REMOTE_ADDR"),
    *("REMOTE_HOST", "REMOTE_PORT", "REMOTE_USER", "REQUEST_METHOD", "REQUEST_URI", "SCRIPT_NAME", "SERVER_NAME"),
    *("SERVER_PORT", "SERVER_PROTOCOL", "SERVER_SOFTWARE"),
}

_DROPPED = "forkserver.dropped"
_SPECIAL = {
    "content-type": "CONTENT_TYPE",
    "content-length": "CONTENT_LENGTH",
    "proxy": _DROPPED,  # HTTP_PROXY is how programs are told of their proxy: CVE-2016-5385 and its kin
    "transfer-encoding": _DROPPED,  # the body is taken out of its chunks, and CONTENT_LENGTH tells its size
}


class Variables(dict[str, str]):
    """The variable for the name of a field, made once; begun anew when there are too many."""

    def __missing__(self, name: str) -> str:
        if len(self) >= NAMES:
            self.clear()
        self[name] = variable = _SPECIAL.get(name) or "HTTP_" + name.upper().replace("-", "_")
        return variable


_variable = Variables().__getitem__


def base_of(
    variables: Iterable[tuple[str, str]], errors: Errors, wrapper: Callable[..., Any], *, threads: int
) -> Environ:
    """What is the same for every request of a mount.

    `variables` are those of its section; `threads` of one worker may be inside the application at once.
    """
    given = {name: value for name, value in variables if name not in OF_REQUESTS and not name.startswith("HTTP_")}
    return {
        **given,
        **OF_REQUEST,
        "SERVER_SOFTWARE": f"forkserver/{__version__}",
        "wsgi.version": (1, 0),
        "wsgi.errors": errors,
        "wsgi.multithread": threads > 1,
        # Even where a single worker is wanted: while it drains or retires, its replacement answers, too.
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": wrapper,
    }


def environ_of(base: Environ, asked: Asked) -> Environ:
    """What is the same for every request of the same bytes.

    The ends of its connection are still to be told; where no host was asked for, SERVER_NAME is still to be told.
    """
    environ = base.copy()
    line, fields, host = asked.head[:3]
    values = fields.values
    environ.update(zip(map(_variable, values), values.values(), strict=True))
    environ.pop(_DROPPED, None)
    if len(fields.items) != len(values):
        _join_cookies(environ, fields)
    if line.authority is not None:  # RFC 9112 section 3.2.2: it stands in for the Host field
        environ["HTTP_HOST"] = line.authority
    if asked.scheme == "https":
        environ["HTTPS"] = "on"
    if asked.user:
        environ["REMOTE_USER"], environ["AUTH_TYPE"] = asked.user.encode().decode("latin-1"), "Basic"
    environ["REQUEST_METHOD"] = line.method
    environ["SCRIPT_NAME"] = asked.script
    environ["PATH_INFO"] = asked.path
    environ["QUERY_STRING"] = line.query
    environ["REQUEST_URI"] = environ["RAW_URI"] = line.target
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if line.minor else "HTTP/1.0"
    environ["SERVER_NAME"] = host
    environ["wsgi.url_scheme"] = asked.scheme
    return environ


def _join_cookies(environ: Environ, fields: Fields) -> None:
    """Of all fields that may come in several lines, Cookie alone is not a list with commas (RFC 9113 section 8.2.3)."""
    if "HTTP_COOKIE" in environ:
        environ["HTTP_COOKIE"] = "; ".join([value for name, value in fields.items if name == "cookie"])


def tell_length(environ: Environ, request: Request, length: int) -> None:
    """Of a body that came in chunks the length is known by now."""
    if request.asked.head.length == CHUNKED:
        environ["CONTENT_LENGTH"] = str(length)
