"""What an application is told of a request (PEP 3333, "environ Variables")."""

from __future__ import annotations

import dataclasses

import pytest

from forkserver.apps import metavariables
from forkserver.http.request import Ends
from tests.apps.wsgi_calls import ENDS, Call, asked_of, call_of, environ_of, mounted, post_of, tells

WHOLE = """\
GET /shop/caf%C3%A9%2Fx;y?a=b%20c&d=%E9 HTTP/1.1
Host: Shop.Example.ORG:8080
User-Agent: tester
X-Odd.Name: \xe9
Accept: text/html
Accept: */*"""


def test_a_request_as_the_standard_names_it():
    environ = environ_of(call_of(WHOLE, script="/shop"))
    wanted = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/shop",
        "PATH_INFO": "/caf\xc3\xa9/x;y",
        "QUERY_STRING": "a=b%20c&d=%E9",
        "REQUEST_URI": "/shop/caf%C3%A9%2Fx;y?a=b%20c&d=%E9",
        "RAW_URI": "/shop/caf%C3%A9%2Fx;y?a=b%20c&d=%E9",
        "SERVER_NAME": "shop.example.org",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "40000",
        "HTTP_HOST": "Shop.Example.ORG:8080",
        "HTTP_USER_AGENT": "tester",
        "HTTP_X_ODD.NAME": "\xe9",
        "HTTP_ACCEPT": "text/html, */*",
    }
    assert {name: value for name, value in environ.items() if name in wanted} == wanted
    assert environ["SERVER_SOFTWARE"].startswith("forkserver/")


def test_it_is_a_plain_dict_of_native_strings():
    environ = environ_of(call_of(WHOLE, script="/shop"))
    assert type(environ) is dict
    assert {type(value) for name, value in environ.items() if "." not in name or name.startswith("HTTP_")} == {str}
    for name in ("PATH_INFO", "SCRIPT_NAME", "QUERY_STRING", "HTTP_X_ODD.NAME"):
        environ[name].encode("latin-1")


def test_the_variables_of_wsgi():
    environ = environ_of()
    assert environ["wsgi.version"] == (1, 0)
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["wsgi.run_once"] is False
    assert environ["wsgi.input_terminated"] is True
    assert environ["wsgi.input"].read() == b""
    assert callable(environ["wsgi.file_wrapper"])
    assert {"write", "writelines", "flush"} <= set(dir(environ["wsgi.errors"]))
    assert "HTTPS" not in environ


@pytest.mark.parametrize(
    ("script", "target", "path"),
    [
        ("", "/", "/"),
        ("", "/a//b", "/a//b"),
        ("/shop", "/shop", ""),
        ("/shop", "/shop/", "/"),
        ("/a/b", "/a/b/c", "/c"),
    ],
)
def test_the_mount_divides_the_path(script, target, path):
    environ = environ_of(call_of(f"GET {target}", script=script))
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script, path)


def test_https():
    environ = environ_of(call_of("GET /", scheme="https"))
    assert (environ["wsgi.url_scheme"], environ["HTTPS"]) == ("https", "on")


def test_the_ends_that_a_trusted_proxy_tells_of_hold():
    environ = environ_of(call_of("GET /", ends=Ends(("203.0.113.9", 5), ("192.0.2.1", 443))))
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"], environ["SERVER_PORT"]) == ("203.0.113.9", "5", "443")


@pytest.mark.parametrize("text", ["GET / HTTP/1.0\nAccept: a", "GET / HTTP/1.1\nHost:"])
def test_without_a_host_the_server_is_named_by_its_address(text):
    call = call_of(text)
    call.asked.kept = True
    for _ in range(2):
        assert environ_of(call)["SERVER_NAME"] == "192.0.2.1"
    assert call.asked.note is None
    environ = environ_of(Call(call.asked, Ends(("unix", 0), ("unix", 0)), b""))
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["REMOTE_ADDR"]) == ("unix", "0", "unix")


def test_the_version():
    assert environ_of("GET / HTTP/1.0\nHost: a")["SERVER_PROTOCOL"] == "HTTP/1.0"


def test_the_authority_of_an_absolute_form_stands_in_for_the_host():
    environ = environ_of("GET http://real.example:81/x?y HTTP/1.1\nHost: other.example")
    assert (environ["HTTP_HOST"], environ["SERVER_NAME"]) == ("real.example:81", "real.example")
    assert (environ["PATH_INFO"], environ["REQUEST_URI"]) == ("/x", "http://real.example:81/x?y")


def test_a_proxy_field_does_not_become_http_proxy():
    environ = environ_of("GET / HTTP/1.1\nHost: a\nProxy: http://evil.example/\nX-Proxy: b")
    assert "HTTP_PROXY" not in environ
    assert environ["HTTP_X_PROXY"] == "b"
    assert "forkserver.dropped" not in environ


