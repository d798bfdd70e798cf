"""start_response and write (PEP 3333, "The start_response() Callable")."""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.apps.wsgi import starting
from forkserver.apps.wsgi.starting import Start, WsgiError
from forkserver.http.response import FIELD_NAME, HOP_BY_HOP, OURS, OWNED, head_parts
from tests.apps.wsgi_calls import Result, call_of, give, mounted

TEXT = ("Content-Type", "text/plain")


def start() -> Start:
    return Start(call_of())


def said(status="200 OK", headers=None):
    """What a status and headers come to."""
    said_by = start()
    said_by(status, [TEXT] if headers is None else headers)
    assert said_by.made
    return said_by.made


@pytest.mark.parametrize(
    "status", ["200 OK", "404 Not Found", "418 I'm a teapot", "299 ", "200", "599 \xe9\t!", "999 x"]
)
def test_a_status_and_its_reason(status):
    assert said(status)[0] == int(status[:3])


@pytest.mark.parametrize(
    "status",
    [
        *("", "OK", "20 OK", "2000 OK", "200OK", " 200 OK", "200\tOK", "+20 OK", "0200", "099 Low"),
        *("²00 OK", "200 a\r\nX: y", "200 OK\n", "200 \x00", "200 \u20ac"),
    ],
)
def test_what_is_no_status(status):
    with pytest.raises(ValueError, match="is no status such as '200 OK'"):
        start()(status, [])


@pytest.mark.parametrize("status", ["100 Continue", "101 Switching Protocols", "103 Early Hints"])
def test_interim_replies_are_refused(status):
    with pytest.raises(ValueError, match="is no final status"):
        start()(status, [])


@pytest.mark.parametrize("status", [200, b"200 OK", None])
def test_a_status_of_another_type(status):
    with pytest.raises(TypeError, match=f"the status is a str such as '200 OK', not {type(status).__name__}"):
        start()(status, [])


@pytest.mark.parametrize("headers", [(), (TEXT,), {}, None, iter([TEXT]), {"Content-Type": "a"}.items(), 1])
def test_headers_are_a_list(headers):
    said()  # what was said before in a list does not make it right
    with pytest.raises(TypeError, match="a list, not"):
        start()("200 OK", headers)


@pytest.mark.parametrize("item", [["A", "b"], "Ab", ("A",), ("A", "b", "c"), None, {"A": "b"}])
def test_each_header_is_a_tuple_of_two(item):
    with pytest.raises(TypeError, match="a header is a tuple of name and value, not"):
        start()("200 OK", [TEXT, item])


@pytest.mark.parametrize(
    "item",
    [(b"A", "b"), (None, "b"), (1, "b")],
)
def test_a_name_of_another_type(item):
    with pytest.raises(TypeError, match="the name of a header is a str, not"):
        start()("200 OK", [item])


@pytest.mark.parametrize("value", [b"b", None, 1, 1.5, ["b"]])
def test_a_value_of_another_type_names_its_header(value):
    with pytest.raises(TypeError, match=f"the value of X-Count is a str, not {type(value).__name__}"):
        start()("200 OK", [("X-Count", value)])


@pytest.mark.parametrize("name", ["", "A:", "A b", " A", "A\r\nB", "A\x00", "\xe9", "A(", "\u20ac"])
def test_what_is_no_name(name):
    with pytest.raises(ValueError, match="cannot be the name of a header"):
        start()("200 OK", [(name, "b")])


@pytest.mark.parametrize("wrong", ["\r", "\n", "\x00", "\x0b", "\x7f", "\u20ac", "\ud800"])
def test_a_value_that_could_split_the_head_names_its_header(wrong):
    with pytest.raises(ValueError, match="in the value of Set-Cookie cannot be sent") as caught:
        start()("200 OK", [TEXT, ("Set-Cookie", f"secret{wrong}Location: /evil")])
    assert ascii(wrong) in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_what_belongs_to_the_connection_is_refused(name):
    for spelling in (name, name.title(), name.upper()):
        with pytest.raises(ValueError, match=f"{spelling} belongs to the connection"):
            start()("200 OK", [(spelling, "x")])


def test_no_field_of_the_server_gets_through():
    assert {*HOP_BY_HOP, *OURS, "content-length"} >= OWNED


def test_date_and_server_are_the_servers():
    assert said(headers=[("Date", "yesterday"), TEXT, ("SERVER", "mine"), ("date", "")]) == (200, (TEXT,), None)


