"""The servers of CGI scripts that are compared: how each is configured.

As in `peers.py`: two worker processes where the server has such, the access log on, one port of the loopback address;
everything else is the server's default.
"""

from __future__ import annotations

import http.server
import sys

from .cgipeer import CgiPeer
from .peer import WORKERS
from .peers import Apache, Forkserver


class ForkserverCgi(CgiPeer, Forkserver):
    setup = "this project: cgi, warm = auto; 8 threads a worker"
    warm = "auto"

    def command(self) -> list[str]:
        mount = f"cgi = {self.site}\nwarm = {self.warm}"
        config = self.write("server.ini", self.configuration(f"workers = {WORKERS}", mount))
        return [sys.executable, "-m", "forkserver", "run", config]


class ForkserverCold(ForkserverCgi):
    name = "forkserver cold"
    setup = "the same with warm = no"
    warm = "no"


class ModCgi(CgiPeer, Apache):
    name = "Apache mod_cgi"
    setup = "prefork MPM, mod_cgi, MaxKeepAliveRequests 0; as many processes as there are clients"

    loaded = ("mpm_prefork", "authz_core", "alias", "cgi")
    pool = ""

    def content(self) -> str:
        return f"""ScriptAlias /cgi-bin/ {self.site}/cgi-bin/
<Directory {self.site}/cgi-bin>
  Require all granted
</Directory>"""


class PythonCgi(CgiPeer):
    name = "http.server"
    program = "python"
    install = ""
    setup = "python -m http.server --cgi: CGIHTTPRequestHandler, one process with a thread for each connection"
    closes = True

    @property
    def access_log(self) -> str:
        return self.output

    @classmethod
    def found(cls) -> str | None:
        return sys.executable if hasattr(http.server, "CGIHTTPRequestHandler") else None

    def command(self) -> list[str]:
        where = ["--bind", "127.0.0.1", "--directory", self.site, str(self.port)]
        return [sys.executable, "-m", "http.server", "--cgi", *where]


PEERS: tuple[type[CgiPeer], ...] = (ForkserverCgi, ForkserverCold, ModCgi, PythonCgi)
