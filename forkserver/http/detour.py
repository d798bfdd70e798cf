"""A request that is answered by another path than the one that was asked for (RFC 3875 section 6.2.2).

Knows heads; nothing of who sends on, and of what is mounted where.
"""

from __future__ import annotations

from forkserver.http.grammar import BadRequest
from forkserver.http.request import Head
from forkserver.http.target import parse_line

OF_BODIES = frozenset({"expect", "transfer-encoding"})  # besides those that begin with "content-"


class Detour(Head):
    """The head of such a request."""

    turns: int  # times that it was sent on


def turned(head: Head, target: str) -> Detour:
    """The head of a GET, or of a HEAD, of `target`, otherwise as `head`, and without a body.

    The text of its request line stays what the client sent: the log tells of requests that came.
    BadRequest for what is no path of this server, as in a request line.
    """
    if not target.startswith("/"):
        raise BadRequest(400, "the target is no path")
    method = "HEAD" if head.line.method == "HEAD" else "GET"
    line = parse_line(f"{method} {target} HTTP/1.{head.line.minor}".encode())
    line = line._replace(text=head.line.text, authority=head.line.authority)
    items = tuple([item for item in head.fields.items if not _of_body(item[0])])
    values = {name: value for name, value in head.fields.values.items() if not _of_body(name)}
    fields = head.fields._replace(items=items, values=values, length=0, sized=False, expects_continue=False)
    made = Detour(line, fields, head.host, 0, head.keep_alive, head.size)
    made.turns = getattr(head, "turns", 0) + 1
    return made


def _of_body(name: str) -> bool:
    """Whether a field, its name in lower case, tells of the body that a request came with."""
    return name.startswith("content-") or name in OF_BODIES
