"""HAProxy and nginx in front, set up as the README says: who the client is comes through, and what it forged does not.

Clients come from 127.0.0.9 and 127.0.0.10, the proxies connect from 127.0.0.1, which alone is trusted.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Start
from tests.daemons import PATIENCE, Daemon

pytestmark = pytest.mark.system

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
CLIENT, OTHER = "127.0.0.9", "127.0.0.10"
FORGED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Proto": "gopher",
    "Forwarded": "for=6.6.6.6;host=evil.test",
}
CONFIG = """
[server]
listen = 127.0.0.1:0, 127.0.0.2:0 proxy, unix:{folder}/proxy.sock proxy
trusted = 127.0.0.1, unix:
workers = 1
[log]
format = %h %{{remote}}p "%r" %>s
[/echo]
echo = yes
"""
HAPROXY = """
global
    log stderr format raw local0
defaults
    timeout connect 20s
    timeout client 20s
    timeout server 20s
listen test
    bind fd@{listener} {tls}
{lines}
"""
NGINX = """
daemon off;
user root;
pid {folder}/pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 10m;
    server {{
        listen 127.0.0.1:{port};
{lines}
    }}
}}
"""


def advice(heading: str) -> str:
    """The indented lines that follow a heading of the README."""
    after = README.split(f"\n**{heading}", 1)[1]
    found = re.search(r"\n((?:    .*\n)+)", after)
    assert found
    return textwrap.dedent(found[1])


class Proxy:
    """A proxy at work; it was handed its listener, so that clients need not wait for it."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.port, self.context = port, context

    def connect(self, source: str = CLIENT) -> http.client.HTTPConnection:
        where: dict[str, Any] = {"timeout": PATIENCE, "source_address": (source, 0)}
        if self.context:
            return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, **where)
        return http.client.HTTPConnection("127.0.0.1", self.port, **where)


def ask(connection: http.client.HTTPConnection, body: bytes | None = None, **fields: str) -> dict[str, Any]:
    """What an application behind the proxy saw of a request."""
    connection.request("GET" if body is None else "POST", "/echo", body, fields)
    reply = connection.getresponse()
    text = reply.read()
    assert reply.status == 200, text
    told: dict[str, Any] = json.loads(text)
    return told


def port_of(connection: http.client.HTTPConnection) -> str:
    """The client's own port."""
    return str(connection.sock.getsockname()[1])


@contextlib.contextmanager
def at_work(
    command: list[str], listener: socket.socket, context: ssl.SSLContext | None = None, **environ: str
) -> Iterator[Proxy]:
    with subprocess.Popen(command, pass_fds=[listener.fileno()], env={**os.environ, **environ}) as process:
        try:
            yield Proxy(listener.getsockname()[1], context)
        finally:
            assert process.poll() is None, "the proxy ended by itself"
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture
def daemon(start: Start, tmp_path: Path) -> Daemon:
    return start(CONFIG.format(folder=tmp_path))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def haproxy(
    folder: Path, listener: socket.socket, lines: str, certificate: Path | None = None
) -> contextlib.AbstractContextManager[Proxy]:
    tls = f"ssl crt {certificate}" if certificate else ""
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(listener=listener.fileno(), tls=tls, lines=textwrap.indent(lines, "    ")))
    context = ssl.create_default_context(cafile=str(certificate)) if certificate else None
    return at_work(["haproxy", "-db", "-f", str(config)], listener, context)


def listening(daemon: Daemon) -> list[str]:
    """The addresses of the listeners, in the order of the configuration."""
    return [name.split()[0] for name in daemon.status()["listening"]]


# The PROXY protocol.


@pytest.mark.parametrize(
    "how",
    ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,authority", "send-proxy-v2-ssl-cn"],
)
@pytest.mark.parametrize("where", [1, 2], ids=["tcp", "unix"])
def test_haproxy_passes_bytes_on(daemon: Daemon, tmp_path: Path, listener: socket.socket, how: str, where: int) -> None:
    address = listening(daemon)[where].replace("unix:", "unix@")
    with haproxy(tmp_path, listener, f"mode tcp\nserver web1 {address} {how}") as proxy:
        for source in (CLIENT, OTHER):
            connection = proxy.connect(source)
            with contextlib.closing(connection):
                for _ in range(3):
                    told = ask(connection, **FORGED)
                    assert (told["peer"], told["scheme"]) == (source, "http")
                    assert told["variables"]["REMOTE_PORT"] == port_of(connection)
                    assert dict(told["fields"])["host"] == f"127.0.0.1:{proxy.port}"
                    assert not [name for name, _ in told["fields"] if "forwarded" in name]
                    daemon.output.wait_for(rf'^{source} {port_of(connection)} "GET /echo HTTP/1.1" 200$')


