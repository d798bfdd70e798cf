"""What an application may return, and what becomes of it (PEP 3333, "Specification Details")."""

from __future__ import annotations

import sys

import pytest

from forkserver.apps.wsgi.bodies import Stream
from forkserver.apps.wsgi.starting import WsgiError
from forkserver.serving.reply import compose
from tests.apps.wsgi_calls import Result, call_of, give, mounted

LENGTH = ("Content-Length", "6")


def answers(result, *headers, status="200 OK"):
    """An application that returns just this."""

    def application(environ, start_response):
        start_response(status, list(headers))
        return result

    return application


@pytest.mark.parametrize(
    "result", [[b"abcdef"], [b"abc", b"def"], (b"abcdef",), (b"", b"abc", b"def"), [b"abcdef", b""]]
)
def test_a_list_is_one_body(result):
    reply = give(answers(result, LENGTH))
    assert reply.response.body == b"abcdef"
    assert (reply.length, reply.fields) == (6, {})
    assert give(answers(result)).length is None


@pytest.mark.parametrize("result", [[], (), [b""], [b"", b""]])
def test_an_empty_list(result):
    assert give(answers(result)).response.body == b""


@pytest.mark.parametrize("wrong", ["text", None, 1, bytearray(b"x"), ["x"]])
@pytest.mark.parametrize("kind", [list, tuple])
def test_pieces_of_a_list_are_bytes(wrong, kind):
    for pieces in ([wrong], [b"x", wrong]):
        with pytest.raises(TypeError, match=f"a piece of its body as {type(wrong).__name__}, not bytes"):
            give(answers(kind(pieces)))


@pytest.mark.parametrize("wrong", ["text", "", b"bytes", b"", bytearray(b"x"), None])
def test_what_is_no_iterable_of_bytes(wrong):
    with pytest.raises(TypeError, match=f"returned {type(wrong).__name__}, not an iterable of bytes"):
        give(answers(wrong))


def test_what_cannot_be_iterated():
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        give(answers(1))


def test_a_body_of_another_length_than_told_is_left_to_who_sends_it():
    reply = give(answers([b"abc"], LENGTH))
    assert (reply.response.body, reply.length) == (b"abc", 6)


def test_an_iterable_is_a_stream():
    result = Result(b"", b"abc", b"", b"def")
    reply = give(answers(result, LENGTH))
    assert isinstance(reply.response.body, Stream)
    assert (b"".join(reply.pieces), reply.length, result.closed) == (b"abcdef", 6, 1)


def test_no_piece_is_kept_back_for_the_next():
    """PEP 3333, "Buffering and Streaming": a piece is to go out while the application makes another."""
    result = Result(b"", b"one", b"two", b"three")
    call = call_of()
    body = iter(mounted(answers(result)).respond(call).body)
    taken = [result.taken]
    for _ in range(3):
        next(body)
        taken.append(result.taken)
    assert taken == [2, 2, 3, 4]


def test_the_old_protocol_of_sequences():
    class Sequence:
        def __getitem__(self, number):
            return [b"one", b"two"][number]

    assert give(answers(Sequence())).body == b"onetwo"


def test_a_generator_calls_start_response_when_it_is_run():
    def application(environ, start_response):
        start_response("202 Accepted", [("X-Late", "yes")])
        yield b"one"
        yield b"two"

    reply = give(application)
    assert (reply.status, reply.fields, reply.body) == (202, {"x-late": "yes"}, b"onetwo")


def test_a_generator_without_a_body():
    def application(environ, start_response):
        start_response("200 OK", [])
        return
        yield b""

    assert give(application).response.body == b""


def test_an_empty_stream_has_an_empty_body_and_is_closed():
    result = Result(b"", b"")
    reply = give(answers(result))
    assert (reply.response.body, result.closed) == (b"", 1)


@pytest.mark.parametrize("result", [[], [b"x"], (b"x", b"y")])
def test_start_response_is_never_called(result):
    with pytest.raises(WsgiError, match="has not called start_response"):
        give(lambda environ, start_response: result)


@pytest.mark.parametrize("pieces", [(), (b"",), (b"x", b"y")])
def test_start_response_is_never_called_for_a_stream(pieces):
    result = Result(*pieces)
    with pytest.raises(WsgiError, match="has not called start_response"):
        give(lambda environ, start_response: result)
    assert result.closed == 1


def test_start_response_comes_before_the_first_bytes():
    def application(environ, start_response):
        yield b"too early"
        start_response("200 OK", [])

    with pytest.raises(WsgiError, match="has not called start_response"):
        give(application)


