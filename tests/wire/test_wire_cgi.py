"""RFC 3875 over the wire, for scripts that are executed and for those that are forked from a warm interpreter."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.wire.cgihosts import Scripted
from tests.wire.pages import check_page
from tests.wire.talk import Reply, chunked, request

TEXT = "Content-Type: text/plain\n"
LANGUAGES = ("py", "sh", "pl")


def shown(cgi: Scripted, path: str, method: str = "GET", *lines: str, **told: Any) -> dict[str, Any]:
    """What a script was given, by its own account."""
    answer = cgi.ask(path, method, *lines, **told)
    assert (answer.status, answer.fields["content-type"]) == (200, "application/json"), answer
    facts: dict[str, Any] = json.loads(answer.body)
    return facts


def said(cgi: Scripted, way: str, output: str, script: str = "say.py") -> Reply:
    """What becomes of a script's output."""
    return cgi.ask(f"{way}/{script}", "POST", body=output.encode("latin-1"))


def test_variables_of_a_request(cgi: Scripted, way: str) -> None:  # section 4.1
    fields = ("Accept: text/html", "X-Some.Thing: a", "X-Some.Thing: b", "Cookie: c=d", "Cookie: e=f")
    environ = shown(cgi, f"{way}/show.py/ex%74ra/p%61th?q=%20x&y", "GET", *fields, host="Some.Host:81")["environ"]
    port = str(cgi.daemon.port)
    assert environ.pop("REMOTE_PORT").isdigit()
    assert environ.pop("PATH")
    assert environ.pop("SERVER_SOFTWARE").startswith("forkserver/")
    environ.pop("LC_CTYPE", None)  # the interpreter's own doing
    assert environ == {
        "COLOUR": "blue",
        "DOCUMENT_ROOT": str(cgi.scripts),
        "GATEWAY_INTERFACE": "CGI/1.1",  # 4.1.4
        "HTTP_ACCEPT": "text/html",  # 4.1.18
        "HTTP_COOKIE": "c=d; e=f",
        "HTTP_HOST": "Some.Host:81",
        "HTTP_X_SOME.THING": "a, b",
        "PATH_INFO": "/extra/path",  # 4.1.5
        "PATH_TRANSLATED": f"{cgi.scripts}/extra/path",  # 4.1.6
        "QUERY_STRING": "q=%20x&y",  # 4.1.7
        "REMOTE_ADDR": "127.0.0.1",  # 4.1.8
        "REMOTE_HOST": "127.0.0.1",  # 4.1.9
        "REQUEST_METHOD": "GET",  # 4.1.12
        "REQUEST_SCHEME": "http",
        "REQUEST_URI": f"{way}/show.py/ex%74ra/p%61th?q=%20x&y",
        "SCRIPT_FILENAME": f"{cgi.scripts}/show.py",
        "SCRIPT_NAME": f"{way}/show.py",  # 4.1.13
        "SERVER_NAME": "some.host",  # 4.1.14
        "SERVER_PORT": port,  # 4.1.15
        "SERVER_PROTOCOL": "HTTP/1.1",  # 4.1.16
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_told(cgi: Scripted, way: str, language: str) -> None:
    answer = cgi.ask(f"{way}/show.{language}/more?one+two", "GET", "X-Umlaut: \xe4")
    if language == "py":
        environ = json.loads(answer.body)["environ"]
        lines = [*json.loads(answer.body)["argv"], *(f"{name}={value}" for name, value in environ.items())]
    else:
        lines = answer.body.decode("latin-1").splitlines()
    assert lines[:3] == [f"{cgi.scripts}/show.{language}", "one", "two"]
    assert {"QUERY_STRING=one+two", "PATH_INFO=/more", "HTTP_X_UMLAUT=\xe4", "COLOUR=blue"} <= set(lines)


def test_one_of_a_section_s_variables_passes_for_none_of_a_request(cgi: Scripted, way: str) -> None:
    environ = shown(cgi, f"{way}/show.py")["environ"]
    assert "HTTP_X_FORGED" not in environ
    assert "REMOTE_USER" not in environ


def test_variables_that_are_left_out(cgi: Scripted, way: str) -> None:  # sections 4.1.2, 4.1.3, 4.1.6, 4.1.18, 9.2
    fields = ("Proxy: http://evil", "Authorization: Basic x", "Proxy-Authorization: Basic x", "X_Under: y")
    environ = shown(cgi, f"{way}/show.py", "GET", *fields)["environ"]
    missing = {"HTTP_PROXY", "HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION", "HTTP_X_UNDER", "HTTP_CONTENT_TYPE"}
    assert not environ.keys() & {*missing, "CONTENT_LENGTH", "CONTENT_TYPE", "PATH_TRANSLATED", "RAW_URI"}
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("", "")
    environ = shown(cgi, f"{way}-tight/show.py", "GET", *fields)["environ"]
    assert environ["HTTP_AUTHORIZATION"] == "Basic x"
    assert not environ.keys() & missing - {"HTTP_AUTHORIZATION"}


def test_the_path_is_translated_into_the_folder_that_is_named(cgi: Scripted, way: str) -> None:  # section 4.1.6
    environ = shown(cgi, f"{way}-tight/show.py//a%20b/")["environ"]
    root = environ["DOCUMENT_ROOT"]
    assert root.endswith("/site")
    assert (environ["PATH_INFO"], environ["PATH_TRANSLATED"]) == ("//a b/", f"{root}//a b/")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [0, 1, 100, 200_000])
