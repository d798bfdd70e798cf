"""The standard library's own judge of PEP 3333, wsgiref.validate, on both sides of us."""

from __future__ import annotations

import sys
from pathlib import Path
from wsgiref.validate import validator

import pytest

from forkserver.apps.wsgi import Wsgi, WsgiOptions
from tests.apps.wsgi_calls import Call, Taken, call_of, give, post_of, tells

TEXT = [("Content-Type", "text/plain")]


def reads(environ, start_response):
    """Reads its body in every way."""
    stream = environ["wsgi.input"]
    parts = [stream.read(2), stream.readline(), *stream.readlines(1), *stream]
    environ["wsgi.errors"].write("read\n")
    environ["wsgi.errors"].writelines(["all\n"])
    environ["wsgi.errors"].flush()
    start_response("200 OK", [*TEXT, ("Content-Length", str(sum(map(len, parts))))])
    return parts


def generates(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"one "
    yield b"two"


def writes(environ, start_response):
    start_response("200 OK", TEXT)(b"written ")
    return [b"returned"]


def recovers(environ, start_response):
    start_response("200 OK", TEXT)
    try:
        raise RuntimeError
    except RuntimeError:
        start_response("500 Recovered", TEXT, sys.exc_info())
    return [b"recovered"]


def bodiless(environ, start_response):
    start_response("204 No Content", [])
    return []


def sends_file(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](open(__file__, "rb"))


GOOD = {
    "reads": (reads, b"abc\ndef\nghi"),
    "generates": (generates, b"one two"),
    "writes": (writes, b"written returned"),
    "recovers": (recovers, b"recovered"),
    "bodiless": (bodiless, b""),
    "sends_file": (sends_file, Path(__file__).read_bytes()),
}

CALLS = {
    "get": lambda: call_of("GET /a?b=c"),
    "mounted": lambda: call_of("GET /shop/a?b=c HTTP/1.1\nHost: a\nCookie: a=b\nCookie: c=d", script="/shop"),
    "at the mount": lambda: call_of("GET /shop", script="/shop"),
    "old": lambda: call_of("GET / HTTP/1.0\nX: y"),
    "head": lambda: call_of("HEAD /"),
    "https": lambda: call_of("GET /", scheme="https"),
    "post": lambda: post_of(b"abc\ndef\nghi"),
    "spooled": lambda: post_of(b"abc\ndef\nghi", spooled=True),
    "chunked": lambda: post_of(b"abc\ndef\nghi", chunked=True),
}


@pytest.mark.parametrize("request_name", CALLS)
@pytest.mark.parametrize("name", GOOD)
def test_what_we_tell_and_take_is_valid(name, request_name, capsys):
    application, body = GOOD[name]
    call = CALLS[request_name]()
    reply = give(validator(application), call)
    if call.head.line.method == "POST" or name not in ("reads",):
        assert reply.body == (b"" if call.head.line.method == "HEAD" else body)
    assert reply.response.status in (200, 204, 500)


def load_checked(monkeypatch, application):
    """The kind with the option `validate`, and an application that it has imported."""
    monkeypatch.setattr(sys.modules[__name__], "application", application, raising=False)
    app = Wsgi(WsgiOptions(wsgi=__name__, validate=True), "")
    app.load()
    return app


@pytest.mark.parametrize("name", GOOD)
def test_the_option_lets_good_applications_through(name, monkeypatch):
    application, body = GOOD[name]
    call = post_of(b"abc\ndef\nghi")
    assert Taken(call, load_checked(monkeypatch, application).respond(call)).body == body


def reads_all_at_once(environ, start_response):
    start_response("200 OK", TEXT)
    return [environ["wsgi.input"].read()]


def has_no_type(environ, start_response):
    start_response("200 OK", [])
    return [b"x"]


def closes_its_input(environ, start_response):
    environ["wsgi.input"].close()
    return generates(environ, start_response)


@pytest.mark.parametrize("application", [reads_all_at_once, has_no_type, closes_its_input])
def test_the_option_finds_faults_that_we_forgive(application, monkeypatch):
    app, call = load_checked(monkeypatch, application), post_of(b"abc")
    with pytest.raises(AssertionError):
        Taken(call, app.respond(call))
    assert give(application, post_of(b"abc")).status == 200


def test_without_the_option_nobody_watches(monkeypatch):
    application = tells(len)
    monkeypatch.setattr(sys.modules[__name__], "application", application, raising=False)
    app = Wsgi(WsgiOptions(wsgi=__name__), "")
    app.load()
    assert app._application is application
    assert isinstance(call_of(), Call)
