"""Behind a proxy: who the client is, for applications, in the log and in the limits, and that nobody can forge it.

One server believes 127.0.0.1 and whoever comes by a unix socket; 127.0.0.3 is a stranger to it.  The other believes
nobody.
"""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemons import PATIENCE, Daemon
from tests.preambles import binary, block, further
from tests.wire.hosts import Host, Run, make_site
from tests.wire.talk import Reply, Talk, request

CONFIG = """
[server]
listen = 127.0.0.1:0, unix:{folder}/plain.sock, 127.0.0.2:0 proxy, unix:{folder}/proxy.sock proxy
trusted = 127.0.0.1, 10.0.0.0/8, unix:
workers = 1
[log]
format = %h %{{remote}}p %V %{{X-Forwarded-For}}i \\"%r\\" %>s
[limits]
{limits}
[one.test/]
static = {site}/one
[two.test/]
static = {site}/two
[/echo]
echo = yes
[/showing]
wsgi = showing
path = {folder}
"""
SHOWING = """
import json

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: value for name, value in environ.items() if type(value) is str}).encode()]
"""
STRANGER = ("127.0.0.3", 0)
CLIENT, LOCAL = ("192.0.2.1", 4711), ("198.51.100.2", 443)
TEXT = b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n"
BINARY = binary(0x21, 0x11, block(CLIENT, LOCAL) + further(4, b"padding"))


class Behind:
    """The server that believes some, and the ways to it."""

    def __init__(self, folder: Path, limits: str = "") -> None:
        self.folder = folder
        (folder / "showing.py").write_text(SHOWING)
        config = CONFIG.format(folder=folder, site=make_site(folder), limits=limits)
        self.daemon = Daemon(folder, config).start()
        self.ports = [name.rpartition(":")[2] for name in self.daemon.status()["listening"]]

    def plain(self, source: tuple[str, int] | None = None) -> Talk:
        return Talk(socket.create_connection(("127.0.0.1", int(self.ports[0])), PATIENCE, source))

    def proxied(self, source: tuple[str, int] | None = ("127.0.0.1", 0)) -> Talk:
        return Talk(socket.create_connection(("127.0.0.2", int(self.ports[2])), PATIENCE, source))

    def unix(self, name: str) -> Talk:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(self.folder / name))
        return Talk(sock)

    def logged(self, mark: str) -> str:
        return self.daemon.output.wait_for(f"^.*{mark}.*$")[0]


@pytest.fixture(scope="session")
def _behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    behind = Behind(tmp_path_factory.mktemp("behind"))
    yield behind
    assert behind.daemon.stop() == 0
    assert "Traceback" not in behind.daemon.errors.rest()


@pytest.fixture
def behind(_behind: Behind) -> Iterator[Behind]:
    before = _behind.daemon.workers()
    yield _behind
    assert _behind.daemon.workers() == before


@pytest.fixture
def mark() -> str:
    """What to find the line of a request by."""
    return uuid.uuid4().hex


def facts(answer: Reply) -> dict[str, Any]:
    assert answer.status == 200
    told: dict[str, Any] = json.loads(answer.body)
    return told


def spoken(told: dict[str, Any]) -> dict[str, str]:
    """The fields that speak for others, as the application saw them."""
    return {name: value for name, value in told["fields"] if "forwarded" in name or name == "x-real-ip"}


LINES = (
    "X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.1.2.3",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: shop.example.org",
    "X-Real-IP: 192.0.2.1",
)

# By fields.