def test_a_body_is_read_from_standard_input(cgi: Scripted, way: str, size: int, language: str) -> None:  # section 4.2
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    assert cgi.ask(f"{way}/back.{language}", "POST", body=body).body == body
    with cgi.talk() as talk:
        talk.send(request("POST", f"{way}/back.{language}", "Transfer-Encoding: chunked") + chunked(body, 9000))
        assert talk.reply("POST").body == body


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_is_told_by_its_length_without_its_coding(
    cgi: Scripted, way: str, framing: str
) -> None:  # section 4.1.2
    with cgi.talk() as talk:
        if framing == "length":
            talk.send(request("PUT", f"{way}/show.py", "Content-Type: x/y; z=1", body=b"12345"))
        else:
            head = request("PUT", f"{way}/show.py", "Content-Type: x/y; z=1", "Transfer-Encoding: chunked")
            talk.send(head + chunked(b"12345", 2))
        facts = json.loads(talk.reply("PUT").body)
    assert facts["stdin"] == "12345"
    environ = facts["environ"]
    assert (environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"]) == ("5", "x/y; z=1")
    assert (environ["REQUEST_METHOD"], "HTTP_TRANSFER_ENCODING" in environ) == ("PUT", False)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_every_method_is_the_script_s(cgi: Scripted, way: str, method: str) -> None:  # section 4.3
    assert shown(cgi, f"{way}/show.py", method)["environ"]["REQUEST_METHOD"] == method


def test_head_gets_the_head_alone(cgi: Scripted, way: str) -> None:  # section 4.3.3
    with cgi.talk() as talk:
        answer = talk.ask(request("HEAD", f"{way}/query.py?Status:%20299%0AContent-Type:x/y%0A%0Abody"), "HEAD")
        assert (answer.status, answer.fields["content-type"], answer.body) == (299, "x/y", b"")
        assert "content-length" not in answer.fields
        answer = talk.ask(request("HEAD", f"{way}/good.py"), "HEAD")
        assert answer.fields["content-length"] == "5"
        assert talk.ask(request("GET", f"{way}/good.py")).body == b"good\n"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("one", ["one"]),
        ("a+b%2Bc+d%3De", ["a", "b+c", "d=e"]),
        ("-x+/etc", ["-x", "/etc"]),
        ("%24HOME+a%20b%3B%27", [r"\$HOME", r"a b\;\'"]),  # 7.2: what means something to a shell is escaped
        ("%E4", ["\xe4"]),
        ("", []),
        ("a=b", []),  # a form's
        ("a++b", []),  # no word is empty
        ("a+", []),
        ("a%00b+c", []),  # 4.4: one that can be no argument, none at all
        ("a%zz", []),
        ("+".join(["x"] * 1025), []),
    ],
)
def test_words_of_an_indexed_query(cgi: Scripted, way: str, query: str, words: list[str]) -> None:  # section 4.4
    facts = shown(cgi, f"{way}/show.py?{query}")
    assert facts["argv"] == [f"{cgi.scripts}/show.py", *words]
    assert facts["environ"]["QUERY_STRING"] == query


