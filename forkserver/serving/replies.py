"""Ready replies: what was answered to the very same bytes, kept while it is still true.

A keep-alive client sends the same head again and again, and so do thousands of clients of the same kind.  Knows
bytes; an application says through `Response.still` whether its answer may be given again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from forkserver.http.memo import Memo
from forkserver.http.request import Head
from forkserver.serving.reply import Reply

ENTRIES = 4096
MEMORY = 8 << 20  # bytes of replies
LARGEST = 136 << 10  # bytes of a reply worth keeping: what `static` keeps in memory, and its head
NOTED = 4096  # log lines kept within one second, for all replies
LONGEST = 1024  # characters of such a line


@dataclass(slots=True)
class Ready:
    """One reply, whole but for its date."""

    head: Head
    status: int
    fields: tuple[tuple[str, str], ...]
    before: bytes  # the Date value
    after: bytes  # ... and to the end of the head
    body: bytes  # the application's own, not a copy
    still: Callable[[], bool]
    keep: bool  # the connection stays open
    second: int = -1  # for which `wire` and `lines` hold
    wire: bytes = b""
    lines: dict[str, str] = field(default_factory=dict)  # of the access log, by peer

    def reply(self, sent: int) -> Reply:
        """The same on its way, for where more must be known than its bytes; `sent` bytes are out already."""
        reply = Reply(self.head, self.status, self.fields, b"", b"", deque(), None, self.keep)
        reply.head_size = len(self.wire) - len(self.body)
        if sent < len(self.wire):
            reply.parts.append(memoryview(self.wire)[sent:])
        return reply


def _weight(request: bytes, ready: Ready) -> int:
    return len(request) + len(ready.body) + 512  # the wire's bytes; heads are of a size


class Replies:
    """The replies that one worker keeps."""

    def __init__(self) -> None:
        self.memo: Memo[bytes, Ready] = Memo(ENTRIES, MEMORY, _weight)
        self.noted: list[Ready] = []  # those that have lines of this second

    def forget(self) -> None:
        """Nothing is ready any more."""
        self.memo = Memo(0, 0, _weight)

    def keep(self, request: bytes, ready: Ready) -> None:
        self.memo.put(request, ready)

    def refresh(self, request: bytes, ready: Ready, second: int, date: bytes) -> bool:
        """Make it the reply of this second; False, and forgotten, when it is not true any more."""
        if not ready.still():
            self.memo.forget(request)
            return False
        ready.wire = b"".join((ready.before, date, ready.after, ready.body))
        ready.second = second
        return True

    def note(self, ready: Ready, peer: str, line: str) -> None:
        """Keep a log line for the rest of this second."""
        if line and len(line) <= LONGEST and len(self.noted) < NOTED:
            self.noted.append(ready)
            ready.lines[peer] = line

    def forget_lines(self) -> None:
        """A new second."""
        for ready in self.noted:
            ready.lines.clear()
        self.noted.clear()
