"""What becomes of a call: what the client gets for it, and what is left of it, whatever happens at which moment."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import Any

import pytest

from forkserver.config.options import Limits
from forkserver.http.request import Request
from forkserver.http.response import FileSlice, Response
from forkserver.log import LineWriter
from forkserver.log.format import compile_format
from forkserver.serving.call import Call
from forkserver.serving.calls import Calls
from forkserver.serving.clock import Clock
from forkserver.serving.connection import Connection, State
from forkserver.serving.conversation import Conversations
from forkserver.serving.delivery import Delivery
from forkserver.serving.ledger import Ledger
from forkserver.serving.routing import Mount, Site
from forkserver.serving.timeout import RequestTimeout
from tests.serving.crews import PATIENCE, FakeDesk, Steady, Troupe
from tests.serving.fakes import BlockingApp, FakeLog, fake_connection

Respond = Callable[[Request], Response]
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: test\r\n\r\n"
SPOOLED = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n0123456789"


class Company(Troupe):
    """A crew with one application and one connection; a turn of its loop is what a test has the leader do."""

    def __init__(self, respond: Respond, *, threads: int = 2, slow: bool = False, limits: Limits | None = None) -> None:
        super().__init__(threads, limits)
        self.log = FakeLog()
        log: Any = self.log
        clock = Clock()
        self.connection, self.client = fake_connection()
        self.ledger = Ledger(LineWriter(-1), compile_format("%s %B %X"))
        self.delivery = Delivery(clock=clock, ledger=self.ledger, log=log, server="", close=Connection.close)
        self.given_up: list[str] = []
        watch: Any = None
        self.calls = Calls(
            crew=self.crew,
            watch=watch,
            clock=clock,
            delivery=self.delivery,
            log=log,
            resume=self._resume,
            give_up=self.given_up.append,
        )
        pace = Steady()
        pace.slow = slow
        self.talk = Conversations(
            site=Site([Mount("", "", BlockingApp(respond), pace)]),
            limits=self.crew.limits,
            clock=clock,
            delivery=self.delivery,
            progress=FakeDesk(),
            log=log,
            calls=self.calls,
        )

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        self.connection.close()
        self.client.close()

    def _resume(self, connection: Connection) -> None:
        self.talk.advance(connection)

    def hear(self, data: bytes) -> None:
        """Bytes arrive; does not wait for anything."""

        def turn() -> None:
            self.connection.buffer += data
            self.talk.advance(self.connection)

        self.turns.put(turn)

    def ring(self) -> None:
        """Wait for the bell, and have the leader look."""
        assert select.select([self.crew.bell], [], [], PATIENCE)[0], "the bell does not ring"
        self.lead(self.calls.ring)

    def flush(self) -> None:
        """The socket takes more."""
        self.lead(lambda: self.delivery.flush(self.connection))

    def go_on(self) -> None:
        """In the loop: the same, if that is waited for."""
        if self.connection.state is State.WRITING:
            self.delivery.flush(self.connection)

    def lose(self) -> Call:
        """The leader's call lasts."""
        while not (call := self.crew.call):
            assert self.goes_on
        self.crew.depose(call)
        self.lead(lambda: None)
        return call

    def over(self, call: Call) -> None:
        """Wait until a call is, and the loop has looked at that."""
        while not call.over:
            assert self.goes_on
        self.ring()

    def got(self) -> bytes:
        """What the client has got since the last time."""
        self.lead(lambda: None)
        self.client.setblocking(False)
        pieces = []
        try:
            while piece := self.client.recv(1 << 20):
                pieces.append(piece)
        except BlockingIOError:
            pass
        return b"".join(pieces)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip("\n") for line in self.ledger.lines]


class Gate:
    """Where an application waits for the test."""

    def __init__(self) -> None:
        self.there, self.let = threading.Semaphore(0), threading.Semaphore(0)

    def wait(self) -> None:
        """In the application."""
        self.there.release()
        assert self.let.acquire(timeout=PATIENCE)

    def before(self, body: bytes) -> Respond:
        """An application that waits here, and then answers."""

        def respond(request: Request) -> Response:
            self.wait()
            return text(body)

        return respond

    def reached(self) -> None:
        assert self.there.acquire(timeout=PATIENCE), "it does not come so far"

    def open(self) -> None:
        self.let.release()


