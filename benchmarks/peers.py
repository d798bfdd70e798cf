"""The servers that are compared: how each is configured.

A peer is a class of about twenty lines: two worker processes, the access log on (combined, written as the
server does it by default), the site's folder at `/`, one port of the loopback address.  Everything that it
writes stays in its own folder.  To add one: subclass Peer, give `command`, list it in PEERS.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import ClassVar

from .peer import DESCRIPTORS, WORKERS, Peer, other_user


class Forkserver(Peer):
    name = "forkserver"
    program = "forkserver"
    install = "make run"
    setup = "this project, run by the interpreter named above"

    @classmethod
    def found(cls) -> str | None:
        return sys.executable if importlib.util.find_spec("forkserver.cli") else None

    @classmethod
    def version(cls) -> str:
        return str(importlib.import_module("forkserver").__version__)

    def command(self) -> list[str]:
        config = self.write("server.ini", self.configuration(f"workers = {WORKERS}", f"static = {self.site}"))
        return [sys.executable, "-m", "forkserver", "run", config]

    def configuration(self, pool: str, mount: str) -> str:
        """The INI file: options of the pool, and what is mounted at `/`."""
        return f"""[server]
listen = 127.0.0.1:{self.port}
{pool}
control = {self.folder}/control.sock
pid = {self.folder}/forkserver.pid

[log]
access = {self.access_log}
format = combined
error = stderr

[limits]
connections = {DESCRIPTORS}

[/]
{mount}
"""


class Nginx(Peer):
    name = "nginx"
    program = "nginx"
    install = "apt install nginx-light"
    setup = "sendfile and tcp_nopush on, keepalive_requests without bound, open_file_cache off (its default)"
    version_flag = "-v"

    def command(self) -> list[str]:
        user = other_user()
        config = self.write(
            "nginx.conf",
            f"""{"user " + " ".join(user) + ";" if user else ""}
daemon off;
worker_processes {WORKERS};
worker_rlimit_nofile {DESCRIPTORS};
pid {self.folder}/nginx.pid;
error_log {self.folder}/error.log crit;
events {{ worker_connections {DESCRIPTORS}; }}
http {{
  types {{ text/plain txt; text/html html; image/jpeg jpg; }}
  default_type application/octet-stream;
  access_log {self.access_log} combined;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  client_body_temp_path {self.folder}/body;
  proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/fastcgi;
  uwsgi_temp_path {self.folder}/uwsgi;
  scgi_temp_path {self.folder}/scgi;
  server {{ listen 127.0.0.1:{self.port}; root {self.site}; }}
}}
""",
        )
        return [str(self.found()), "-p", self.folder, "-c", config]


class Apache(Peer):
    name = "Apache"
    program = "apache2"
    install = "apt install apache2"
    setup = "event MPM, 2 processes of 64 threads, EnableSendfile on, MaxKeepAliveRequests 0"
    version_flag = "-v"
    modules = "/usr/lib/apache2/modules"
    loaded: tuple[str, ...] = ("mpm_event", "authz_core", "mime")
    pool = f"""TypesConfig /dev/null
AddType text/plain .txt
ServerLimit {WORKERS}
StartServers {WORKERS}
ThreadLimit 64
ThreadsPerChild 64
MaxRequestWorkers {64 * WORKERS}
MinSpareThreads 1
MaxSpareThreads {64 * WORKERS}
AsyncRequestWorkerFactor 40
EnableSendfile On"""

    def content(self) -> str:
        """The part of the configuration that says what is served."""
        return f"""DocumentRoot {self.site}
<Directory {self.site}>
  AllowOverride None
  Require all granted
</Directory>"""

    def command(self) -> list[str]:
        user = other_user()
        loaded = "\n".join(f"LoadModule {name}_module {self.modules}/mod_{name}.so" for name in self.loaded)
        config = self.write(
            "apache.conf",
            f"""{loaded}
{f"User {user[0]}" if user else ""}
{f"Group {user[1]}" if user else ""}
ServerRoot {self.folder}
ServerName localhost
DefaultRuntimeDir {self.folder}
PidFile {self.folder}/apache.pid
Listen 127.0.0.1:{self.port}
ErrorLog {self.folder}/error.log
LogLevel crit
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog {self.access_log} combined
KeepAlive On
KeepAliveTimeout 75
MaxKeepAliveRequests 0
{self.pool}
{self.content()}
""",
        )
        return [str(self.found()), "-DFOREGROUND", "-f", config]


class Uwsgi(Peer):
    name = "uWSGI"
    program = "uwsgi"
    install = "pip install uwsgi"
    setup = "http11-socket, static-map, log-format; 2 connections only, since a process serves one at a time"
    connections = WORKERS
    unable: ClassVar[dict[str, str]] = {"idle": "one connection a process"}
    line = '%(addr) - - [%(ltime)] "%(method) %(uri) %(proto)" %(status) %(size) "%(referer)" "%(uagent)"'

    def command(self) -> list[str]:
        config = self.write(
            "uwsgi.ini",
            f"""[uwsgi]
http11-socket = 127.0.0.1:{self.port}
tcp-nodelay = true
processes = {WORKERS}
master = true
die-on-term = true
need-app = false
listen = 100
static-map = /={self.site}
req-logger = file:{self.access_log}
log-format = {self.line}
""",
        )
        return [str(self.found()), "--ini", config]


GRANIAN_APPLICATION = """def application(environ, start_response):
    start_response("404 Not Found", [("Content-Length", "0")])
    return []
"""


class Granian(Peer):
    name = "Granian"
    program = "granian"
    install = "pip install granian"
    setup = "WSGI, static-path-mount; does not log the static files, nor answer conditionally"
    logs = False

    def command(self) -> list[str]:
        self.write("hello.py", GRANIAN_APPLICATION)
        return [
            *(str(self.found()), "hello:application", "--interface", "wsgi", "--working-dir", self.folder),
            *("--host", "127.0.0.1", "--port", str(self.port), "--workers", str(WORKERS)),
            *("--static-path-route", "", "--static-path-mount", self.site, "--access-log"),
        ]


class Bare(Peer):
    name = "bare loop"
    program = "python"
    install = ""
    setup = "a constant reply from two epoll loops in Python, no log: a ruler, not a server (bare.py)"
    unable: ClassVar[dict[str, str]] = dict.fromkeys(("many", "100k", "10m", "304", "404"), "knows one reply")
    logs = False

    @classmethod
    def found(cls) -> str:
        return sys.executable

    def command(self) -> list[str]:
        return [sys.executable, "-m", "benchmarks.bare", str(self.port), os.path.join(self.site, "one.txt")]


PEERS: tuple[type[Peer], ...] = (Forkserver, Nginx, Apache, Uwsgi, Granian, Bare)