def test_a_query_is_no_index_to_other_methods(cgi: Scripted, way: str) -> None:  # section 4.4
    assert shown(cgi, f"{way}/show.py?one+two", "POST", body=b"x")["argv"] == [f"{cgi.scripts}/show.py"]


def test_a_message_that_is_whole_goes_out_as_it_is(cgi: Scripted, way: str) -> None:  # section 5.2
    message = b"HTTP/1.0 299 Odd\r\nx-oDD:odd\r\nServer: mine\r\n\r\nbody\0body"
    with cgi.talk() as talk:
        talk.send(request("POST", f"{way}/nph-say.py", body=message))
        assert talk.rest() == message
    big = b"HTTP/1.1 200 OK\nA: b\n\n" + bytes(range(256)) * 2000
    with cgi.talk() as talk:
        talk.send(request("POST", f"{way}/nph-say.py", body=big))
        assert talk.rest() == big
    cgi.daemon.output.wait_for(rf'"POST {way}/nph-say.py HTTP/1.1" 299 {len(message)} ')


def test_such_a_script_is_told_the_version_and_answers_head_by_itself(cgi: Scripted, way: str) -> None:  # section 5.2
    with cgi.talk() as talk:
        talk.send(request("HEAD", f"{way}/nph-hello.py", version="1.0"))
        assert talk.rest() == b"HTTP/1.0 203 As It Is\r\nX-Odd:   odd\r\n\r\nHEAD"


@pytest.mark.parametrize("message", ["", "Content-Type: text/plain\n\nno status line", "HTTP/1.1 100 Continue\r\n\r\n"])
def test_one_that_gives_no_message_is_500(cgi: Scripted, way: str, message: str) -> None:
    check_page(said(cgi, way, message, "nph-say.py").body, 500)
    cgi.wait_for_log(rf"\[{way}/nph-say.py\]: (it ended without saying anything|its first line is no status line)")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_document(cgi: Scripted, way: str, end: str, language: str) -> None:  # sections 6.2.1 and 7.2
    output = f"X-One:  a{end}content-TYPE: text/odd; charset=x{end}X-Empty:{end}X-One:b{end}{end}body{end}{end}end"
    answer = said(cgi, way, output, f"say.{language}")
    assert (answer.status, answer.body) == (200, f"body{end}{end}end".encode())
    ours = {"date", "server", "content-length", "transfer-encoding"}
    items = [item for item in answer.items if item[0] not in ours]
    assert items == [("x-one", "a"), ("content-type", "text/odd; charset=x"), ("x-one", "b")]


@pytest.mark.parametrize(
    ("status", "code"), [("404 Not Found", 404), ("200", 200), ("299 \xe4 odd", 299), ("501\tX", 501)]
)
def test_a_status(cgi: Scripted, way: str, status: str, code: int) -> None:  # section 6.3.3
    answer = said(cgi, way, f"Status: {status}\n{TEXT}\nbody")
    assert (answer.status, answer.body) == (code, b"body")
    assert "status" not in answer.fields


def test_a_status_that_has_no_body(cgi: Scripted, way: str) -> None:
    with cgi.talk() as talk:
        answer = talk.ask(request("POST", f"{way}/say.py", body=b"Status: 204\n\nsomething all the same"))
        assert (answer.status, answer.body, answer.framing) == (204, b"", "none")
        assert talk.ask(request("GET", f"{way}/good.py")).body == b"good\n"