class Body:
    """An iterable of pieces that are functions, with a close that is counted."""

    def __init__(self, *pieces: Callable[[], bytes]) -> None:
        self.pieces = iter(pieces)
        self.closed: list[int] = []  # by which thread
        self.made = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = next(self.pieces)()
        self.made += 1
        return piece

    def close(self) -> None:
        self.closed.append(threading.get_ident())


def gated(gate: Gate, piece: bytes) -> bytes:
    gate.wait()
    return piece


def failing() -> bytes:
    raise RuntimeError("asked to fail")


def text(body: Any, **more: Any) -> Response:
    return Response(200, (("Content-Type", "text/plain"),), body, **more)


HOW = pytest.mark.parametrize(("threads", "slow"), [(2, False), (2, True), (1, False)], ids=["crew", "slow", "alone"])


def settled(company: Company) -> None:
    """Whatever thread had it, the loop has answered, and the thread is through."""
    if company.crew.threads > 1:
        company.lead(lambda: None)
        while not company.ledger.lines and company.connection.state is not State.CLOSED:
            company.ring()
        while company.crew.busy:
            assert company.goes_on


# What is done at once.


@HOW
def test_a_whole_answer(threads: int, slow: bool) -> None:
    with Company(lambda request: text(b"fine"), threads=threads, slow=slow) as company:
        for _ in range(3):  # the second time its shape is known
            company.ledger.lines.clear()
            company.hear(GET)
            settled(company)
            got = company.got()
            assert got.startswith(b"HTTP/1.1 200 OK\r\n")
            assert got.endswith(b"\r\nContent-Length: 4\r\nContent-Type: text/plain\r\n\r\nfine")
            assert company.lines == ["200 4 +"]
        assert company.connection.state is State.READING
        assert company.connection.call is None


@HOW
def test_each_body_is_its_requests_own_though_their_head_is_known(threads: int, slow: bool) -> None:
    with Company(lambda request: text(request.body), threads=threads, slow=slow) as company:
        for number in range(4):
            company.ledger.lines.clear()
            company.hear(SPOOLED[:-1] + b"%d" % number)
            settled(company)
            assert company.got().endswith(b"\r\n\r\n012345678%d" % number)
            assert company.lines == ["200 10 +"]
        assert company.calls.known.keys() == {SPOOLED[:-10]}


def test_what_comes_once_is_not_kept() -> None:
    with Company(lambda request: text(b"fine")) as company:
        for number in range(10):
            company.hear(GET.replace(b"GET /", b"GET /%d" % number))
        company.got()
        assert company.calls.known == {}


@HOW
def test_an_answer_in_pieces(threads: int, slow: bool) -> None:
    body = Body(lambda: b"one ", lambda: b"", lambda: b"two")
    with Company(lambda request: text(body), threads=threads, slow=slow) as company:
        company.hear(GET)
        settled(company)
        got = company.got()
        if b"chunked" in got:  # the client had some of it before it was whole
            assert got.endswith(b"0\r\n\r\n")
        else:
            assert got.endswith(b"one two")
        assert company.lines == ["200 7 +"]
        assert len(body.closed) == 1


@HOW
def test_for_head_nothing_is_made_and_it_is_closed(threads: int, slow: bool) -> None:
    body = Body(lambda: b"one")
    with Company(lambda request: text(body, length=3), threads=threads, slow=slow) as company:
        company.hear(HEAD)
        settled(company)
        got = company.got()
        assert b"\r\nContent-Length: 3\r\n" in got
        assert got.endswith(b"\r\n\r\n")
        assert (body.made, len(body.closed)) == (0, 1)


@HOW
def test_pieces_that_are_put_for_head_are_dropped(threads: int, slow: bool) -> None:
    """Of an application that begins its answer itself, and does not look at the method."""

    def respond(request: Request) -> Response:
        response = text(iter([b"three"]))
        put = request.begin(response)
        put(b"one")
        put(b"two")
        with pytest.raises(TypeError):
            put("text")  # type: ignore[arg-type]
        return response

    with Company(respond, threads=threads, slow=slow) as company:
        company.hear(HEAD)
        settled(company)
        assert company.got().startswith(b"HTTP/1.1 200 ")
        assert not company.log.errors()
        assert company.lines == ["200 0 +"]


