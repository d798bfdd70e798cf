"""The environ of a request (PEP 3333, "environ Variables").

What many requests have in common is one dict, copied for each of them.  Knows what WSGI adds to the variables that
all gateway interfaces share (`apps/metavariables.py`); calls nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from forkserver.apps.errorlines import Errors
from forkserver.apps.metavariables import SOFTWARE, of_section, told_of
from forkserver.apps.wsgi.streams import NOTHING
from forkserver.http.request import Asked

Environ = dict[str, Any]

# Set anew for each request; they stand in every template so that its copies need not grow.
OF_REQUEST: dict[str, Any] = {
    "REMOTE_ADDR": "",
    "REMOTE_PORT": "",
    "SERVER_PORT": "",
    "wsgi.input": NOTHING,
    "forkserver.deadline": None,
}


def base_of(
    variables: Iterable[tuple[str, str]], errors: Errors, wrapper: Callable[..., Any], *, threads: int
) -> Environ:
    """What is the same for every request of a mount.

    `variables` are those of its section; `threads` of one worker may be inside the application at once.
    """
    return {
        **of_section(variables),
        **OF_REQUEST,
        "SERVER_SOFTWARE": SOFTWARE,
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
    environ = told_of(base, asked)
    environ["RAW_URI"] = asked.head.line.target
    environ["wsgi.url_scheme"] = asked.scheme
    return environ