def test_the_head_can_be_replaced_until_the_first_bytes_are_there():
    def application(environ, start_response):
        start_response("200 OK", [LENGTH])
        yield b""
        try:
            raise RuntimeError("late")
        except RuntimeError:
            start_response("500 Late", [], sys.exc_info())
        yield b"sorry"

    reply = give(application)
    assert (reply.status, reply.length, reply.body) == (500, None, b"sorry")


def test_after_the_first_bytes_it_cannot():
    def application(environ, start_response):
        start_response("200 OK", [])
        yield b"begun"
        try:
            raise RuntimeError("too late")
        except RuntimeError:
            start_response("500 Late", [], sys.exc_info())

    body = mounted(application).respond(call_of()).body
    assert next(body) == b"begun"
    with pytest.raises(RuntimeError, match="too late"):
        next(body)


def test_a_body_that_fails_at_its_beginning_fails_the_request():
    result = Result(b"", RuntimeError("broken"))
    with pytest.raises(RuntimeError, match="broken"):
        give(answers(result))
    assert result.closed == 1


def test_a_body_that_fails_later_fails_where_it_is_taken_and_is_closed():
    result = Result(b"begun", RuntimeError("broken"))
    response = mounted(answers(result)).respond(call_of())
    assert response.status == 200
    with pytest.raises(RuntimeError, match="broken"):
        list(response.body)
    assert result.closed == 0
    response.body.close()
    response.body.close()
    assert result.closed == 1


@pytest.mark.parametrize("wrong", ["text", None, 1])
def test_pieces_of_a_stream_are_bytes(wrong):
    early, late = Result(wrong), Result(b"x", wrong)
    told = f"a piece of its body as {type(wrong).__name__}, not bytes"
    with pytest.raises(TypeError, match=told):
        give(answers(early))
    with pytest.raises(TypeError, match=told):
        give(answers(late))
    assert (early.closed, late.closed) == (1, 1)


def test_a_list_with_a_close_is_closed():
    class Closing(list):
        closed = 0

        def close(self):
            self.closed += 1

    result = Closing([b"abc", b"def"])
    assert give(answers(result)).body == b"abcdef"
    assert result.closed == 1


def test_what_cannot_be_iterated_is_closed():
    class Broken:
        closed = 0

        def __iter__(self):
            raise RuntimeError("broken")

        def close(self):
            self.closed += 1

    result = Broken()
    with pytest.raises(RuntimeError, match="broken"):
        give(answers(result))
    assert result.closed == 1


def test_a_close_that_fails_is_not_called_again():
    result = Result(on_close=RuntimeError("broken close"))
    with pytest.raises(RuntimeError, match="broken close"):
        give(answers(result))
    assert result.closed == 1


@pytest.mark.parametrize("status", ["204 No Content", "205 Reset Content", "304 Not Modified"])
def test_a_reply_without_a_body_is_not_asked_for_one(status):
    result = Result(RuntimeError("never taken"))
    reply = give(answers(result, status=status))
    assert (reply.status, list(reply.response.body), result.taken, result.closed) == (int(status[:3]), [], 0, 1)
    assert give(answers([b"too much"], status=status)).body == b""


def test_head_is_told_as_much_as_get_and_asks_for_no_body():
    result = Result(RuntimeError("never taken"))
    reply = give(answers(result, LENGTH), "HEAD /")
    assert (reply.length, list(reply.response.body), result.taken, result.closed) == (6, [], 0, 1)


def test_head_of_an_unknown_length_tells_none():
    call = call_of("HEAD /")
    response = mounted(answers(Result(b"abc"))).respond(call)
    sent = compose(call.head, response, keep=True, server="")
    assert b"Content-Length" not in sent.after
    assert not sent.parts


def test_head_of_a_list_tells_its_length():
    call = call_of("HEAD /")
    response = mounted(answers([b"abc", b"def"])).respond(call)
    assert b"Content-Length: 6\r\n" in compose(call.head, response, keep=True, server="").after


def test_head_runs_a_generator_until_it_has_called_start_response():
    steps = []

    def application(environ, start_response):
        steps.append("start")
        start_response("200 OK", [])
        try:
            yield b"first"
            steps.append("never")
        finally:
            steps.append("closed")

    reply = give(application, "HEAD /")
    assert (reply.status, list(reply.response.body), steps) == (200, [], ["start", "closed"])


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(1)])
def test_what_an_application_raises_is_for_the_worker_to_tell(error):
    def application(environ, start_response):
        raise error

    with pytest.raises(type(error)):
        give(application)


def test_the_reply_of_an_application_is_not_given_to_others():
    assert give(answers([b"x"])).response.still is None


def test_close_has_nothing_to_do():
    assert mounted(answers([])).close() is None