def test_a_trusted_proxy_is_believed(behind: Behind, mark: str) -> None:
    with behind.plain() as talk:
        told = facts(talk.ask(request("GET", f"/echo/{mark}", *LINES)))
    assert (told["peer"], told["scheme"], told["host"]) == ("192.0.2.1", "https", "shop.example.org")
    assert told["variables"] == {"REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "0", "SERVER_PORT": "443"}
    assert spoken(told) == {name.lower(): value for name, value in (line.split(": ") for line in LINES)}
    assert [value for name, value in told["fields"] if name == "host"] == ["shop.example.org"]
    line = f'192.0.2.1 0 shop.example.org 6.6.6.6, 192.0.2.1, 10.1.2.3 "GET /echo/{mark} HTTP/1.1" 200'
    assert behind.logged(mark) == line


def test_so_is_one_at_a_unix_socket(behind: Behind, mark: str) -> None:
    with behind.unix("plain.sock") as talk:
        told = facts(talk.ask(request("GET", f"/echo/{mark}", 'Forwarded: for="[2001:db8::1]:4711";proto=https')))
        assert (told["peer"], told["scheme"], told["host"]) == ("2001:db8::1", "https", "test")
        assert behind.logged(mark).startswith("2001:db8::1 4711 test ")
        told = facts(talk.ask(request("GET", f"/echo/{mark}/own")))
        assert (told["peer"], told["scheme"]) == ("unix", "http")
    assert behind.logged(f"{mark}/own").startswith("unix 0 test ")


def test_a_stranger_is_not(behind: Behind, mark: str) -> None:
    with behind.plain(STRANGER) as talk:
        told = facts(talk.ask(request("GET", f"/echo/{mark}", *LINES, "Forwarded: for=192.0.2.1;proto=https")))
        assert (told["peer"], told["scheme"], told["host"]) == ("127.0.0.3", "http", "test")
        assert spoken(told) == {}
        assert told["variables"]["SERVER_PORT"] == behind.ports[0]
        broken = facts(talk.ask(request("GET", "/echo", 'Forwarded: for="', "X-Forwarded-Proto: ftp")))
        assert spoken(broken) == {}
    assert behind.logged(mark).startswith("127.0.0.3 ")
    assert f' test - "GET /echo/{mark} HTTP/1.1" 200' in "\n".join(behind.daemon.output.seen)


def test_a_wsgi_application_sees_the_client(behind: Behind, mark: str) -> None:
    lines = (*LINES, "Proxy: http://evil.test", "X-Forwarded_Ssl: on")
    with behind.plain() as proxy, behind.plain(STRANGER) as stranger:
        for target in (f"/showing/{mark}", f"http://inner.test/showing/{mark}"):
            for _ in range(3):
                told = facts(proxy.ask(request("GET", target, *lines)))
                assert (told["REMOTE_ADDR"], told["SERVER_PORT"]) == ("192.0.2.1", "443")
                assert (told["wsgi.url_scheme"], told["HTTPS"]) == ("https", "on")
                assert told["HTTP_HOST"] == told["SERVER_NAME"] == "shop.example.org"
                assert told["HTTP_X_FORWARDED_FOR"] == "6.6.6.6, 192.0.2.1, 10.1.2.3"
                assert (told["HTTP_X_FORWARDED_PROTO"], told["HTTP_X_REAL_IP"]) == ("https", "192.0.2.1")
                assert "HTTP_PROXY" not in told
                assert behind.logged(mark).startswith("192.0.2.1 0 shop.example.org ")
                told = facts(stranger.ask(request("GET", target, *lines)))
                assert (told["REMOTE_ADDR"], told["SERVER_PORT"]) == ("127.0.0.3", behind.ports[0])
                assert (told["wsgi.url_scheme"], told["HTTP_HOST"]) == (
                    "http",
                    "inner.test" if "inner" in target else "test",
                )
                assert not [
                    name for name in told if "FORWARDED" in name or name in ("HTTPS", "HTTP_PROXY", "HTTP_X_REAL_IP")
                ]
                assert behind.logged(mark).startswith("127.0.0.3 ")


def test_where_nobody_is_trusted_nobody_is_believed(host: Host, mark: str) -> None:
    with host.talk() as talk:
        told = facts(talk.ask(request("GET", f"/echo/{mark}", *LINES)))
    assert (told["peer"], told["scheme"], told["host"], spoken(told)) == ("127.0.0.1", "http", "test", {})
    assert host.daemon.output.wait_for(f"^127.0.0.1 .*{mark}")


def test_who_wonders_is_told_once(run: Run) -> None:
    with run() as own:
        for _ in range(5):
            with own.talk() as talk:
                assert talk.ask(request("GET", "/echo", *LINES)).status == 200
        assert own.daemon.errors.wait_for(r"127\.0\.0\.1 tells of a client .* not trusted \(\[server\] trusted\)")
        pids = own.workers()
        own.daemon.stop()
        assert own.daemon.errors.rest().count("tells of a client") <= len(pids)


def test_each_request_of_a_connection_has_its_own_client(behind: Behind, mark: str) -> None:
    asked = [
        ("192.0.2.1", ("X-Forwarded-For: 192.0.2.1",)),
        ("127.0.0.1", ()),
        ("192.0.2.2", ("X-Forwarded-For: 192.0.2.2", "X-Forwarded-Proto: https")),
        ("127.0.0.1", ("X-Forwarded-For: unknown",)),
    ]
    with behind.plain() as talk:
        talk.send(b"".join(request("GET", f"/echo/{mark}", *lines) for _, lines in asked))
        for peer, lines in asked:
            told = facts(talk.reply())
            assert (told["peer"], told["scheme"] == "https") == (peer, len(lines) == 2)
        body = facts(talk.ask(request("POST", f"/echo/{mark}", *LINES, body=bytes(100_000))))
        assert (body["peer"], body["length"], body["spooled"]) == ("192.0.2.1", 100_000, True)
    for peer in [*(peer for peer, _ in asked), "192.0.2.1"]:
        assert behind.logged(mark).startswith(f"{peer} ")


def test_hosts_are_found_by_what_the_client_asked_for(behind: Behind) -> None:
    """The same bytes again and again, from both: ready replies must not be shared."""
    asked = [("X-Forwarded-Host: one.test", b"one"), ('Forwarded: host="ONE.test:80"', b"one")]
    with behind.plain() as proxy, behind.plain(STRANGER) as stranger:
        for line, body in asked:
            data = request("GET", "/who.txt", line, host="two.test")
            for _ in range(20):
                assert stranger.ask(data).body == b"two"
                assert proxy.ask(data).body == body
        for _ in range(20):
            assert proxy.ask(request("GET", "/who.txt", host="two.test")).body == b"two"


def test_the_log_names_the_client_however_often_the_same_is_asked(behind: Behind, mark: str) -> None:
    data = request("GET", f"/who.txt?{mark}", "X-Forwarded-For: 192.0.2.1", host="one.test")
    with behind.plain() as proxy, behind.plain(STRANGER) as stranger:
        for _ in range(10):
            for talk, peer in ((proxy, "192.0.2.1"), (stranger, "127.0.0.3")):
                assert talk.ask(data).body == b"one"
                assert behind.logged(mark).startswith(f"{peer} ")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (('Forwarded: for="',), "malformed"),
        (("Forwarded: for=6.6.6.6", "X-Forwarded-For: 192.0.2.1"), "different clients"),
        (("X-Forwarded-Proto: gopher",), "neither http nor https"),
        (("X-Forwarded-Host: a b",), "malformed"),
        (("X-Forwarded-Port: x",), "port"),
    ],
)
def test_what_contradicts_itself_is_refused(behind: Behind, mark: str, lines: tuple[str, ...], why: str) -> None:
    with behind.plain() as talk:
        answer = talk.ask(request("GET", f"/echo/{mark}", *lines))
        assert (answer.status, answer.fields["connection"]) == (400, "close")
        assert why in answer.body.decode()
        assert talk.ended()
    assert behind.logged(mark).startswith("127.0.0.1 ")