def test_a_document_of_a_length_of_its_own(cgi: Scripted, way: str) -> None:
    answer = said(cgi, way, f"{TEXT}Content-Length: 4\n\nbody")
    assert (answer.framing, answer.fields["content-length"], answer.body) == ("length", "4", b"body")


def test_fields_of_the_connection_and_of_the_server_are_left_out(cgi: Scripted, way: str) -> None:  # 6.3.4, 6.3.5
    fields = "Connection: close\nTransfer-Encoding: chunked\nDate: never\nServer: mine\nX-CGI-Odd: 1\nUpgrade: x\n"
    with cgi.talk() as talk:
        answer = talk.ask(request("POST", f"{way}/say.py", body=f"{fields}{TEXT}\nbody".encode()))
        assert answer.body == b"body"
        assert answer.fields["server"] == "forkserver"
        assert answer.fields["date"] != "never"
        assert not answer.fields.keys() & {"connection", "x-cgi-odd", "upgrade"}
        assert talk.ask(request("GET", f"{way}/good.py")).body == b"good\n"


@pytest.mark.parametrize("location", ["http://elsewhere.test/a?b#c", "mailto:x", "page.html", "/page#part"])
def test_a_redirect_of_the_client(cgi: Scripted, way: str, location: str) -> None:  # section 6.2.3
    answer = said(cgi, way, f"Location: {location}\nSet-Cookie: a=b\n\n")
    assert (answer.status, answer.fields["location"], answer.fields["set-cookie"]) == (302, location, "a=b")
    check_page(answer.body, 302)


@pytest.mark.parametrize(("status", "code"), [("", 302), ("Status: 303 See Other\n", 303), ("Status: 201\n", 201)])
def test_a_redirect_of_the_client_with_a_document(cgi: Scripted, way: str, status: str, code: int) -> None:  # 6.2.4
    answer = said(cgi, way, f"{status}Location: http://elsewhere.test/\n{TEXT}X-More: x\n\ndocument")
    assert (answer.status, answer.body, answer.fields["x-more"]) == (code, b"document", "x")
    assert answer.fields["location"] == "http://elsewhere.test/"


def test_a_path_with_a_status_is_for_the_client(cgi: Scripted, way: str) -> None:
    answer = said(cgi, way, f"Status: 301\nLocation: /static/small.txt\n{TEXT}\nmoved")
    assert (answer.status, answer.fields["location"], answer.body) == (301, "/static/small.txt", b"moved")


def test_a_redirect_within_the_server(cgi: Scripted, way: str) -> None:  # section 6.2.2
    assert cgi.ask(f"{way}/elsewhere.py?/static/small.txt").body == b"small\n"
    answer = cgi.ask(f"{way}/elsewhere.py?/static/small.txt", "HEAD")
    assert (answer.status, answer.fields["content-length"], answer.body) == (200, "6", b"")
    assert cgi.ask(f"{way}/elsewhere.py?/static/none").status == 404
    assert cgi.ask(f"{way}/elsewhere.py?/wsgi/good").body == b"good\n"
    cgi.daemon.output.wait_for(rf'"GET {way}/elsewhere.py\?/wsgi/good HTTP/1.1" 200 5 ')


def test_such_a_redirect_asks_with_get_and_without_a_body(cgi: Scripted, way: str) -> None:
    with cgi.talk() as talk:
        body = f"Location: {way}/show.py/there?x=y\nContent-Type: ignored/too\n\nignored".encode()
        talk.send(request("POST", f"{way}/say.py?old", "Content-Type: a/b", "X-Kept: yes", body=body))
        facts = json.loads(talk.reply("POST").body)
        assert talk.ask(request("GET", f"{way}/good.py")).body == b"good\n"
    environ = facts["environ"]
    assert (environ["REQUEST_METHOD"], environ["QUERY_STRING"], environ["PATH_INFO"]) == ("GET", "x=y", "/there")
    assert (environ["REQUEST_URI"], environ["HTTP_X_KEPT"], facts["stdin"]) == (f"{way}/show.py/there?x=y", "yes", "")
    assert not environ.keys() & {"CONTENT_LENGTH", "CONTENT_TYPE"}


