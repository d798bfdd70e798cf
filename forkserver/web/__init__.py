"""A small API for sites: `web = module:site` serves one, and every WSGI server can.

    from forkserver.web import Request, Response, Site

    site = Site()

    @site.get("/hello/<name>")
    def hello(request: Request, name: str) -> str:
        return f"Hello, {name}!"

Knows nothing of the server but its messages (`forkserver.http`).  Templates, sessions and forms with files need
libraries: pip install 'forkserverd[web]'.
"""

from __future__ import annotations

from forkserver.web.cookies import Cookie
from forkserver.web.errors import (
    BadRequest,
    Conflict,
    ContentTooLarge,
    Forbidden,
    Gone,
    HTTPError,
    MethodNotAllowed,
    MissingValue,
    NotFound,
    UnprocessableContent,
    UnsupportedMediaType,
)
from forkserver.web.events import Event
from forkserver.web.extras import MissingLibrary
from forkserver.web.forms import Limits, Upload, Uploads
from forkserver.web.request import Request
from forkserver.web.response import Response, is_local
from forkserver.web.sessions import Session
from forkserver.web.site import Site
from forkserver.web.values import Headers, Values

__all__ = [
    "BadRequest",
    "Conflict",
    "ContentTooLarge",
    "Cookie",
    "Event",
    "Forbidden",
    "Gone",
    "HTTPError",
    "Headers",
    "Limits",
    "MethodNotAllowed",
    "MissingLibrary",
    "MissingValue",
    "NotFound",
    "Request",
    "Response",
    "Session",
    "Site",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "Upload",
    "Uploads",
    "Values",
    "is_local",
]
