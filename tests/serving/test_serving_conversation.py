"""A conversation driven by hand, with applications that fail in every way they can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from forkserver.config.options import Limits
from forkserver.http.request import Request
from forkserver.http.response import Response
from forkserver.serving.connection import State
from tests.serving.fakes import Stage, text

POST = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n"
ASK = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


class Guarded:
    """A body that must be closed, and may fail at any step."""

    def __init__(self, *pieces: Any, fails: str = "") -> None:
        self.pieces, self.fails, self.closed = pieces, fails, 0

    def __iter__(self) -> Iterator[bytes]:
        if self.fails == "iter":
            raise RuntimeError("no iterator")
        return iter(self.pieces)

    def close(self) -> None:
        self.closed += 1
        if self.fails == "close":
            raise RuntimeError("no end")


def _raise(request: Request) -> Response:
    raise RuntimeError("asked to fail")


def _exit(request: Request) -> Response:
    raise SystemExit(1)


NO_RESPONSES: dict[str, Callable[[Request], Any]] = {
    "raises": _raise,
    "exits": _exit,
    "nothing": lambda request: None,
    "text": lambda request: "200 OK",
    "no status": text(status="200 OK"),  # type: ignore[arg-type]
    "status of three letters": text(status=20),
    "body of text": text("text and no bytes, and so an iterable of text", length=-1),
    "a number for a body": text(7),
    "list of fields": lambda request: Response(200, [["X", "y"]], b""),  # type: ignore[arg-type]
    "number for a field": lambda request: Response(200, (("X", 7),), b""),  # type: ignore[arg-type]
    "no iterator": text(Guarded(b"a", fails="iter")),
}


@pytest.mark.parametrize("name", NO_RESPONSES)
def test_whatever_an_application_gives_back_the_client_gets_500(name: str) -> None:
    with Stage(NO_RESPONSES[name]) as stage:
        for _ in range(2):
            assert stage.ask().startswith(b"HTTP/1.1 500 ")
            assert stage.state is State.READING
        assert stage.log.errors()
        assert stage.progress.line == b""
        assert [line[:3] for line in stage.lines] == ["500", "500"]


def test_a_body_that_cannot_be_sent_is_closed() -> None:
    body = Guarded(b"a")
    with Stage(lambda request: Response(200, (("X", "\n"),), body)) as stage:
        assert stage.ask().startswith(b"HTTP/1.1 500 ")
    assert body.closed == 1


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_body_is_closed_when_it_is_out(method: bytes) -> None:
    body = Guarded(b"a", b"b")
    with Stage(text(body)) as stage:
        assert stage.ask(ASK.replace(b"GET", method)).startswith(b"HTTP/1.1 200 ")
        assert stage.state is State.READING
    assert body.closed == 1


def test_a_body_is_closed_when_the_client_is_gone() -> None:
    body = Guarded(*[bytes(1 << 20)] * 8)
    with Stage(text(body)) as stage:
        stage.hear(ASK)
        assert stage.state is State.WRITING
        stage.client.close()
        stage.delivery.flush(stage.connection)
        assert stage.state is State.CLOSED
        assert stage.lines[0].startswith("200 ")
    assert body.closed == 1


def test_a_failure_at_the_very_end_is_logged_and_the_answer_stands() -> None:
    with Stage(text(Guarded(b"a", fails="close"))) as stage:
        assert stage.ask().endswith(b"0\r\n\r\n")
        assert stage.state is State.READING
        assert "no end" in stage.log.errors()


BROKEN = {
    "text": Guarded(b"one", "two"),
    "nothing": Guarded(b"one", None),
    "a failure, and another": Guarded(b"one", "two", fails="close"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_body_that_breaks_off_ends_the_connection(name: str, version: bytes) -> None:
    with Stage(text(BROKEN[name])) as stage:
        assert not stage.ask(ASK.replace(b"1.1", version)).endswith(b"0\r\n\r\n")
        assert stage.state is State.CLOSED
        assert "GET / HTTP/" in stage.log.errors()
        assert len(stage.lines) == 1


@pytest.mark.parametrize("pieces", [[b"four"], [b"four", b"four"]])
def test_a_body_of_the_wrong_length_ends_the_connection(pieces: list[bytes]) -> None:
    """Whatever came next on it would be taken for a part of the body, or the rest of the body for an answer."""
    with Stage(text(iter(pieces), length=6)) as stage:
        answer = stage.ask(ASK * 2)
        assert answer.count(b"HTTP/1.1") == 1
        assert len(answer.partition(b"\r\n\r\n")[2]) <= 6
        assert stage.state is State.CLOSED


def test_the_bytes_of_chunks_are_not_counted_as_content() -> None:
    with Stage(text(iter([b"abc", b"defg"])), log_format="%B %O") as stage:
        sent = stage.ask()
        assert stage.lines == [f"7 {len(sent)}"]


def test_a_body_comes_in_pieces_and_the_next_request_after_it() -> None:
    with Stage(lambda request: text(request.body)(request), log_format="%r %B %I") as stage:
        for piece in (POST[:20], POST[20:], b"12", b"34"):
            assert stage.ask(piece) == b""
        assert stage.state is State.BODY
        answers = stage.ask(b"5" + ASK)
        assert answers.count(b"HTTP/1.1 200 ") == 2
        assert b"\r\n\r\n12345HTTP/1.1" in answers
        assert stage.lines == [f"POST / HTTP/1.1 5 {len(POST) + 5}", f"GET / HTTP/1.1 0 {len(ASK)}"]


def test_a_body_comes_with_its_head_and_the_next_request_behind_it() -> None:
    with Stage(lambda request: text(request.body)(request), log_format="%r %B %I %X") as stage:
        answers = stage.ask(POST + b"12345" + ASK)
        assert answers.count(b"HTTP/1.1 200 ") == 2
        assert b"\r\n\r\n12345HTTP/1.1" in answers
        assert stage.lines == [f"POST / HTTP/1.1 5 {len(POST) + 5} +", f"GET / HTTP/1.1 0 {len(ASK)} +"]
        assert stage.state is State.READING


def test_a_body_that_nobody_wants_is_thrown_away() -> None:
    with Stage(lambda request: text(repr(request.body).encode())(request)) as stage:
        stage.talk.site.hosts[""][0].app.reads_body = False
        for cut in (len(POST), len(POST) + 5):
            stage.hear((POST + b"12345")[:cut])
            assert stage.ask((POST + b"12345")[cut:]).endswith(b"\r\n\r\nb''")


@pytest.mark.parametrize("cut", [len(POST), len(POST) + 5])
def test_a_body_that_is_too_large_is_refused_however_it_comes(cut: int) -> None:
    with Stage(text(), Limits(body=4)) as stage:
        stage.hear((POST + b"12345")[:cut])
        assert stage.sent().startswith(b"HTTP/1.1 413 ")
        assert stage.state is State.LINGERING


def test_a_refused_body_is_let_go_and_counted() -> None:
    with Stage(text(), Limits(body_memory=0), log_format="%s %I") as stage:
        stage.hear(POST + b"12")
        spool = stage.connection.spool
        assert spool
        stage.talk.refuse(stage.connection, 408, "too slow", stage.connection.head)
        assert b" 408 " in stage.sent()
        assert stage.state is State.LINGERING
        assert stage.connection.spool is None
        assert spool.file is None
        assert stage.lines == [f"408 {len(POST) + 2}"]


def test_a_disk_without_room_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room() -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", no_room)
    with Stage(text(), Limits(body_memory=3)) as stage:
        answer = stage.ask(POST + b"12345")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Connection: close" in answer
        assert stage.state is State.LINGERING
        assert "No space left" in stage.log.errors()


def test_a_reply_may_be_made_from_the_body_as_it_goes_out() -> None:
    def respond(request: Request) -> Response:
        body = request.body
        assert not isinstance(body, bytes)
        return Response(200, (), iter(lambda: body.read(2), b""))

    with Stage(respond, Limits(body_memory=3)) as stage:
        assert stage.ask(POST + b"12345").endswith(b"2\r\n12\r\n2\r\n34\r\n1\r\n5\r\n0\r\n\r\n")
        assert stage.connection.spool is None


def test_a_spooled_body_is_closed_after_the_request() -> None:
    bodies = []
    with Stage(lambda request: bodies.append(request.body) or Response(200), Limits(body_memory=3)) as stage:
        stage.hear(POST + b"12345")
    assert bodies[0].closed  # type: ignore[union-attr]


@pytest.mark.parametrize("more", [b"", ASK, b"\r\n", b"nonsense"])
def test_who_said_more_than_will_be_answered_is_given_time_to_read(more: bytes) -> None:
    """Closing at once what has been sent to would be a reset, and the answer lost with it."""
    with Stage(text()) as stage:
        answer = stage.ask(ASK[:-2] + b"Connection: close\r\n\r\n" + more)
        assert answer.count(b"HTTP/1.1 200 ") == 1
        assert stage.state is (State.LINGERING if more else State.CLOSED)


def test_a_worker_that_leaves_makes_every_answer_the_last() -> None:
    with Stage(text(still=lambda: True)) as stage:
        stage.ask()
        stage.delivery.leaving = True
        assert b"Connection: close" in stage.ask()
        assert stage.state is State.CLOSED


def test_a_request_is_noted_while_it_runs() -> None:
    seen: list[tuple[bytes, str]] = []
    with Stage(lambda request: seen.append((stage.progress.line, stage.progress.client)) or Response(200)) as stage:
        stage.ask()
        assert seen == [(b"GET / HTTP/1.1", "192.0.2.1")]
        assert stage.progress.line == b""


def test_the_line_of_a_refused_request_is_what_came_first_in_it() -> None:
    with Stage(text(), log_format="%r %s") as stage:
        stage.ask(b"\r\n\r\nGET /x HTTP/1.1\r\nno colon\r\n\r\n")
        assert stage.lines == ["GET /x HTTP/1.1 400"]
    with Stage(text(), log_format="%r %s") as stage:
        stage.ask(b"G" * 10_000)
        assert stage.lines == ["G" * 1024 + " 414"]


def test_one_client_too_many_is_told_and_sent_away() -> None:
    with Stage(text()) as stage:
        stage.client.sendall(ASK)
        stage.talk.turn_away(stage.connection)
        assert stage.client.recv(1 << 16).startswith(b"HTTP/1.1 503 ")
        assert stage.client.recv(1) == b""  # and no reset, though its request was not answered
