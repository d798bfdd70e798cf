"""The calls of applications that may take their time: begun, run, and made into replies.

Knows what becomes of a call at each moment of its life; which thread it runs in is known to `crew.py`, how a reply goes
out to `delivery.py`.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from forkserver.http.response import Elsewhere, Response, bodied, error_response, has_body
from forkserver.serving.call import Call
from forkserver.serving.clock import Clock
from forkserver.serving.connection import Connection, State
from forkserver.serving.crew import Crew
from forkserver.serving.delivery import Delivery
from forkserver.serving.known import Known, Shape, ShapeKey, memo_of_requests, memo_of_shapes
from forkserver.serving.performing import Performing
from forkserver.serving.reply import discard
from forkserver.serving.timeout import RequestTimeout
from forkserver.serving.watch import Watch

if TYPE_CHECKING:
    from forkserver.log import ErrorLog
    from forkserver.serving.outside import Loop


class Calls(Performing):
    """All calls of one worker."""

    def __init__(
        self,
        *,
        crew: Crew,
        watch: Watch,
        clock: Clock,
        delivery: Delivery,
        log: ErrorLog,
        resume: Callable[[Connection], None],
        give_up: Callable[[str], None],
    ) -> None:
        """`resume` goes on with a connection whose reply moved; `give_up` has this process replaced and is told why.

        `turn` is set by who knows all mounts: it has another path answer instead.
        """
        self.crew, self.watch, self.clock, self.delivery, self.log = crew, watch, clock, delivery, log
        self.ledger = delivery.ledger
        self.resume, self.give_up = resume, give_up
        self.turn: Callable[[Connection, Elsewhere], None]
        self.known = memo_of_requests()
        self.shapes = memo_of_shapes()
        crew.acts = self

    def lead(self, loop: Loop) -> None:
        """Have the crew lead the loop until it is done."""
        self.crew.run(loop, self.watch.run)

    # The hot path of an application's call: what the leader runs itself.

    def begin(  # noqa: C901, PLR0912 - one function on purpose, without hops
        self, connection: Connection, known: Known, body: bytes | BinaryIO
    ) -> None:
        """Call the application, or have it called, and answer as far as there is an answer."""
        crew, clock = self.crew, self.clock
        call = Call(known, body, clock.wall, connection, known.mount, crew)
        try:
            if not crew.enter(call, known.line, clock.now):
                self._part_from(call)
                return
            self.perform(call)
            leads = crew.leave(call)
        except RequestTimeout:  # it came when the application was through already, or not there yet
            leads = crew.leave(call)
        if not leads:
            crew.returned(call)
        response = call.response
        if call.box is None and response is not None:
            content = response.body
            if type(content) is not bytes or connection.spool is not None or self.delivery.leaving:
                self._answer(connection, response)
                return
            # The short way of a reply like one before: nothing but its date and its body is new.
            key = (response.status, response.fields, response.length, len(content), known.manner)
            shape = self.shapes.get(key)
            if shape is None:
                self._learn(connection, key, response)
                return
            wire = b"".join((shape.before, clock.date, shape.after, content))
            try:
                sent = connection.send(wire)
            except BlockingIOError:  # full before it took one byte
                sent = 0
            except OSError as error:
                self.delivery.abort(connection, str(error))
                return
            if sent != len(wire):
                self.delivery.half_sent(connection, shape.reply(known, wire, len(content), sent), sent)
                return
            line = known.lines.get((connection.peer, shape)) if known.second == clock.second else None
            if line is None:
                self._note(connection, known, shape, wire, len(content))
            else:
                ledger = self.ledger
                ledger.lines.append(line)
                ledger.requests += 1
                ledger.sent += sent
            connection.head = connection.mount = None
            connection.since = clock.now
            connection.answered += 1
            if connection.state is not State.READING:
                connection.enter(State.READING, clock.now)
        elif call.gone:  # in the middle, with one thread alone
            self._bury(call)
        else:
            connection.call = call
            self._settle(call)

    # Off the hot path: a reply that needs more than sending.

    def _answer(self, connection: Connection, response: Response) -> None:
        """A reply that is whole, or is to be had elsewhere."""
        if isinstance(response, Elsewhere):
            self.turn(connection, response)
        else:
            self.delivery.answer(connection, response)

    def _learn(self, connection: Connection, key: ShapeKey, response: Response) -> None:
        """A reply of a shape that is not among the young: the long way, and it is kept for the next time."""
        plain = connection.head is not None and has_body(connection.head.line.method, response.status)
        policy = connection.mount.policy if connection.mount else None
        alike = policy is None or policy.alike(response)
        known = self.shapes.find(key)
        reply = self.delivery.answer(connection, response)
        if known is None and alike and plain and reply.keep and not reply.source:
            self.shapes.put(key, Shape(reply))

    def _note(self, connection: Connection, known: Known, shape: Shape, wire: bytes, size: int) -> None:
        """Log a reply for a peer that had none like it in this second."""
        line = self.delivery.note(connection, known.head, shape, size, len(wire))
        if known.kept and self.ledger.format.repeatable:
            known.keep_line(connection.peer, shape, line, self.clock.second)

    def _part_from(self, call: Call) -> None:
        """Another thread has it, or will."""
        call.connection.call = call
        call.connection.enter(State.RUNNING, self.clock.now)

    # The leader looks at calls.

    def tick(self) -> float:
        """Look at the clock in the middle of a turn of the loop; gives the time."""
        if self.clock.tick():
            self.delivery.replies.forget_lines()
        return self.clock.now

    def take_over(self, calls: list[Call]) -> None:
        """A new leader begins: what the old one had in hand, and all that was noticed meanwhile."""
        self.tick()
        for call in calls:
            self._part_from(call)
            self.attend(call)
        self.attend_all()

    def ring(self) -> None:
        """The bell rang: some calls want to be looked at."""
        os.eventfd_read(self.crew.bell)
        self.attend_all()

    def sweep(self) -> None:
        """Once a second: those that have waited for a thread for too long, and threads that have rested for long."""
        self.crew.dismiss(self.clock.now)
        for call in self.crew.overdue(self.clock.now):
            self.crew.insist(call)  # to be looked at one by one: with each the lead may be lost

    def attend_all(self) -> None:
        """Those that are there now: where streams never end there is always one more, and other work to be done."""
        noticed = self.crew.noticed
        for _ in range(len(noticed)):
            self.attend(noticed.popleft())

    def attend(self, call: Call) -> None:
        """Something about the call has changed."""
        call.noticed = False  # from here on it may be noticed again
        if call.hopeless and not call.over:
            self.give_up(f"{call.head.line.text!r} does not end")
        if call.gone:
            self._bury(call)
        elif call.connection.call is call:  # else its thread was quicker than the new leader, who comes to it
            self._settle(call)
            self.resume(call.connection)

    def _bury(self, call: Call) -> None:
        """Nobody waits for the answer; once its thread has let go, neither does anybody need what it was made from."""
        if call.expired:
            self._too_late(call)
        if call.over and call.spool:
            call.spool.close()
            call.spool = None
        if call.over and call.response is not None and call.box is None:  # it was made, and never sent
            discard(call.response.body)
            call.response = None

    def _settle(self, call: Call) -> None:
        """Make a reply of what there is, or go on with the one that is under way."""
        connection, delivery = call.connection, self.delivery
        if connection.reply is not None:
            if call.expired:
                self._too_late(call)
                delivery.abort(connection, "the application took too long")
            else:
                delivery.flush(connection)
        elif call.expired:
            self._too_late(call)
            delivery.answer(connection, error_response(503))
        elif call.error is not None:
            delivery.answer(connection, error_response(500))
        elif call.response is not None and (call.whole or (call.box and call.box.waiting)):
            self._reply(call, call.response)

    def _too_late(self, call: Call) -> None:
        """Tell the log, once."""
        if call.told:
            return
        call.told = True
        had, what = (call.began, "took too long") if call.began else (call.queued, "waited for a thread for too long")
        self.log.error(f"{call.head.line.text!r} {what}: given up after {self.clock.now - had:.1f} s")

    def _reply(self, call: Call, response: Response) -> None:
        """Answer with what there is: as one piece when that is all, else with more to follow."""
        box = call.box
        if box is None:
            call.response = None  # it is the reply's now
            self._answer(call.connection, response)
            return
        if call.whole and not box.spooling and bodied(call.head.line.method, response):
            self.delivery.answer(call.connection, response.with_body(b"".join(box.pieces)))
        else:
            self.delivery.answer(call.connection, response.with_body(b""), flow=call)

    # With one thread alone: in the middle of a call.

    def transmit(self, call: Call) -> None:
        """Send what there is, as far as the client takes it."""
        self.tick()
        if call.connection.call is None:
            call.connection.call = call
        self._settle(call)

    def transmit_some(self, call: Call) -> None:
        """Wait until the client takes something; if it does not in time, it is given up."""
        connection = call.connection
        poll = select.poll()
        poll.register(connection.descriptor, select.POLLOUT)
        if poll.poll(self.crew.limits.write_timeout * 1000):
            self.transmit(call)
        else:
            self.delivery.abort(connection, "the client takes nothing")