@pytest.mark.parametrize("source", [None, STRANGER])
@pytest.mark.parametrize("name", ["X_Forwarded_For", "X-Forwarded_Proto", "X_Real_IP"])
def test_an_underscore_smuggles_nothing(behind: Behind, name: str, source: tuple[str, int] | None) -> None:
    with behind.plain(source) as talk:
        told = facts(talk.ask(request("GET", "/echo", f"{name}: https")))
        assert not [field for field, _ in told["fields"] if field not in ("host",)]
        assert talk.ask(request("GET", "/echo", f"{name}: a", f"{name.replace('_', '-')}: b")).status == 400


def test_errors_and_refusals_are_the_clients(behind: Behind, mark: str) -> None:
    with behind.plain() as talk:
        assert talk.ask(request("GET", f"/nowhere/{mark}", *LINES)).status == 404
        assert behind.logged(mark).startswith("192.0.2.1 ")
        assert talk.ask(request("POST", f"/echo/{mark}", *LINES, f"Content-Length: {1 << 40}")).status == 413
    assert behind.logged(mark).startswith("192.0.2.1 ")
    assert behind.daemon.errors.wait_for(r"192\.0\.2\.1: 413: ")


# By the PROXY protocol.


@pytest.mark.parametrize("preamble", [TEXT, BINARY])
@pytest.mark.parametrize("way", ["proxied", "proxy.sock"])
def test_a_connection_of_somebody_else(behind: Behind, mark: str, preamble: bytes, way: str) -> None:
    with behind.proxied() if way == "proxied" else behind.unix(way) as talk:
        talk.send(preamble)
        for number in range(3):  # and each further request
            told = facts(talk.ask(request("GET", f"/echo/{mark}/{number}", *LINES)))
            assert (told["peer"], told["scheme"], told["host"]) == ("192.0.2.1", "http", "test")
            assert told["variables"] == {"REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "4711", "SERVER_PORT": "443"}
            assert spoken(told) == {}  # they are the client's own
            assert behind.logged(mark).startswith("192.0.2.1 4711 test - ")


@pytest.mark.parametrize("preamble", [TEXT, BINARY])
def test_no_cut_of_the_preamble_matters(behind: Behind, preamble: bytes) -> None:
    data = request("GET", "/echo/cut")
    with behind.proxied() as talk:
        talk.send(preamble + data + data)
        assert [facts(talk.reply())["peer"] for _ in range(2)] == ["192.0.2.1"] * 2
    with behind.proxied() as talk:
        talk.send_in_pieces(preamble + data)
        assert facts(talk.reply())["peer"] == "192.0.2.1"


def test_ipv6_in_both_versions(behind: Behind) -> None:
    ends = ("2001:db8::1", 4711), ("2001:db8::2", 443)
    for preamble in (b"PROXY TCP6 2001:DB8::1 2001:db8::2 4711 443\r\n", binary(0x21, 0x21, block(*ends))):
        with behind.proxied() as talk:
            talk.send(preamble)
            assert facts(talk.ask(request("GET", "/echo")))["peer"] == "2001:db8::1"


def test_a_client_that_is_trusted_is_heard_in_its_turn(behind: Behind) -> None:
    with behind.proxied() as talk:
        talk.send(b"PROXY TCP4 10.0.0.7 198.51.100.2 4711 443\r\n")
        assert facts(talk.ask(request("GET", "/echo", *LINES)))["peer"] == "192.0.2.1"
        assert facts(talk.ask(request("GET", "/echo")))["peer"] == "10.0.0.7"


@pytest.mark.parametrize(
    ("preamble", "scheme"),
    [(b"PROXY UNKNOWN\r\n", "http"), (binary(0x21, 0x00), "http"), (binary(0x20, 0x00), "https")],
)
def test_a_proxy_that_names_nobody_is_heard_for_itself_alone(behind: Behind, preamble: bytes, scheme: str) -> None:
    """Of an unknown client nothing is believed; LOCAL is the proxy itself."""
    with behind.proxied() as talk:
        talk.send(preamble)
        told = facts(talk.ask(request("GET", "/echo", "X-Forwarded-Proto: https")))
        assert (told["peer"], told["scheme"]) == ("127.0.0.1", scheme)


@pytest.mark.parametrize(
    "data",
    [
        request("GET", "/who.txt", host="one.test"),
        b"\r\n" + request("GET", "/echo"),
        b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\n" + request("GET", "/echo"),
        b"PROXY TCP4 192.0.2.256 198.51.100.2 4711 443\r\n" + request("GET", "/echo"),
        binary(0x31, 0x11, block(CLIENT, LOCAL)) + request("GET", "/echo"),
        binary(0x21, 0x11, b"short") + request("GET", "/echo"),
    ],
)
def test_what_begins_otherwise_is_closed_without_a_word(behind: Behind, data: bytes) -> None:
    with behind.plain() as talk:  # so that the reply to some of it is ready
        for _ in range(5):
            assert talk.ask(request("GET", "/who.txt", host="one.test")).status == 200
    with behind.proxied() as talk:
        talk.send(data)
        assert closed(talk)
    assert behind.daemon.errors.wait_for(r"127\.0\.0\.1: .*PROXY protocol.*: closed")


def closed(talk: Talk) -> bool:
    """Whether the server closes without a word; with bytes of ours unread that may be a reset."""
    try:
        return talk.ended()
    except ConnectionResetError:
        return talk.buffer == b""


def test_a_stranger_may_not_speak_for_others(behind: Behind) -> None:
    with behind.proxied(STRANGER) as talk:
        assert closed(talk)
    assert behind.daemon.errors.wait_for(r"127\.0\.0\.3: may not speak for others here")


def test_elsewhere_the_preamble_is_no_request(behind: Behind) -> None:
    for preamble in (TEXT, BINARY):
        with behind.plain() as talk:
            assert talk.ask(preamble + request("GET", "/echo")).status in (400, 501)


def test_a_second_preamble_is_no_request_either(behind: Behind) -> None:
    with behind.proxied() as talk:
        assert talk.ask(TEXT + TEXT + request("GET", "/echo")).status == 400


def test_a_reply_is_ready_for_who_comes_through_a_proxy_as_well(behind: Behind, mark: str) -> None:
    data = request("GET", f"/who.txt?{mark}", host="one.test")
    with behind.proxied() as talk, behind.plain() as direct:
        talk.send(TEXT)
        for _ in range(10):
            assert talk.ask(data).body == direct.ask(data).body == b"one"
            peers = {behind.logged(mark).split()[0] for _ in range(2)}
            assert peers == {"192.0.2.1", "127.0.0.1"}


# What may take how long, and who is how many.


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Callable[[str], Behind]]:
    """A function that starts a server of the test's own."""
    started: list[Behind] = []

    def start(limits: str) -> Behind:
        started.append(Behind(tmp_path, limits))
        return started[0]

    yield start
    for one in started:
        assert one.daemon.stop() == 0