def test_order_and_repetition_stay():
    headers = [("Set-Cookie", "a=1"), TEXT, ("Set-Cookie", "b=2"), ("set-cookie", "")]
    assert said(headers=headers)[1] == tuple(headers)


def test_white_space_around_a_value_is_no_part_of_it():
    """Django's `Set-Cookie` begins with a space; on the wire there would be two."""
    headers = [("Set-Cookie", " id=1; Path=/"), ("X-Two", "\ta b \t"), ("X-None", "  ")]
    assert said(headers=headers)[1] == (("Set-Cookie", "id=1; Path=/"), ("X-Two", "a b"), ("X-None", ""))


def test_the_length_stands_apart():
    assert said(headers=[("content-LENGTH", "012"), TEXT]) == (200, (TEXT,), 12)


@pytest.mark.parametrize("value", ["", "-1", "+1", "1.5", " 1", "1 ", "1,1", "0x1", "²", "1" * 19])
def test_a_length_that_is_none(value):
    with pytest.raises(ValueError, match="Content-Length is no number of bytes"):
        start()("200 OK", [("Content-Length", value)])


def test_one_length():
    with pytest.raises(ValueError, match="Content-Length is given twice"):
        start()("200 OK", [("Content-Length", "1"), ("content-length", "1")])


def test_the_same_words_come_to_the_very_same_fields():
    one, other = said("200 OK", [("X-Memo", "a"), TEXT]), said("200 OK", [("X-Memo", "a"), TEXT])
    assert one is other
    assert one[1] is other[1]
    assert said("201 Created", [("X-Memo", "a"), TEXT])[0] == 201


def test_what_is_remembered_is_bounded():
    for number in range(3000):
        said(headers=[("X-Number", str(number))])
    assert len(starting._MADE) + len(starting._MADE.old) <= 1024


class Odd(str):
    """As Django's SafeString, but worse."""

    def __str__(self) -> str:
        return "overridden"


def test_a_kind_of_str_is_sent_as_what_it_holds():
    fields = said(Odd("200 OK"), [(Odd("X-Odd"), Odd("a"))])[1]
    assert fields == (("X-Odd", "a"),)
    assert {type(text) for text in fields[0]} == {str}


