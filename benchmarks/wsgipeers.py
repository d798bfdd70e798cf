"""The servers of WSGI applications that are compared: how each is configured.

As in `peers.py`: two worker processes, the access log on where the server has one, one port of the loopback address;
eight threads in each worker where the server has threads.  Everything else is the server's default.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import ClassVar

from .peer import WORKERS, other_user
from .peers import Apache, Forkserver, Granian, Uwsgi
from .wsgipeer import PACKAGES, SITE, THREADS, Launched, WsgiPeer, run


class ForkserverWsgi(WsgiPeer, Forkserver):
    setup = f"this project: wsgi, threads = {THREADS}"
    unable: ClassVar[dict[str, str]] = {}

    def command(self) -> list[str]:
        pool = f"workers = {self.workers}\nthreads = {self.threads}"
        kind = "web" if self.application == SITE else "wsgi"
        config = self.write("server.ini", self.configuration(pool, f"{kind} = {self.application}\npath = {self.site}"))
        return [sys.executable, "-m", "forkserver", "run", config]

    def reload(self) -> None:
        run([sys.executable, "-m", "forkserver", "reload", os.path.join(self.folder, "server.ini")], 30)


class GunicornSync(WsgiPeer):
    name = "gunicorn sync"
    program = "gunicorn"
    install = "pip install gunicorn"
    setup = "its default: one request at a time in each worker, a connection for each"
    threads = 1
    closes = True
    options: ClassVar[tuple[str, ...]] = ()

    def command(self) -> list[str]:
        return [
            *(str(self.found()), "--bind", f"127.0.0.1:{self.port}", "--workers", str(self.workers), *self.options),
            *("--access-logfile", self.access_log, "--pythonpath", self.site, "--no-control-socket", self.application),
        ]


class GunicornThreads(GunicornSync):
    name = "gunicorn gthread"
    setup = f"--threads {THREADS}"
    threads = THREADS
    closes = False
    options = ("--worker-class", "gthread", "--threads", str(THREADS))


class UwsgiWsgi(WsgiPeer, Uwsgi):
    setup = (
        f"http11-socket, {THREADS} threads a process: {WORKERS * THREADS} connections only, since a thread serves "
        "one at a time"
    )
    connections = WORKERS * THREADS
    unable: ClassVar[dict[str, str]] = {
        "wsgi-close": "http11-socket keeps every connection",
        "wsgi-stream": "http11-socket does not end a reply whose length is not given",
    }

    def command(self) -> list[str]:
        module, _, name = self.application.partition(":")
        inside = f"home = {sys.prefix}" if sys.prefix != sys.base_prefix else ""
        config = self.write(
            "uwsgi.ini",
            f"""[uwsgi]
http11-socket = 127.0.0.1:{self.port}
{inside}
pythonpath = {self.site}
module = {module}:{name}
tcp-nodelay = true
processes = {self.workers}
threads = {self.threads}
master = true
die-on-term = true
need-app = true
listen = 100
logto = {self.access_log}
log-format = {self.line}
""",
        )
        return [str(self.found()), "--ini", config]


class Waitress(Launched):
    name = "waitress"
    program = "waitress"
    install = "pip install waitress"
    setup = "one process, 16 threads; has no access log; its warning of requests that wait is off"
    threads = 16
    unable: ClassVar[dict[str, str]] = Launched.unable | {"wsgi-memory": "one process"}

    def __init__(self, folder: str, root: str) -> None:
        super().__init__(folder, root)
        self.workers = 1


class Cheroot(Launched):
    name = "cheroot"
    program = "cheroot"
    install = "pip install cheroot"
    setup = f"one process by itself, here two on one port (reuse_port), {THREADS} threads each; has no access log"


class Bjoern(Launched):
    name = "bjoern"
    program = "bjoern"
    install = "apt install libev-dev && pip install bjoern"
    setup = "C, libev; two forked processes on one socket, no threads; has no access log"
    threads = 1


class FastWsgi(Launched):
    name = "FastWSGI"
    program = "fastwsgi"
    install = "pip install fastwsgi"
    setup = "C, libuv; two forked processes on one port (SO_REUSEPORT), no threads; has no access log"
    threads = 1


class GranianWsgi(WsgiPeer, Granian):
    setup = f"WSGI, {THREADS} blocking threads a worker"
    logs = True
    unable: ClassVar[dict[str, str]] = {}

    @property
    def access_log(self) -> str:
        return self.output

    def command(self) -> list[str]:
        return [
            *(str(self.found()), self.application, "--interface", "wsgi", "--working-dir", self.site),
            *("--host", "127.0.0.1", "--port", str(self.port), "--workers", str(self.workers)),
            *("--blocking-threads", str(self.threads), "--access-log"),
        ]


class ModWsgi(WsgiPeer, Apache):
    name = "mod_wsgi"
    install = "apt install apache2 libapache2-mod-wsgi-py3"
    setup = f"daemon processes of {THREADS} threads behind the event MPM, with the system's own Python"
    unable: ClassVar[dict[str, str]] = {}

    @classmethod
    def found(cls) -> str | None:
        return super().found() if os.path.exists(f"{cls.modules}/mod_wsgi.so") else None

    @classmethod
    def version(cls) -> str:
        """That of Debian's package, since the module does not tell."""
        command = ["dpkg-query", "--show", "--showformat=${Version}", "libapache2-mod-wsgi-py3"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout or "unknown"

    def content(self) -> str:
        user = other_user()
        owner = f"user={user[0]} group={user[1]}" if user else ""
        return f"""LoadModule wsgi_module {self.modules}/mod_wsgi.so
WSGISocketPrefix {self.folder}/wsgi
WSGIDaemonProcess site processes={self.workers} threads={self.threads} python-path={self.site}:{PACKAGES} {owner}
WSGIScriptAlias / {self.script()} process-group=site application-group=%{{GLOBAL}}
<Directory {self.folder}>
  Require all granted
</Directory>"""

    def reload(self) -> None:
        """In daemon mode a process looks at the script's time before each request, and makes room for a new one."""
        os.utime(os.path.join(self.folder, "site.wsgi"), (time.time(), time.time()))


PEERS: tuple[type[WsgiPeer], ...] = (
    ForkserverWsgi,
    GunicornSync,
    GunicornThreads,
    UwsgiWsgi,
    Waitress,
    Cheroot,
    Bjoern,
    FastWsgi,
    GranianWsgi,
    ModWsgi,
)