def test_a_large_body_is_let_go_by_such_a_redirect(cgi: Scripted, way: str) -> None:
    with cgi.talk() as talk:
        body = b"x" * 300_000
        answer = talk.ask(request("POST", f"{way}/elsewhere.py?/static/small.txt", body=body), "POST")
        assert answer.body == b"small\n"
        assert talk.ask(request("GET", f"{way}/elsewhere.py?{way}/elsewhere.py?/static/small.txt")).body == b"small\n"


def test_a_circle_of_such_redirects_is_left(cgi: Scripted, way: str) -> None:
    check_page(cgi.ask(f"{way}/elsewhere.py").body, 508)
    cgi.wait_for_log(rf"'GET {way}/elsewhere.py HTTP/1.1': sent on from path to path 10 times")


@pytest.mark.parametrize("target", ["/a%2", "/a b", "/%2e%2e/secret", "/\xe4"])
def test_a_redirect_to_what_is_no_path_is_500(cgi: Scripted, way: str, target: str) -> None:
    check_page(said(cgi, way, f"Location: {target}\n\n").body, 500)
    cgi.wait_for_log(rf"'POST {way}/say.py HTTP/1.1': the application sends it on to where no path is: ")


def test_a_cookie_that_is_lost_by_such_a_redirect_is_told(cgi: Scripted, way: str) -> None:
    said(cgi, way, "Location: /static/small.txt\nSet-Cookie: a=b\n\n")
    cgi.wait_for_log(rf"\[{way}/say.py\]: Set-Cookie is lost where Location is a path")


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("just text", "it ended within its head"),
        (TEXT, "it ended within its head"),
        ("\nbody", "a line of its head is not written as Name: value"),
        ("no colon\n\n", "a line of its head is not written as Name: value"),
        (f"{TEXT}Bad name: x\n\n", "a line of its head is not written as Name: value"),
        (f"{TEXT}Bad-name : x\n\n", "a line of its head is not written as Name: value"),  # section 6.3
        (f"{TEXT} folded\n\n", "a line of its head is not written as Name: value"),  # section 6.3
        (f"{TEXT}X-Bad: a\rSet-Cookie: b\n\n", "the value of X-Bad has a control byte"),
        (f"{TEXT}{TEXT}\n", "Content-Type is given twice"),  # section 6.3
        ("Status: 200\nstatus: 404\n\n", "status is given twice"),
        ("X-Alone: x\n\nbody", "it has none of Content-Type, Location and Status"),  # section 6.3
        ("Content-Type:\n\nbody", "it has none of Content-Type, Location and Status"),  # section 6.3
        ("Status: fine\n\n", "its Status is not a final one of three digits"),
        ("Status: 100\n\n", "its Status is not a final one of three digits"),
        ("Status: 2000\n\n", "its Status is not a final one of three digits"),
        (f"{TEXT}Content-Length: 4x\n\nbody", "Content-Length is not one number of bytes"),
        (f"{TEXT}Content-Length: 4\nContent-Length: 4\n\nbody", "Content-Length is not one number of bytes"),
    ],
)
def test_what_is_no_head_is_500_and_the_log_tells_why(cgi: Scripted, way: str, output: str, why: str) -> None:
    answer = said(cgi, way, output)
    assert "set-cookie" not in answer.fields
    check_page(answer.body, 500)
    cgi.wait_for_log(rf"\[warning\] .*\[{way}/say.py\]: {why}")


def test_output_is_streamed_and_sound(cgi: Scripted, way: str) -> None:  # section 6.4
    answer = cgi.ask(f"{way}/big.py?40")
    assert (len(answer.body), answer.framing) == (40 << 20, "chunked")
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(bytes(range(256)) * (40 << 12)).digest()