@pytest.mark.parametrize("how", ["send-proxy check-send-proxy", "send-proxy-v2 check-send-proxy"], ids=["v1", "v2"])
def test_haproxy_asks_on_its_own_behalf(daemon: Daemon, tmp_path: Path, listener: socket.socket, how: str) -> None:
    lines = f"""
    mode tcp
    option httpchk
    http-check send meth GET uri /echo/health ver HTTP/1.1 hdr Host test
    server web1 {listening(daemon)[1]} {how} check inter 200ms
    """
    with haproxy(tmp_path, listener, textwrap.dedent(lines)) as proxy:
        for _ in range(3):
            daemon.output.wait_for(r'^127\.0\.0\.1 \d+ "GET /echo/health HTTP/1.1" 200$')
        with contextlib.closing(proxy.connect()) as connection:
            assert ask(connection)["peer"] == CLIENT


# Fields.


def test_haproxy_as_the_readme_has_it(daemon: Daemon, tmp_path: Path, listener: socket.socket) -> None:
    lines = advice("HAProxy,").replace("10.0.0.5:8080", listening(daemon)[0])
    assert listening(daemon)[0] in lines
    with haproxy(tmp_path, listener, "mode http\nhttp-reuse always\n" + lines) as proxy:
        tells_clients_apart(daemon, proxy, "http")


def test_haproxy_speaks_tls_for_us(daemon: Daemon, tmp_path: Path, listener: socket.socket) -> None:
    certificate = tmp_path / "both.pem"
    openssl = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    command = [*openssl.split(), "-keyout", str(tmp_path / "key"), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    certificate.write_text(certificate.read_text() + (tmp_path / "key").read_text())
    lines = advice("HAProxy,").replace("10.0.0.5:8080", listening(daemon)[0])
    with haproxy(tmp_path, listener, "mode http\n" + lines, certificate) as proxy:
        tells_clients_apart(daemon, proxy, "https")


def test_haproxy_writes_forwarded(daemon: Daemon, tmp_path: Path, listener: socket.socket) -> None:
    """RFC 7239, as the newer of its releases write it."""
    lines = f"""
    mode http
    http-request del-header X-Forwarded- -m beg
    http-request set-header Forwarded for=\\"%[src]:%[src_port]\\";proto=http;host=\\"%[req.hdr(host)]\\"
    server web1 {listening(daemon)[0]}
    """
    with haproxy(tmp_path, listener, textwrap.dedent(lines)) as proxy:
        for source in (CLIENT, OTHER):
            with contextlib.closing(proxy.connect(source)) as connection:
                told = ask(connection, **FORGED)
                assert (told["peer"], told["variables"]["REMOTE_PORT"]) == (source, port_of(connection))
                assert dict(told["fields"])["host"] == f"127.0.0.1:{proxy.port}"


def test_nginx_as_the_readme_has_it(daemon: Daemon, tmp_path: Path, listener: socket.socket) -> None:
    lines = advice("nginx:").replace("127.0.0.1:8080", listening(daemon)[0])
    assert listening(daemon)[0] in lines
    port = listener.getsockname()[1]
    config = tmp_path / "nginx.conf"
    config.write_text(NGINX.format(folder=tmp_path, port=port, lines=textwrap.indent(lines, " " * 8)))
    command = ["nginx", "-p", str(tmp_path), "-e", "stderr", "-c", str(config)]
    with at_work(command, listener, NGINX=f"{listener.fileno()};") as proxy:
        tells_clients_apart(daemon, proxy, "http")


def tells_clients_apart(daemon: Daemon, proxy: Proxy, scheme: str) -> None:
    """Two clients in turn, which share the proxy's connections to us, forgeries and bodies among their requests."""
    with contextlib.closing(proxy.connect(CLIENT)) as one, contextlib.closing(proxy.connect(OTHER)) as other:
        for number in range(6):
            connection, source = ((one, CLIENT), (other, OTHER))[number % 2]
            body = bytes(1_000_000) if number > 3 else None
            told = ask(connection, body, **(FORGED if number > 1 else {}))
            assert (told["peer"], told["scheme"]) == (source, scheme)
            assert dict(told["fields"])["host"] == f"127.0.0.1:{proxy.port}"
            assert told["length"] == len(body or b"")
            assert "evil.test" not in json.dumps(told)
            daemon.output.wait_for(rf'^{source} 0 "(GET|POST) /echo HTTP/1.1" 200$')