def test_an_underscored_name_passes_for_nothing():
    assert "HTTP_X_USER" not in environ_of("GET / HTTP/1.1\nHost: a\nX_User: root")


def test_cookies_in_several_fields_are_one_field():
    environ = environ_of("GET / HTTP/1.1\nHost: a\nCookie: a=1\nCookie: b=2\nX: 1\nX: 2")
    assert (environ["HTTP_COOKIE"], environ["HTTP_X"]) == ("a=1; b=2", "1, 2")


def test_type_and_length_of_a_body_have_their_own_names():
    environ = environ_of(post_of(b"12345"))
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/plain", "5")
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & environ.keys()
    assert "CONTENT_LENGTH" not in environ_of()


@pytest.mark.parametrize("spooled", [False, True])
@pytest.mark.parametrize("body", [b"", b"123456789"])
def test_a_body_in_chunks_has_a_length_all_the_same(spooled, body):
    call = post_of(body, spooled=spooled, chunked=True)
    environ = environ_of(call)
    assert environ["CONTENT_LENGTH"] == str(len(body))
    assert environ["wsgi.input"].read() == body
    assert "HTTP_TRANSFER_ENCODING" not in environ


def test_two_bodies_in_chunks_behind_one_head():
    call = post_of(b"12", chunked=True)
    app = mounted(tells(lambda environ: environ["CONTENT_LENGTH"]))
    assert app.respond(call).body == b"2"
    assert app.respond(Call(call.asked, ENDS, b"12345")).body == b"5"


def test_every_request_has_a_dict_of_its_own():
    seen = []

    def application(environ, start_response):
        seen.append(dict(environ))
        environ.clear()
        environ["trace"] = "left behind"
        start_response("200 OK", [])
        return [b""]

    app = mounted(application)
    asked = asked_of("GET /a")
    for port in (1, 2):
        app.respond(Call(asked, Ends(("192.0.2.7", port), ("192.0.2.1", 80)), b""))
    assert [environ.pop("REMOTE_PORT") for environ in seen] == ["1", "2"]
    assert [environ.pop("forkserver.deadline")() for environ in seen] == [60.0, 60.0]
    assert seen[0] == seen[1]


def test_the_deadline_can_be_extended():
    assert environ_of()["forkserver.deadline"](30) == 90.0


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_who_else_may_be_in_the_application(threads):
    """Another process always: a worker that is about to leave and its replacement answer at the same time."""
    seen = []
    app = mounted(tells(seen.append))
    app.employ(threads=threads, errors=print)
    app.respond(call_of())
    assert seen[0]["wsgi.multithread"] is (threads > 1)
    assert seen[0]["wsgi.multiprocess"] is True


def test_variables_of_the_section_are_there_but_pass_for_no_word_of_the_client():
    env = (("MODE", "live"), ("HTTP_PROXY", "http://proxy"), ("REMOTE_USER", "root"), ("PATH_INFO", "/etc"))
    environ = environ_of(env=env)
    assert (environ["MODE"], environ["PATH_INFO"]) == ("live", "/")
    assert not {"HTTP_PROXY", "REMOTE_USER"} & environ.keys()


def test_the_names_of_fields_are_kept_and_bounded():
    for number in range(3000):
        environ_of(f"GET / HTTP/1.1\nHost: a\nX-{number}: b")
    assert environ_of("GET / HTTP/1.1\nHost: a\nX-2999: c")["HTTP_X_2999"] == "c"
    assert len(metavariables._variable.__self__) <= metavariables.NAMES


def test_template_and_copy_have_the_same_variables():
    """What is set for each request stands in the template already, so that no copy has to grow."""
    app = mounted(tells(sorted))
    call = call_of()
    call.asked.kept = True
    first = app.respond(call).body
    assert call.asked.note
    assert first == app.respond(call).body == str(sorted(call.asked.note)).encode()


def test_what_is_known_of_a_request_is_known_of_the_next_but_not_what_became_of_it():
    app = mounted(tells(lambda environ: (environ["HTTP_A"], environ["REMOTE_ADDR"], environ.setdefault("mine", 0))))
    asked = asked_of("GET / HTTP/1.1\nHost: localhost\nA: b")
    asked.kept = True
    for address in ("192.0.2.7", "192.0.2.8"):
        call = Call(asked, Ends((address, 1), ("192.0.2.1", 80)), b"")
        assert app.respond(call).body == str(("b", address, 0)).encode()
    assert "mine" not in asked.note


def test_nothing_is_kept_of_a_request_that_is_not():
    call = call_of()
    environ_of(call)
    assert call.asked.note is None


def test_a_message_of_every_field_is_a_variable():
    head = asked_of(WHOLE).head
    assert {field.upper().replace("-", "_") for field in head.fields.values} == {
        name.removeprefix("HTTP_") for name in environ_of(call_of(WHOLE)) if name.startswith("HTTP_")
    }
    assert dataclasses.is_dataclass(mounted(None).Options)
