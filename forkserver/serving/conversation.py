"""What is said on a connection: heads taken apart, bodies taken in, applications asked, replies sent and logged.

Knows the protocol's course from the first byte of a request to the last of its reply; knows nothing of how the loop
learns that a socket is ready, and of no other process.
"""

from __future__ import annotations

import contextlib
import socket
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from forkserver.config.options import Limits
from forkserver.http.request import BadRequest, Head, HeadLimits, Parser, Request
from forkserver.http.response import CONTINUE, Response, error_response
from forkserver.log.format import Exchange
from forkserver.serving.clock import Clock
from forkserver.serving.connection import Connection, State
from forkserver.serving.ledger import Ledger
from forkserver.serving.outside import Progress
from forkserver.serving.replies import Ready, Replies
from forkserver.serving.reply import BrokenOff, Reply, compose
from forkserver.serving.routing import Mount, Site
from forkserver.serving.spool import Spool

if TYPE_CHECKING:
    from forkserver.log import ErrorLog

LINE = 1024  # bytes of a request line that could not be read that are logged


class Conversations:
    """The worker's side of all its conversations."""

    def __init__(
        self,
        *,
        site: Site,
        limits: Limits,
        clock: Clock,
        ledger: Ledger,
        progress: Progress,
        log: ErrorLog,
        server: str,
        close: Callable[[Connection], None],
    ) -> None:
        """`server` is the value of the Server field, "" for none; `close` closes a connection and forgets it."""
        self.site, self.limits, self.clock, self.ledger = site, limits, clock, ledger
        self.progress, self.log, self.server, self.close = progress, log, server, close
        self.replies = Replies()
        self.heads = HeadLimits(limits.request_line, limits.field, limits.fields, limits.field_count)
        self.parser = Parser(self.heads)
        self.leaving = False  # every reply from now on is the last of its connection

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
        connection.buffer = buffer[head.size :]
        connection.began = self.clock.wall
        connection.received = head.size
        self._meet(connection, head, buffer[: head.size])
        return True

    def _meet(self, connection: Connection, head: Head, raw: bytes) -> None:
        """A head is whole: what does it want, and may it?"""
        mount = self.site.find(head)
        connection.head, connection.mount = head, mount
        if head.line.path == "*":
            self._answer(connection, Response(204, (("Allow", ", ".join(self.site.methods)),)))
        elif mount is None:
            self._answer(connection, error_response(404))
        elif mount.app.methods is not None and head.line.method not in mount.app.methods:
            allow = ("Allow", ", ".join(sorted(mount.app.methods)))
            self._answer(connection, error_response(405, "", (allow,)))
        elif head.length:
            self._expect_body(connection, head, mount)
        else:
            self._respond(connection, head, mount, b"", raw)

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
        self._respond(connection, head, connection.mount, body)
        return True

    # From a request to a reply.

    def _respond(
        self, connection: Connection, head: Head, mount: Mount, body: bytes | BinaryIO, raw: bytes = b""
    ) -> None:
        """Ask the application.  `raw` are the bytes of a request that was nothing but its head."""
        clock, script = self.clock, mount.prefix
        peer = (connection.peer, connection.port)
        path = head.line.path[len(script) :]
        request = Request(head, body, peer, connection.local, "http", script, path, clock.wall)
        line, limit = head.line.text.encode("latin-1"), clock.now + self.limits.request_timeout
        self.progress.begin(line, connection.peer, clock.now, limit)
        try:
            response = mount.app.respond(request)
        except (Exception, SystemExit):  # the application's trouble, of whatever kind: it ends with this request
            self.log.error(f"{head.line.text!r} failed", traceback=traceback.format_exc())
            response = error_response(500)
        finally:
            self.progress.end()
        self._answer(connection, response, raw)

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
        self._answer(connection, error_response(status, why), refused=True)

    def _answer(self, connection: Connection, response: Response, raw: bytes = b"", *, refused: bool = False) -> None:
        """Begin a reply.  While the peer is, or may be, still sending what nobody will read, it must linger."""
        head = connection.head
        unread = head is not None and head.length != 0 and connection.state is State.READING
        keep = head is not None and head.keep_alive and not (refused or unread or self.leaving)
        try:
            reply = compose(head, response, keep=keep, server=self.server)
        except Exception as error:  # the application's trouble: what it gave back is no response
            self.log.error(f"{connection.line!r}: the application's reply cannot be sent: {error}")
            response = error_response(500)
            reply = compose(head, response, keep=keep, server=self.server)
        reply.linger = refused or unread
        if refused:
            reply.line = connection.buffer[:LINE].lstrip(b"\r\n").partition(b"\r\n")[0].decode("latin-1")
            connection.buffer = b""
        if raw and response.still and not self.leaving:
            self._consider(raw, response, reply)
        reply.start(self.clock.date)
        connection.reply = reply
        connection.enter(State.WRITING, self.clock.now)
        self.flush(connection)

    def _consider(self, raw: bytes, response: Response, reply: Reply) -> None:
        """Keep a reply for the next who sends the same bytes."""
        body = reply.parts[0] if reply.parts else b""
        if len(reply.parts) > 1 or not isinstance(body, bytes) or reply.source:
            return
        if self.replies.worth_keeping(raw, len(body)) and response.still and reply.head:
            ready = Ready(
                reply.head, reply.status, reply.fields, reply.before, reply.after, body, response.still, reply.keep
            )
            self.replies.keep(raw, ready)

    # From a reply to the wire, and to the log.

    def flush(self, connection: Connection) -> None:
        """Send what the socket takes; once all is out, log it and go on."""
        try:
            if connection.send_whole() or connection.flush(self.clock.now):
                self._finish(connection)
        except OSError as error:
            self.abort(connection, str(error))
        except BrokenOff:
            self.log.error(f"{connection.line!r}: the reply broke off", traceback=traceback.format_exc())
            self.abort(connection, "the reply broke off")

    def _finish(self, connection: Connection) -> None:
        reply = connection.reply
        assert reply is not None
        self.enter_log(connection, reply)
        if reply.origin is None and connection.spool is None:
            connection.reply = None
        else:
            self._release(connection)
        connection.head = connection.mount = None
        connection.answered += 1
        if reply.keep:
            connection.enter(State.READING, self.clock.now)
        elif reply.linger or connection.buffer:
            connection.enter(State.LINGERING, self.clock.now)
            connection.socket.shutdown(socket.SHUT_WR)
        else:
            self.close(connection)

    def enter_log(self, connection: Connection, reply: Reply, *, aborted: bool = False) -> str:
        """Note a reply as given; give its log line."""
        head, sent = reply.head, connection.moved
        return self.ledger.enter(
            Exchange(  # in the order of its fields: by name it would cost twice as much
                connection.peer,
                connection.port,
                connection.local[1],
                head.host if head else "",
                head,
                head.line.text if head else reply.line,
                "",  # nobody is authenticated yet
                reply.status,
                max(0, sent - reply.head_size - reply.framing),
                connection.received,
                sent,
                connection.began,
                time.time() if self.ledger.timed else 0.0,
                reply.fields,
                reply.keep,
                aborted,
            )
        )

    def abort(self, connection: Connection, why: str) -> None:
        """The connection cannot go on; what was sent of a reply is logged as it is."""
        self.log.debug(f"{connection.peer}: {why}")
        if connection.reply:
            self.enter_log(connection, connection.reply, aborted=True)
            self._release(connection)
        self.close(connection)

    def _release(self, connection: Connection) -> None:
        """The reply is done with, sent or not; so is the body of the request, which it may have been made from."""
        reply, connection.reply = connection.reply, None
        spool, connection.spool = connection.spool, None
        try:
            if reply:
                reply.close()
        except (Exception, SystemExit):  # the application's trouble: its reply is out, or nobody waits for it
            self.log.error(f"{connection.line!r} failed at its end", traceback=traceback.format_exc())
        if spool:
            spool.close()

    def turn_away(self, connection: Connection) -> None:
        """A client has too many connections: say so on the newest, without waiting for what it wants."""
        self.refuse(connection, 503, "There are too many connections from your address.")


_STEPS: dict[State, Callable[[Conversations, Connection], bool]] = {
    State.READING: Conversations._read_head,
    State.BODY: Conversations._read_body,
}