def test_the_error_comes_out_of_the_applications_own_line():
    def application(environ, start_response):
        start_response("200 OK", [("Connection", "close")])  # here
        return []

    with pytest.raises(ValueError, match="Connection") as caught:
        give(application)
    lines = [frame.line for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert 'start_response("200 OK", [("Connection", "close")])  # here' in lines


def test_an_application_may_try_again_after_an_error():
    def application(environ, start_response):
        try:
            start_response("200 OK", [("Bad Name", "x")])
        except ValueError:
            start_response("500 Oh", [], sys.exc_info())
        return [b"sorry"]

    assert (give(application).status, give(application).body) == (500, b"sorry")


def test_twice_is_refused_without_a_reason():
    begun = start()
    begun("200 OK", [])
    with pytest.raises(WsgiError, match="start_response is called again"):
        begun("200 OK", [])
    with pytest.raises(WsgiError, match="start_response is called again"):
        begun("200 OK", [], None)


def test_what_was_refused_was_said_all_the_same():
    begun = start()
    with pytest.raises(ValueError, match="Bad Name"):
        begun("200 OK", [("Bad Name", "x")])
    with pytest.raises(WsgiError, match="start_response is called again"):
        begun("200 OK", [TEXT])


@pytest.mark.parametrize("result", [[b"x"], [b"x", b"y"], iter([b"x"])])
def test_an_application_that_swallows_the_refusal(result):
    def application(environ, start_response):
        with suppress(ValueError):
            start_response("200 OK", [("Bad Name", "x")])
        return result

    with pytest.raises(WsgiError, match="goes on after start_response was refused"):
        give(application)


def test_nothing_can_be_written_after_a_refusal():
    begun = start()
    write = begun("200 OK", [TEXT])
    with suppress(ValueError):
        begun("500 Broken", [("Bad Name", "x")], (ValueError, ValueError("why"), None))
    with pytest.raises(WsgiError, match="write is called after start_response was refused"):
        write(b"x")


def test_with_an_error_in_hand_the_head_is_replaced_before_it_is_out():
    def application(environ, start_response):
        start_response("200 OK", [TEXT, ("Content-Length", "100")])
        try:
            raise RuntimeError("broken")
        except RuntimeError:
            start_response("503 Broken", [("Retry-After", "1")], sys.exc_info())
        return [b"later"]

    reply = give(application)
    assert (reply.status, reply.fields, reply.length, reply.body) == (503, {"retry-after": "1"}, None, b"later")


def test_exc_info_at_the_first_call():
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        first = start()
        first("500 Broken", [], exc_info=sys.exc_info())  # by name is not the standard's way, but that of some
    assert first.made == (500, (), None)


def test_once_the_head_is_out_the_error_is_raised_again():
    call = call_of()

    def application(environ, start_response):
        start_response("200 OK", [])(b"begun")
        try:
            raise RuntimeError("broken")
        except RuntimeError:
            start_response("500 Broken", [], sys.exc_info())
        raise AssertionError("never")

    with pytest.raises(RuntimeError, match="broken") as caught:
        mounted(application).respond(call)
    assert "application" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert (call.sent, call.begun.status) == ([b"begun"], 200)


def test_out_and_no_error_after_all():
    begun = start()
    begun("200 OK", [])(b"x")
    with pytest.raises(WsgiError):
        begun("200 OK", [], (None, None, None))


def test_write_sends_at_once():
    call = call_of()

    def application(environ, start_response):
        write = start_response("200 OK", [TEXT, ("Content-Length", "9")])
        assert call.begun is None
        write(b"one")
        assert call.sent == [b"one"]
        write(b"")
        write(b"two")
        return [b"s", b"ix"]

    reply = give(application, call)
    assert (reply.status, reply.fields, reply.length) == (200, {"content-type": "text/plain"}, 9)
    assert reply.pieces == [b"one", b"two", b"s", b"ix"]


@pytest.mark.parametrize("rest", [[], (), [b""], Result(), Result(b"", b"")])
def test_write_alone(rest):
    def application(environ, start_response):
        start_response("200 OK", [])(b"all")
        return rest

    reply = give(application)
    assert (reply.body, reply.length) == (b"all", None)


def test_write_of_nothing_does_not_begin():
    call = call_of()

    def application(environ, start_response):
        start_response("200 OK", [])(b"")
        try:
            raise RuntimeError
        except RuntimeError:
            start_response("500 Oh", [], sys.exc_info())
        return [b"x"]

    assert (give(application, call).status, call.begun) == (500, None)


@pytest.mark.parametrize("data", ["text", None, bytearray(b"x"), 1])
def test_write_takes_bytes(data):
    with pytest.raises(TypeError, match=f"write takes bytes, not {type(data).__name__}"):
        start()("200 OK", [])(data)


@pytest.mark.parametrize("request_text", ["HEAD /", "GET /"])
def test_write_of_a_reply_without_a_body_sends_nothing(request_text):
    call = call_of(request_text)

    def application(environ, start_response):
        write = start_response("200 OK" if request_text == "HEAD /" else "204 No Content", [])
        write(b"more than nothing")
        return []

    reply = give(application, call)
    assert (call.begun, call.sent, reply.length) == (None, [], None)
    assert reply.response.body != b"" or reply.status == 204  # it would be told as the length of what GET gives


def test_write_is_not_for_what_was_returned():
    def application(environ, start_response):
        write = start_response("200 OK", [])

        def pieces():
            yield b"x"
            write(b"y")

        return pieces()

    with pytest.raises(WsgiError, match="write is called from within"):
        give(application)


def test_a_client_that_has_gone_is_told_to_who_writes():
    call = call_of()
    call.gone = True

    def application(environ, start_response):
        start_response("200 OK", [])(b"x")
        return []

    with pytest.raises(ConnectionAbortedError):
        mounted(application).respond(call)


def test_what_was_begun_is_given_back_and_closed_by_who_takes_it():
    call, result = call_of(), Result(b"b")

    def application(environ, start_response):
        start_response("200 OK", [])(b"a")
        return result

    response = mounted(application).respond(call)
    assert response is call.begun
    assert not result.closed
    assert list(response.body) == [b"b"]
    response.body.close()
    assert result.closed == 1


HEADERS = st.lists(
    st.tuples(st.text(max_size=8) | st.sampled_from(["X-A", "Date", "Te"]), st.text(max_size=8)), max_size=4
)


@given(st.sampled_from(["200 OK", "304 Not Modified"]) | st.text(max_size=8), HEADERS)
def test_whatever_is_let_through_can_be_put_on_the_wire(status, headers):
    try:
        code, fields, length = said(status, headers)
    except ValueError:
        return
    head_parts(code, fields, length=length)
    assert all(FIELD_NAME.fullmatch(name) for name, _ in fields)
