"""What is known of a request for an application before it is called, and how its replies look.

A keep-alive client sends the same head again and again: then all of this is found by the very bytes.  Knows nothing of
how an application is called.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from forkserver.http.forwarded import Passed
from forkserver.http.memo import Memo
from forkserver.http.request import Asked, Head
from forkserver.serving.reply import Reply
from forkserver.serving.routing import Mount

if TYPE_CHECKING:
    from forkserver.policy import Policy

ENTRIES = 512
MEMORY = 4 << 20  # bytes
ENVIRON = 4096  # bytes that an application keeps of a request's head, about
NOTED = 64  # log lines kept within one second for one request: one for each of so many clients


class Known(Asked):
    """What a head asks for, and where it leads."""

    __slots__ = ("line", "lines", "manner", "mount", "second")

    def __init__(self, head: Head, mount: Mount, passed: Passed | None = None) -> None:
        """`passed` is what a trusted proxy says of the request."""
        line, script = head.line, mount.prefix
        super().__init__(head, script, line.path[len(script) :])
        if passed:
            self.scheme, self.ends = passed.scheme, passed.ends
        self.mount = mount
        self.line = line.text.encode("latin-1")
        # What a reply depends on.
        self.manner = (line.method == "HEAD", line.minor, head.keep_alive, mount.policy)
        self.second = -1  # for which `lines` hold
        self.lines: dict[tuple[str, Shape], str] = {}  # of the access log, by peer

    def keep_line(self, peer: str, shape: Shape, line: str, second: int) -> None:
        """For the rest of this second."""
        if self.second != second:
            self.second = second
            self.lines.clear()
        if len(self.lines) < NOTED:
            self.lines[peer, shape] = line


class Shape:
    """A reply but for its date and its body."""

    __slots__ = ("after", "before", "fields", "keep", "quiet", "status")

    def __init__(self, reply: Reply) -> None:
        self.before, self.after = reply.before, reply.after
        self.status, self.fields, self.keep, self.quiet = reply.status, reply.fields, reply.keep, reply.quiet

    def reply(self, known: Known, wire: bytes, size: int, sent: int) -> Reply:
        """The same on its way, where more must be known than its bytes; of the wire `sent` bytes are out already."""
        reply = Reply(known.head, self.status, self.fields, b"", b"", deque(), None, self.keep)
        reply.head_size, reply.quiet = len(wire) - size, self.quiet
        if sent < len(wire):
            reply.parts.append(memoryview(wire)[sent:])
        return reply


# All that the shape of a reply depends on: status, fields, length as declared and as it is, the request's manner.
ShapeKey: TypeAlias = "tuple[int, tuple[tuple[str, str], ...], int | None, int, tuple[bool, int, bool, Policy | None]]"


def memo_of_requests() -> Memo[bytes, Known]:
    return Memo(ENTRIES, MEMORY, lambda raw, _: 2 * len(raw) + ENVIRON)


def memo_of_shapes() -> Memo[ShapeKey, Shape]:
    return Memo(ENTRIES, MEMORY, lambda _, shape: len(shape.after) + 256)
