"""What is said on a connection: heads taken apart, bodies taken in, applications asked.

Knows the protocol's course up to the response; how that goes out is known to `delivery.py`, and how an application
that may take its time is asked, to `calls.py`.  Knows nothing of how the loop learns that a socket is ready.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from forkserver.config.options import Limits
from forkserver.http.detour import turned
from forkserver.http.forwarded import Believer, silenced
from forkserver.http.request import BadRequest, Head, HeadLimits, Parser, Request
from forkserver.http.response import CONTINUE, Elsewhere, Response, error_response
from forkserver.http.trust import NOBODY, Trust
from forkserver.serving.calls import Calls
from forkserver.serving.clock import Clock
from forkserver.serving.connection import Connection, State
from forkserver.serving.delivery import Delivery
from forkserver.serving.known import Known
from forkserver.serving.outside import Progress
from forkserver.serving.routing import Mount, Site
from forkserver.serving.spool import Spool

if TYPE_CHECKING:
    from forkserver.log import ErrorLog


TURNS = 10  # times that a request is sent on to another path, as Apache's LimitInternalRecursion has it


class Conversations:
    """The worker's side of all its conversations."""

    def __init__(
        self,
        *,
        site: Site,
        limits: Limits,
        clock: Clock,
        delivery: Delivery,
        progress: Progress,
        log: ErrorLog,
        calls: Calls | None = None,
        trust: Trust = NOBODY,
    ) -> None:
        """`calls` are for applications that may take their time; None where there are no such."""
        self.site, self.limits, self.clock = site, limits, clock
        self.delivery, self.progress, self.log, self.calls = delivery, progress, log, calls
        self.heads = HeadLimits(limits.request_line, limits.field, limits.fields, limits.field_count)
        self.parser = Parser(self.heads)
        self.believer = Believer(trust)
        self.at_once = min(limits.body, limits.body_memory)  # bytes of a body that need no spool
        self.hinted = False  # that somebody speaks for others who may not
        self.introduce: Callable[[Connection], bool] = lambda connection: False  # set by who knows all connections
        if calls:
            calls.turn = self.turn

    # From bytes to a request.

    def advance(self, connection: Connection) -> None:
        """Take as many steps as the bytes in the buffer allow; pipelined requests are answered in their order."""
        while connection.buffer and (step := _STEPS.get(connection.state)) and step(self, connection):
            pass

    def _read_head(self, connection: Connection) -> bool:
        """One step: a head.  False when it is not whole yet."""
        buffer = connection.buffer
        try:
            head = self.parser.parse(buffer)
        except BadRequest as error:
            self.refuse(connection, error.status, error.why)
            return False
        if head is None:
            return False
        size = head.size
        raw = buffer[:size]
        connection.buffer = buffer[size:]
        connection.began = self.clock.wall
        connection.received = size
        if not self.parser.knows(raw):
            raw = b""
        if head.fields.forwarded:
            return self._pass_on(connection, head, raw)
        self._meet(connection, head, raw)
        return True

    def _pass_on(self, connection: Connection, head: Head, raw: bytes) -> bool:
        """The peer speaks for somebody else: who is trusted is heard, and of others that is left out.

        Where some are trusted nothing is kept for the same bytes, since they mean one thing here and another there.
        """
        raw = b"" if self.believer.trust else raw
        if not connection.believed:
            self._hint(connection)
            self._meet(connection, silenced(head), raw)
            return True
        try:
            passed = self.believer.hear(head, connection.ends)
        except BadRequest as error:
            self.refuse(connection, error.status, error.why, head)
            return False
        connection.hear(passed)
        self._meet(connection, passed.head, raw)
        return True

    def _hint(self, connection: Connection) -> None:
        """Tell once, for who has set up a proxy and wonders."""
        if not self.hinted:
            self.hinted = True
            what = "tells of a client by fields such as X-Forwarded-For; they are left out, as it is not trusted"
            self.log.info(f"{connection.peer} {what} ([server] trusted); this is said once")

    def _meet(self, connection: Connection, head: Head, raw: bytes) -> None:
        """A head is whole: what does it want, and may it?  `raw` are its bytes where they hardly come for once."""
        mount = self.site.find(head)
        connection.head, connection.mount = head, mount
        if head.line.path == "*":
            self.delivery.answer(connection, Response(204, (("Allow", ", ".join(self.site.methods)),)))
        elif mount is None:
            self.delivery.answer(connection, error_response(404))
        elif mount.app.methods is not None and head.line.method not in mount.app.methods:
            allow = ("Allow", ", ".join(sorted(mount.app.methods)))
            self.delivery.answer(connection, error_response(405, "", (allow,)))
        elif not head.length:
            self._respond(connection, head, mount, b"", raw)
        elif 0 < head.length <= min(self.at_once, len(connection.buffer)):
            self._respond(connection, head, mount, self._body_at_hand(connection, head.length, mount), raw)
        else:
            self._expect_body(connection, head, mount)

    def _body_at_hand(self, connection: Connection, length: int, mount: Mount) -> bytes:
        """It came with its head, and is small."""
        buffer = connection.buffer
        connection.buffer = buffer[length:]
        connection.received += length
        connection.enter(State.BODY, self.clock.now)
        return buffer[:length] if mount.app.reads_body else b""

    def _expect_body(self, connection: Connection, head: Head, mount: Mount) -> None:
        """Before the body: room for it, and the word that the client may wait for (RFC 9110 section 10.1.1)."""
        limits = self.limits
        try:
            wanted = mount.app.reads_body
            connection.spool = Spool(head.length, limits.body, limits.body_memory, self.heads, wanted=wanted)
        except BadRequest as error:
            self.refuse(connection, error.status, error.why, head)
            return
        connection.enter(State.BODY, self.clock.now)
        if head.fields.expects_continue and not connection.buffer:
            with contextlib.suppress(OSError):  # the peer is gone: epoll says so next
                connection.send(CONTINUE)

    def _read_body(self, connection: Connection) -> bool:
        """One step: more of a body.  False when it is not whole yet."""
        spool, data, head = connection.spool, connection.buffer, connection.head
        assert spool is not None
        assert head is not None
        assert connection.mount is not None
        try:
            connection.buffer = spool.feed(data)
            body = spool.body() if spool.done else None
        except BadRequest as error:
            self.refuse(connection, error.status, error.why, head)
            return False
        except OSError as error:
            self.log.error(f"the body of a request cannot be kept: {error}")
            self.refuse(connection, 503, "There is no room for the body of the request.", head)
            return False
        connection.moved += len(data) - len(connection.buffer)
        if body is None:
            return False
        connection.received += connection.moved
        if isinstance(body, bytes):  # it is whole, and in nobody's keeping
            connection.spool = None
        self._respond(connection, head, connection.mount, body)
        return True

    # From a request to a reply.

    def _respond(
        self, connection: Connection, head: Head, mount: Mount, body: bytes | BinaryIO, raw: bytes = b""
    ) -> None:
        """Ask the application.  `raw` are the bytes of the head where they hardly come for once."""
        if mount.app.blocking:
            assert self.calls is not None
            self.calls.begin(connection, self._known(connection, head, mount, raw), body)
            return
        clock, known = self.clock, Known(head, mount, connection.passed)
        request = Request(known, connection.ends, body, clock.wall)
        progress = self.calls.crew.desk if self.calls else self.progress
        progress.begin(known.line, connection.peer, clock.now, clock.now + self.limits.request_timeout)
        try:
            response = mount.app.respond(request)
        except (Exception, SystemExit):  # the application's trouble, of whatever kind: it ends with this request
            self.log.error(f"{head.line.text!r} failed", traceback=traceback.format_exc())
            response = error_response(500)
        finally:
            progress.end()
        self.delivery.answer(connection, response, b"" if head.length else raw)

    def _known(self, connection: Connection, head: Head, mount: Mount, raw: bytes) -> Known:
        """What an application that may take its time is asked; kept where it hardly comes for once."""
        if not raw or connection.passed:
            return Known(head, mount, connection.passed)
        assert self.calls is not None
        known = self.calls.known.find(raw)
        if known is None:
            known = Known(head, mount)
            known.kept = True
            self.calls.known.put(raw, known)
        return known

    def turn(self, connection: Connection, response: Elsewhere) -> None:
        """An application has another path of ours answer for it; the body of the request is not for that one."""
        head = connection.head
        assert head is not None
        try:
            there = turned(head, response.target)
        except BadRequest as error:
            self._lost(connection, 500, f"the application sends it on to where no path is: {error.why}")
            return
        if there.turns > TURNS:
            self._lost(connection, 508, f"sent on from path to path {TURNS} times")
            return
        connection.part()
        spool, connection.spool = connection.spool, None
        if spool:
            spool.close()
        self._meet(connection, there, b"")

    def _lost(self, connection: Connection, status: int, why: str) -> None:
        self.log.error(f"{connection.line!r}: {why}")
        self.delivery.answer(connection, error_response(status))

    def refuse(self, connection: Connection, status: int, why: str, head: Head | None = None) -> None:
        """Answer what cannot be served, and close: where a next request would begin is in doubt.

        Without a `head` it is the head itself that cannot be read.
        """
        self.log.info(f"{connection.peer}: {status}: {why}")
        connection.head = head
        if head is None:
            connection.began = self.clock.wall
            connection.received = len(connection.buffer)
        elif connection.spool:
            connection.received += connection.moved
        self.delivery.answer(connection, error_response(status, why), refused=True)

    def turn_away(self, connection: Connection) -> None:
        """A client has too many connections: say so on the newest, without waiting for what it wants."""
        self.refuse(connection, 503, "There are too many connections from your address.")


_STEPS: dict[State, Callable[[Conversations, Connection], bool]] = {
    State.GREETING: lambda talk, connection: talk.introduce(connection),
    State.READING: Conversations._read_head,
    State.BODY: Conversations._read_body,
}
