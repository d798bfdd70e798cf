"""What a script is told: its environment and its command line (RFC 3875 sections 4.1 and 4.4).

Knows names, values and their order; starts nothing.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote_to_bytes

from forkserver.apps.cgi.scripts import Script
from forkserver.apps.metavariables import SOFTWARE, of_section, variables_of
from forkserver.http.request import Request

# RFC 3875 section 4.4:  search-string = search-word *( "+" search-word ); a "=" makes it a form's and no search.
_SEARCH = re.compile(r"[A-Za-z0-9%;/?:@&,$\-_.!~*'()]+(?:\+[A-Za-z0-9%;/?:@&,$\-_.!~*'()]+)*")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ACTIVE = re.compile(rb"([&;`'\"|*?~<>^()\[\]{}$\\\n\xff])")  # in the Bourne shell, as Apache has it (section 7.2)
_WORDS = 1024  # of a command line

# What clients sign in with is not for scripts (section 4.1.18, section 9.2); PROXY_AUTHORIZATION in no case.
_SECRET = ("HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION")


def base_of(variables: tuple[tuple[str, str], ...]) -> dict[bytes, bytes]:
    """What a script has before anything is known of a request; a PATH of the section stands in for ours."""
    given = of_section(variables)
    path = os.environ.get("PATH", os.defpath)
    return {name.encode(): os.fsencode(value) for name, value in {"PATH": path, **given}.items()}


def told_of(request: Request, script: Script, root: bytes, length: int, *, secrets: bool) -> dict[bytes, bytes]:
    """The meta-variables of a request.

    `root` is the folder that PATH_TRANSLATED leads into, `length` that of the body; with `secrets` the script is told
    what the client signs in with.
    """
    told = variables_of({}, request.asked)
    for name in _SECRET[1 if secrets else 0 :]:
        told.pop(name, None)
    told.update((request.asked.ends or request.ends).variables)
    told["REMOTE_HOST"] = told["REMOTE_ADDR"]  # section 4.1.9: nobody is asked for the name
    told["SERVER_NAME"] = told["SERVER_NAME"] or request.local[0]
    told["SERVER_SOFTWARE"] = SOFTWARE
    told["GATEWAY_INTERFACE"] = "CGI/1.1"
    told["REQUEST_SCHEME"] = request.scheme
    told["SCRIPT_NAME"] = request.script + script.name
    told["PATH_INFO"] = script.rest
    if length or request.head.length:
        told["CONTENT_LENGTH"] = str(length)
    values = {name.encode("latin-1"): value.encode("latin-1") for name, value in told.items()}
    values[b"SCRIPT_FILENAME"] = script.file
    values[b"DOCUMENT_ROOT"] = root
    if script.rest:  # no path has a dot segment: it leads nowhere else
        values[b"PATH_TRANSLATED"] = root + values[b"PATH_INFO"]
    return values


def arguments_of(request: Request) -> list[bytes]:
    """The words of an indexed query; none for any other, nor where one of them can be no argument (section 4.4)."""
    line = request.head.line
    if line.method not in ("GET", "HEAD") or not _SEARCH.fullmatch(line.query) or _BROKEN_PERCENT.search(line.query):
        return []
    words = [unquote_to_bytes(word) for word in line.query.split("+")]
    if len(words) > _WORDS or any(b"\0" in word for word in words):
        return []
    return [_ACTIVE.sub(rb"\\\1", word) for word in words]