@pytest.mark.parametrize("script", ["good.pl", "good.sh", "good.py", "leads-in.sh"])
def test_whatever_begins_with_the_name_of_an_interpreter(cgi: Scripted, way: str, script: str) -> None:
    answer = cgi.ask(f"{way}/{script}")
    assert (answer.status, answer.body) == (200, b"good\n")


@pytest.mark.parametrize(
    ("path", "name", "rest"),
    [
        ("/sub/deep.sh", "/sub/deep.sh", ""),
        ("//sub//deep.sh/", "/sub/deep.sh", "/"),
        ("/sub/deep.sh//x/", "/sub/deep.sh", "//x/"),
    ],
)
def test_what_follows_the_script_is_its_path(cgi: Scripted, way: str, path: str, name: str, rest: str) -> None:  # 3.2
    assert cgi.ask(way + path).body.decode() == f"{way}{name} {rest}\n"


@pytest.mark.parametrize("path", ["", "/a/b"])
def test_one_script_alone_answers_for_all_below_its_mount(cgi: Scripted, way: str, path: str) -> None:
    environ = shown(cgi, f"{way}-alone{path}")["environ"]
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (f"{way}-alone", path)
    assert environ["SCRIPT_FILENAME"] == f"{cgi.scripts}/show.py"


def test_a_strange_name(cgi: Scripted, way: str) -> None:
    assert cgi.ask(f"{way}/-odd%20name.sh").body.decode() == f"{way}/-odd name.sh\n"


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("", 403, "is a folder, not a script"),
        ("/", 403, "is a folder, not a script"),
        ("/sub", 403, "is a folder, not a script"),
        ("/sub/", 403, "is a folder, not a script"),
        ("/not-executable.sh", 403, "not-executable.sh is not executable"),
        ("/not-executable.sh/x", 403, "not-executable.sh is not executable"),
        ("/none", 404, ""),
        ("/sub/none/x", 404, ""),
        ("/leads-out.sh", 404, ""),
        ("/.hidden.sh", 404, ""),
        ("/sub%2Fdeep.sh", 404, ""),
        ("/good.sh/a%2Fb", 404, ""),  # section 4.1.5
        ("/..%2foutside.sh", 400, ""),
        ("/%2e%2e/outside.sh", 400, ""),
        (
            "/no-interpreter.cgi",
            500,
            "cannot be executed: No such file or directory; its interpreter /nowhere/at/all is not there",
        ),
        ("/crlf.cgi", 500, r"cannot be executed: .*; its first line ends with CR LF"),
        ("/no-line.cgi", 500, "cannot be executed: Exec format error; it begins with no #! line"),
    ],
)
def test_what_cannot_be_run(cgi: Scripted, way: str, path: str, status: int, why: str) -> None:
    answer = cgi.ask(way + path)
    check_page(answer.body, status)
    if why:
        cgi.wait_for_log(why)


def test_what_is_found_where_it_is_wanted(cgi: Scripted, way: str) -> None:
    assert cgi.ask(f"{way}-tight/.hidden.sh").body == b"hidden"
    assert cgi.ask(f"{way}-tight/leads-out.sh").body == b"good\n"


@pytest.mark.parametrize("name", ["somebody", "fail"])
def test_scripts_that_use_the_module_cgi(cgi: Scripted, way: str, name: str) -> None:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n',
        '--x\r\nContent-Disposition: form-data; name="upload"; filename="a.bin"\r\n\r\n'
        + "y" * 100_000
        + "\r\n--x--\r\n",
    ]
    body = "".join(parts).encode()
    answer = cgi.ask(f"{way}/form.py", "POST", "Content-Type: multipart/form-data; boundary=x", body=body)
    assert answer.body.startswith(f"{name} a.bin 100000\n".encode())
    assert (b"asked to fail" in answer.body) is (name == "fail")  # cgitb writes the trace as a page
