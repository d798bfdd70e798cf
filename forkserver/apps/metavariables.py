"""What an application is told of a request, as the variables that all gateway interfaces share (RFC 3875 section 4.1).

Values are text of latin-1, as they came over the wire (PEP 3333).  Knows names and values; calls nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from forkserver import __version__
from forkserver.http.fields import CHUNKED, Fields
from forkserver.http.request import Asked, Request

SOFTWARE = f"forkserver/{__version__}"
NAMES = 512  # of fields, whose variables are remembered

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


def of_section(variables: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Those of a section's variables that cannot pass for what a request says."""
    return {name: value for name, value in variables if name not in OF_REQUESTS and not name.startswith("HTTP_")}


def variables_of(base: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """What is the same for every request of a mount, and for every one of the same bytes.

    The ends of its connection are still to be told, and where no host was asked for, SERVER_NAME.
    """
    line, fields, host = asked.head[:3]
    values = fields.values
    environ = base | {
        "REQUEST_METHOD": line.method,
        "SCRIPT_NAME": asked.script,
        "PATH_INFO": asked.path,
        "QUERY_STRING": line.query,
        "REQUEST_URI": line.target,
        "SERVER_PROTOCOL": "HTTP/1.1" if line.minor else "HTTP/1.0",
        "SERVER_NAME": host,
    }
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
    return environ


def _join_cookies(environ: dict[str, Any], fields: Fields) -> None:
    """Of all fields that may come in several lines, Cookie alone is not a list with commas (RFC 9113 section 8.2.3)."""
    if "HTTP_COOKIE" in environ:
        environ["HTTP_COOKIE"] = "; ".join([value for name, value in fields.items if name == "cookie"])


def tell_length(environ: dict[str, Any], request: Request, length: int) -> None:
    """Of a body that came in chunks the length is known by now."""
    if request.asked.head.length == CHUNKED:
        environ["CONTENT_LENGTH"] = str(length)
