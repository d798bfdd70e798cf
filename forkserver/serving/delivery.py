"""From a response to the wire, and to the access log.

Knows how a reply begins, goes on and ends on its connection, whoever made it; knows nothing of requests still to be
read.
"""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from forkserver.http.request import Head
from forkserver.http.response import Response, Verbatim, error_response
from forkserver.log.format import Exchange
from forkserver.serving.clock import Clock
from forkserver.serving.connection import Connection, Flushed, State
from forkserver.serving.known import Shape
from forkserver.serving.ledger import Ledger
from forkserver.serving.replies import LARGEST, Ready, Replies
from forkserver.serving.reply import BrokenOff, Reply, WrongLength, compose

if TYPE_CHECKING:
    from forkserver.log import ErrorLog

LEFT = 499  # no status of HTTP: what nginx logs where nobody waited for the answer, and what others look for
LINE = 1024  # bytes of a request line that could not be read that are logged


class Delivery:
    """The worker's side of all its replies."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, log: ErrorLog, server: str, close: Callable[[Connection], None]
    ) -> None:
        """`server` is the value of the Server field, "" for none; `close` closes a connection and forgets it."""
        self.clock, self.ledger, self.log, self.server, self.close = clock, ledger, log, server, close
        self.replies = Replies()
        self.leaving = False  # every reply from now on is the last of its connection

    def answer(
        self,
        connection: Connection,
        response: Response,
        raw: bytes = b"",
        *,
        refused: bool = False,
        flow: Iterator[bytes] | None = None,
    ) -> Reply:
        """Begin a reply, and give it.  While the peer may still be sending what nobody will read, it must linger.

        `raw` are the bytes of a request that was nothing but its head, where they hardly come for once; a `flow`
        stands in for the response's body.
        """
        head = connection.head
        unread = head is not None and head.length != 0 and connection.state is State.READING
        keep = head is not None and head.keep_alive and not (refused or unread or self.leaving)
        policy = connection.mount.policy if connection.mount else None
        encode = None
        try:
            if policy and not isinstance(response, Verbatim):
                response, encode = policy.dress(head, response, flows=flow is not None)
            reply = compose(head, response, keep=keep, server=self.server, flow=flow, encode=encode)
        except Exception as error:  # the application's trouble: what it gave back is no response
            self.log.error(f"{connection.line!r}: the application's reply cannot be sent: {error}")
            response = error_response(500)
            reply = compose(head, response, keep=keep, server=self.server)
        reply.linger = refused or unread
        reply.quiet = policy is not None and not policy.logged
        if refused:
            reply.line = connection.buffer[:LINE].lstrip(b"\r\n").partition(b"\r\n")[0].decode("latin-1")
            connection.buffer = b""
        if raw and response.still and not self.leaving:
            self._consider(raw, response, reply)
        if reply.source is flow is not None and (first := next(flow, b"")):
            reply.parts.append(first)
        reply.start(self.clock.date)
        connection.reply = reply
        connection.enter(State.WRITING, self.clock.now)
        self.flush(connection)
        return reply

    def _consider(self, raw: bytes, response: Response, reply: Reply) -> None:
        """Keep a reply for the next who sends the same bytes."""
        body = reply.parts[0] if reply.parts else b""
        if len(reply.parts) > 1 or not isinstance(body, bytes) or len(body) > LARGEST or reply.source:
            return
        if response.still and reply.head:
            ready = Ready(
                *(reply.head, reply.status, reply.fields, reply.before, reply.after),
                *(body, response.still, reply.keep, reply.quiet),
            )
            self.replies.keep(raw, ready)

    def half_sent(self, connection: Connection, reply: Reply, sent: int) -> None:
        """The socket took only so many bytes of a reply that was sent in one go: the rest goes the long way."""
        connection.reply = reply
        connection.enter(State.WRITING, self.clock.now)
        connection.moved = sent

    def flush(self, connection: Connection) -> None:
        """Send what the socket takes; once all is out, log it and go on."""
        try:
            if connection.send_whole():
                self._finish(connection)
                return
            outcome = connection.flush(self.clock.now)
        except OSError as error:
            self.abort(connection, str(error))
        except BrokenOff as broken:
            self._broken(connection, broken)
        else:
            if outcome is Flushed.DONE:
                self._finish(connection)
            elif outcome is Flushed.STARVED:
                connection.pause(self.clock.now)
            else:
                connection.resume(self.clock.now)

    def _broken(self, connection: Connection, broken: BrokenOff) -> None:
        """The application failed in the middle: the connection's end tells the client."""
        cause = broken.__cause__
        if isinstance(cause, WrongLength):
            self.log.error(f"{connection.line!r}: the reply broke off: {cause}")
        elif connection.call is None or connection.call.error is None:  # else its thread has said so
            self.log.error(f"{connection.line!r}: the reply broke off", traceback=traceback.format_exc())
        self.abort(connection, f"the reply broke off: {cause}")

    def _finish(self, connection: Connection) -> None:
        reply = connection.reply
        assert reply is not None
        self.enter_log(connection, reply)
        if reply.origin is None and connection.spool is None and connection.call is None:
            connection.reply = None
        else:
            self._release(connection)
        connection.head = connection.mount = None
        if connection.passed:
            connection.hear(None)
        connection.answered += 1
        if reply.keep:
            connection.enter(State.READING, self.clock.now)
        elif reply.linger or connection.buffer:
            connection.enter(State.LINGERING, self.clock.now)
            connection.socket.shutdown(socket.SHUT_WR)
        else:
            self.close(connection)

    def enter_log(self, connection: Connection, reply: Reply, *, aborted: bool = False) -> str:
        """Note a reply as given, whole or not; give its log line."""
        sent = connection.moved
        body = max(0, sent - reply.head_size - reply.framing)
        return self.note(connection, reply.head, reply, body, sent, line=reply.line, aborted=aborted)

    def note(
        self,
        connection: Connection,
        head: Head | None,
        answer: Reply | Ready | Shape,
        body: int,
        sent: int,
        *,
        line: str = "",
        aborted: bool = False,
    ) -> str:
        """The same of any answer: `sent` bytes, of which `body` were its body's; `line` where there is no head."""
        if answer.quiet:
            self.ledger.count(sent)
            return ""
        policy = connection.mount.policy if connection.mount else None
        return self.ledger.enter(
            Exchange(  # in the order of its fields: by name it would cost twice as much
                connection.peer,
                connection.asker.peer[1],
                connection.ends.local[1],
                head.host if head else "",
                head,
                head.line.text if head else line,
                policy.user(head) if policy and head else "",
                answer.status,
                body,
                connection.received,
                sent,
                connection.began,
                time.time() if self.ledger.timed else 0.0,
                answer.fields,
                answer.keep,
                aborted,
            )
        )

    def drop(self, connection: Connection) -> None:
        """The client left before there was an answer, or in the middle of it."""
        if connection.reply is None:
            connection.reply = compose(connection.head, Response(LEFT), keep=False, server="")
        self.abort(connection, "the client left")

    def abort(self, connection: Connection, why: str) -> None:
        """The connection cannot go on; what was sent of a reply is logged as it is."""
        self.log.debug(f"{connection.peer}: {why}")
        if connection.reply:
            self.enter_log(connection, connection.reply, aborted=True)
            self._release(connection)
        self.close(connection)

    def _release(self, connection: Connection) -> None:
        """The reply is done with, sent or not; so is the body of the request, which it may have been made from."""
        connection.part()
        reply, connection.reply = connection.reply, None
        spool, connection.spool = connection.spool, None
        try:
            if reply:
                reply.close()
        except (Exception, SystemExit):  # the application's trouble: its reply is out, or nobody waits for it
            self.log.error(f"{connection.line!r} failed at its end", traceback=traceback.format_exc())
        if spool:
            spool.close()