@HOW
@pytest.mark.parametrize(
    "error", [RuntimeError("x"), SystemExit(1), KeyboardInterrupt(), GeneratorExit(), RequestTimeout(), MemoryError()]
)
def test_whatever_is_raised_is_this_requests_trouble(threads: int, slow: bool, error: BaseException) -> None:
    def respond(request: Request) -> Response:
        raise error

    with Company(respond, threads=threads, slow=slow) as company:
        company.hear(GET)
        settled(company)
        assert company.got().startswith(b"HTTP/1.1 500 ")
        assert type(error).__name__ in company.log.errors()
        company.ledger.lines.clear()
        company.hear(GET)
        settled(company)
        assert company.got().startswith(b"HTTP/1.1 500 ")


@HOW
def test_an_error_before_anything_was_sent_is_a_500(threads: int, slow: bool) -> None:
    body = Body(failing)
    with Company(lambda request: text(body), threads=threads, slow=slow) as company:
        company.hear(GET)
        settled(company)
        assert company.got().startswith(b"HTTP/1.1 500 ")
        assert len(body.closed) == 1


@HOW
def test_a_close_that_fails_does_not_spoil_an_answer_that_is_whole(threads: int, slow: bool) -> None:
    class Failing(Body):
        def close(self) -> None:
            super().close()
            raise RuntimeError("while closing")

    body = Failing(lambda: b"whole")
    with Company(lambda request: text(body, length=5), threads=threads, slow=slow) as company:
        company.hear(GET)
        settled(company)
        assert company.got().endswith(b"\r\n\r\nwhole")
        while company.goes_on and not company.log.errors():  # its thread may still be closing
            pass
        assert "while closing" in company.log.errors()
        assert company.lines == ["200 5 +"]


def test_what_is_no_response_is_a_500() -> None:
    with Company(lambda request: Response(200, (("X", "a\r\nb"),), b"never")) as company:
        company.hear(GET)
        assert company.got().startswith(b"HTTP/1.1 500 ")


# What takes its time.


def test_pieces_arrive_before_the_next_ones_are_made() -> None:
    gate = Gate()
    body = Body(lambda: b"one", partial(gated, gate, b"two"), partial(gated, gate, b"three"))
    with Company(lambda request: text(body)) as company:
        company.hear(GET)
        gate.reached()
        call = company.lose()
        assert company.got().endswith(b"3\r\none\r\n")
        assert company.connection.state is State.RUNNING
        gate.open()
        gate.reached()
        company.ring()
        assert company.got() == b"3\r\ntwo\r\n"
        assert not body.closed
        gate.open()
        company.over(call)
        assert company.got().endswith(b"0\r\n\r\n")
        assert len(body.closed) == 1
        assert company.connection.state is State.READING


def test_with_one_thread_too() -> None:
    gate = Gate()
    body = Body(lambda: b"one", partial(gated, gate, b"two"), partial(gated, gate, b"three"))
    with Company(lambda request: text(body), threads=1) as company:
        company.client.settimeout(PATIENCE)
        company.hear(GET)
        got = b""
        for piece in (b"one", b"two"):
            gate.reached()
            while not got.endswith(piece + b"\r\n"):
                got += company.client.recv(1000)
            gate.open()
        assert company.got().endswith(b"5\r\nthree\r\n0\r\n\r\n")
        assert len(body.closed) == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_in_the_middle_breaks_the_reply_off(threads: int) -> None:
    gate = Gate()
    body = Body(lambda: b"one", partial(gated, gate, b"two"), failing)
    with Company(lambda request: text(body), threads=threads) as company:
        company.hear(GET)
        gate.reached()
        if threads > 1:
            company.lose()
        gate.open()
        while company.connection.state is not State.CLOSED:
            if threads > 1:
                company.ring()
        assert b"0\r\n\r\n" not in company.got()
        assert len(body.closed) == 1
        assert company.log.errors().count("RuntimeError: asked to fail") == 1
        assert company.lines == ["200 6 X"]