def test_a_proxy_that_does_not_say_is_not_waited_for_for_ever(alone: Callable[[str], Behind]) -> None:
    behind = alone("header_timeout = 1s")
    with behind.proxied() as silent, behind.proxied() as slow:
        slow.send(TEXT[:10])
        assert silent.ended()
        assert slow.ended()
    with behind.proxied() as talk:
        talk.send(TEXT + b"GET / HT")
        assert talk.reply().status == 408


def test_the_limit_for_one_client_knows_the_real_one(alone: Callable[[str], Behind], mark: str) -> None:
    behind = alone("connections_per_client = 2")

    def connect(way: Callable[..., Talk], preamble: bytes = b"") -> Talk:
        talk = way()
        talk.send(preamble + request("GET", f"/echo/{mark}"))
        return talk

    other = TEXT.replace(b"192.0.2.1", b"192.0.2.2")
    talks = [connect(behind.proxied, TEXT) for _ in range(2)] + [connect(behind.proxied, other) for _ in range(2)]
    talks += [connect(behind.plain) for _ in range(5)]  # the proxy itself is many clients
    try:
        assert [talk.reply().status for talk in talks] == [200] * len(talks)
        for preamble in (TEXT, other):
            with connect(behind.proxied, preamble) as late:
                assert late.reply().status == 503
                assert late.ended()
        talks.pop(0).sock.close()
        limit = 200
        while (again := connect(behind.proxied, TEXT)).reply().status != 200:  # each ask is a wait for its answer
            again.sock.close()
            limit -= 1
            assert limit, "the place is never free again"
        talks.append(again)
    finally:
        for talk in talks:
            talk.sock.close()