def test_a_client_that_leaves_is_told_to_the_application_at_its_next_piece() -> None:
    gate = Gate()
    body = Body(lambda: b"one", partial(gated, gate, b"two"), partial(gated, gate, b"three"))
    with Company(lambda request: text(body)) as company:
        company.hear(GET)
        gate.reached()
        call = company.lose()
        company.lead(lambda: company.delivery.abort(company.connection, "it left"))
        assert call.gone
        assert not body.closed
        gate.open()
        company.over(call)
        assert isinstance(call.error, ConnectionAbortedError)
        assert body.made == 2
        assert len(body.closed) == 1
        assert not company.log.errors()  # it is nobody's fault


def test_the_end_of_a_socket_is_noticed_when_it_is_written_to() -> None:
    gate = Gate()
    many = [partial(gated, gate, b"more")] * 10
    body = Body(lambda: b"one", *many)
    with Company(lambda request: text(body)) as company:
        company.hear(GET)
        gate.reached()
        call = company.lose()
        company.client.close()
        pieces = 0
        while not call.over:
            gate.open()
            pieces += 1
            while not (call.over or gate.there.acquire(blocking=False)):
                assert company.goes_on
            if company.crew.noticed:
                company.ring()
        assert pieces <= 3
        assert len(body.closed) == 1


def test_an_application_that_begins_its_answer_for_nobody_is_told_so() -> None:
    """The client left while it had said nothing: there was nothing to be closed then."""
    gate = Gate()
    raised: list[BaseException] = []

    def respond(request: Request) -> Response:
        gate.wait()
        try:
            request.begin(text(b""))(b"piece")
        except ConnectionAbortedError as error:
            raised.append(error)
            raise
        raise AssertionError("nobody told it")

    with Company(respond) as company:
        company.hear(GET)
        gate.reached()
        call = company.lose()
        company.lead(lambda: company.delivery.abort(company.connection, "it left"))
        gate.open()
        company.over(call)
        assert len(raised) == 1
        assert not company.log.errors()


def test_a_body_of_a_request_is_kept_until_its_thread_has_let_go() -> None:
    gate = Gate()
    seen: list[Any] = []

    def respond(request: Request) -> Response:
        seen.append(request.body)
        gate.wait()
        seen.append(request.body.read())  # type: ignore[union-attr]
        return text(b"")

    with Company(respond, limits=Limits(body_memory=1)) as company:
        company.hear(SPOOLED)
        gate.reached()
        call = company.lose()
        company.lead(lambda: company.delivery.abort(company.connection, "it left"))
        assert company.connection.spool is None
        assert not seen[0].closed
        gate.open()
        company.over(call)
        assert seen[1] == b"0123456789"
        assert seen[0].closed
        assert call.spool is None


@HOW
def test_a_body_of_a_request_is_closed_with_its_answer(threads: int, slow: bool) -> None:
    seen: list[Any] = []

    def respond(request: Request) -> Response:
        seen.append(request.body)
        return text(request.body.read())  # type: ignore[union-attr]

    with Company(respond, threads=threads, slow=slow, limits=Limits(body_memory=1)) as company:
        company.hear(SPOOLED)
        settled(company)
        assert company.got().endswith(b"\r\n\r\n0123456789")
        assert seen[0].closed


class OpenFile(BytesIO):
    """What a slice is sent from; to be closed once."""

    closings = 0

    def close(self) -> None:
        self.closings += 1
        super().close()


def test_a_file_that_nobody_waits_for_is_closed_once() -> None:
    gate = Gate()
    file = OpenFile(b"content")

    def respond(request: Request) -> Response:
        gate.wait()
        return text(FileSlice(file, 0, 7))

    with Company(respond) as company:
        company.hear(GET)
        gate.reached()
        call = company.lose()
        company.lead(lambda: company.delivery.abort(company.connection, "it left"))
        gate.open()
        company.over(call)
        assert file.closings == 1
        company.lead(lambda: company.calls.attend(call))
        assert file.closings == 1


def test_a_file_that_was_sent_is_closed_once() -> None:
    descriptor = os.memfd_create("test")
    os.write(descriptor, b"content")
    closings: list[int] = []

    class Held:
        def fileno(self) -> int:
            return descriptor

        def close(self) -> None:
            closings.append(descriptor)

    with Company(lambda request: text(FileSlice(Held(), 0, 7)), slow=True) as company:
        company.hear(GET)
        settled(company)
        assert company.got().endswith(b"\r\n\r\ncontent")
        while company.crew.noticed:
            company.ring()
        assert closings == [descriptor]
    os.close(descriptor)


def test_what_was_asked_for_behind_it_is_answered_behind_it() -> None:
    gate = Gate()
    paths: list[str] = []

    def respond(request: Request) -> Response:
        paths.append(request.path)
        if request.path == "/slow":
            gate.wait()
        return text(request.path.encode())

    with Company(respond) as company:
        company.hear(GET.replace(b"/ ", b"/slow ") + GET.replace(b"/ ", b"/next "))
        gate.reached()
        call = company.lose()
        assert company.got() == b""
        assert paths == ["/slow"]
        gate.open()
        company.over(call)
        got = company.got()
        assert paths == ["/slow", "/next"]
        assert got.index(b"\r\n\r\n/slow") < got.index(b"\r\n\r\n/next")


def test_many_that_ring_all_the_time_leave_the_loop_its_other_work() -> None:
    """Each time the leader looks at one there is another one."""
    with Company(lambda request: text(b"")) as company:
        looks = 0
        call = company.call(lambda call: None)

        def attend(call: Call) -> None:
            nonlocal looks
            looks += 1
            call.noticed = False
            company.crew.notice(call)

        company.calls.attend = attend  # type: ignore[method-assign]
        company.lead(lambda: None)  # whoever takes the lead looks at them, too
        company.crew.notice(call)
        company.ring()
        assert looks == 1
        company.ring()
        assert looks == 2
        company.crew.noticed.clear()


# What takes too long.

AT_ONCE = Limits(request_timeout=0.001, body_memory=1)


def expire(company: Company, call: Call) -> None:
    while time.monotonic() < call.deadline:
        pass
    company.crew.expire(call)
    assert call.expired


@pytest.mark.parametrize("reacts", [True, False])
def test_a_call_that_has_had_its_time_is_answered_with_503(reacts: bool) -> None:
    gate, cleaned = Gate(), threading.Event()
    seen: list[Any] = []

    def respond(request: Request) -> Response:
        seen.append(request.body)
        try:
            gate.wait()
            return text(b"never")
        except RequestTimeout:
            if reacts:
                raise
            return text(b"too late")
        finally:
            cleaned.set()

    with Company(respond, limits=AT_ONCE) as company:
        company.hear(SPOOLED)
        gate.reached()
        call = company.lose()
        expire(company, call)
        company.ring()
        assert company.got().startswith(b"HTTP/1.1 503 ")
        assert company.connection.state is State.READING
        assert not call.over  # it still is where it was
        assert not seen[0].closed
        gate.open()
        company.over(call)
        assert cleaned.is_set()
        assert seen[0].closed
        assert company.log.errors().count("took too long") == 1
        assert company.lines == ["503 " + company.lines[0].split()[1] + " +"]
        assert company.crew.busy == 0


def test_in_the_middle_of_its_reply_that_is_broken_off() -> None:
    gate = Gate()
    body = Body(lambda: b"one", partial(gated, gate, b"two"), lambda: b"three")
    with Company(lambda request: text(body), limits=AT_ONCE) as company:
        company.hear(GET)
        gate.reached()
        call = company.lose()
        expire(company, call)
        company.ring()
        assert company.connection.state is State.CLOSED
        gate.open()
        company.over(call)
        assert len(body.closed) == 1
        assert body.made == 1
        assert company.log.errors().count("took too long") == 1


def test_a_socket_that_has_room_just_then_does_not_end_the_worker() -> None:
    """The reply is gone on with before anybody has looked at the call, and meets the timeout in it."""
    gate = Gate()
    body = Body(lambda: b"one", partial(gated, gate, b"two"))
    with Company(lambda request: text(body), limits=AT_ONCE) as company:
        company.hear(GET)
        gate.reached()
        call = company.lose()
        expire(company, call)
        gate.open()
        while not call.over:
            pass
        assert isinstance(call.error, RequestTimeout)
        company.flush()
        assert company.connection.state is State.CLOSED
        company.ring()
        assert company.log.errors().count("took too long") == 1
        assert company.goes_on