def test_a_server_that_ends_does_not_wait_for_a_silent_proxy(alone: Callable[[str], Behind]) -> None:
    behind = alone("")
    with behind.proxied() as silent, behind.proxied() as late:
        late.send(TEXT)
        assert facts(late.ask(request("GET", "/echo")))["peer"] == "192.0.2.1"  # so that both have been accepted
        assert behind.daemon.stop() == 0
        assert silent.ended()


def test_a_reload_changes_whom_it_believes_and_what_is_spoken_where(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    before = f"[server]\nlisten = 127.0.0.1:0\nworkers = 1\n[echo.test/]\necho = yes\n[/static]\nstatic = {site}\n"
    daemon = Daemon(tmp_path, before).start()
    try:
        with Talk(daemon.connect()) as talk:
            assert facts(talk.ask(request("GET", "/", *LINES, host="echo.test")))["peer"] == "127.0.0.1"
        daemon.write(before.replace("127.0.0.1:0\n", "127.0.0.1:0 proxy\ntrusted = 127.0.0.1, 10.0.0.0/8\n"))
        assert "listen: 127.0.0.1:0 -> 127.0.0.1:0 proxy" in daemon.typed("check", "--diff").stdout
        assert daemon.reload()["ok"]
        with Talk(daemon.connect()) as talk:  # at the same port, as the same socket is kept
            talk.send(TEXT)
            assert facts(talk.ask(request("GET", "/", host="echo.test")))["peer"] == "192.0.2.1"
        shown = daemon.typed("check", "--show").stdout
        assert "listen = 127.0.0.1:0 proxy " in shown
        assert "trusted = 127.0.0.1, 10.0.0.0/8 " in shown
        daemon.write(before.replace("127.0.0.1:0\n", "127.0.0.1:0 proxy\n"))
        assert "only who is trusted may connect there" in daemon.reload()["why"]
    finally:
        assert daemon.stop() == 0