def test_with_one_thread_it_is_told_as_soon_as_the_application_returns() -> None:
    gate = Gate()
    with Company(gate.before(b"never"), threads=1, limits=AT_ONCE) as company:
        company.hear(GET)
        gate.reached()
        while not (call := company.crew.call):
            pass
        expire(company, call)
        gate.open()
        assert company.got().startswith(b"HTTP/1.1 503 ")
        assert company.log.errors().count("took too long") == 1
        company.hear(GET)
        gate.open()
        assert company.got().startswith(b"HTTP/1.1 200 ")


def test_with_one_thread_whoever_goes_on_is_told_at_the_next_piece() -> None:
    gate = Gate()
    told: list[BaseException] = []

    def stubborn() -> Iterator[bytes]:
        yield b"one"
        try:
            gate.wait()
        except RequestTimeout as error:
            told.append(error)
        yield b"two"
        yield b"three"

    with Company(lambda request: text(stubborn()), threads=1, limits=AT_ONCE) as company:
        company.hear(GET)
        gate.reached()
        while not (call := company.crew.call):
            pass
        expire(company, call)
        gate.open()
        got = company.got()
        assert b"one" in got
        assert b"three" not in got
        assert company.connection.state is State.CLOSED
        assert len(told) == 1
        assert isinstance(call.error, ConnectionAbortedError)


def test_one_that_has_waited_for_a_thread_for_too_long() -> None:
    gate = Gate()
    with Company(gate.before(b"late"), slow=True) as company:
        others = [company.call(lambda call: gate.wait()) for _ in range(2)]
        for other in others:
            other.queued = time.monotonic()
            company.crew.waiting.append(other)
        company.crew.busy = 2
        company.hear(GET)
        company.lead(lambda: None)
        call = company.crew.waiting[-1]
        call.queued -= 1000
        company.lead(company.calls.sweep)
        company.ring()
        assert company.got().startswith(b"HTTP/1.1 503 ")
        assert "waited for a thread for too long" in company.log.errors()
        assert list(company.crew.waiting) == others
        company.crew.waiting.clear()
        company.crew.busy = 0


def test_one_that_does_not_end_has_the_process_replaced() -> None:
    gate = Gate()
    with Company(gate.before(b""), limits=AT_ONCE) as company:
        company.hear(GET)
        gate.reached()
        call = company.lose()
        expire(company, call)
        company.ring()
        assert company.given_up == []
        call.hopeless = True
        company.crew.notice(call)
        company.ring()
        assert company.given_up == ["'GET / HTTP/1.1' does not end"]
        gate.open()
        company.over(call)
        assert len(company.given_up) == 1


# Clients that take nothing.


def test_an_application_is_done_while_its_client_takes_nothing() -> None:
    piece = bytes(1 << 20)
    body = Body(*[lambda: piece] * 8)
    with Company(lambda request: text(body), limits=Limits(reply_memory=1 << 20)) as company:
        company.hear(GET)
        while not body.closed:
            if company.crew.call:
                company.lose()
            if company.crew.noticed:
                company.ring()
        assert body.made == 8
        assert company.connection.state in (State.WRITING, State.RUNNING)
        got = b""
        while company.connection.state is not State.READING:
            got += company.got()
            company.flush()
        got += company.got()
        assert got.count(b"\0") == 8 << 20


@pytest.mark.parametrize("threads", [1, 2])
def test_beyond_the_room_it_waits_and_all_of_it_arrives_in_order(threads: int) -> None:
    pieces = [bytes([number]) * (200 << 10) for number in range(20)]
    body = Body(*[lambda piece=piece: piece for piece in pieces])  # type: ignore[misc]
    limits = Limits(reply_memory=1, reply_spool=300 << 10)
    with Company(lambda request: text(body, length=20 * 200 << 10), threads=threads, limits=limits) as company:
        company.hear(GET)
        company.client.setblocking(False)
        got = bytearray()
        while not got.endswith(pieces[-1]):
            if threads > 1 and company.crew.noticed:
                company.ring()
            elif company.turns.empty():  # with one thread it comes to that when the application is done
                company.turns.put(company.go_on)
            with contextlib.suppress(BlockingIOError):
                got += company.client.recv(1 << 20)
        assert bytes(got).partition(b"\r\n\r\n")[2] == b"".join(pieces)
        company.lead(lambda: None)
        assert len(body.closed) == 1
