"""The applications that the suite is run against, and the server that each of them stands in.

An application is copied into a folder of its own, so that a test may deploy another edition of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.daemons import Daemon
from tests.sites.visitor import Page, Visitor

HERE = Path(__file__).parent
PREFIX = "/mounted/here"
FILE = bytes(range(256)) * 8192  # 2 MiB, to be downloaded

CONFIG = """\
[server]
listen = 127.0.0.1:0
workers = 2
[log]
access = {folder}/access.log
[limits]
body = 64M
"""
MOUNT = """\
[{mount}]
wsgi = {wsgi}
path = {code}
env = {env}
"""


@dataclass(frozen=True)
class Site:
    """An application: how it is configured, and where it has what every site of the suite has."""

    code: str  # its folder beside this file, put on sys.path
    wsgi: str
    env: str  # {var} is the folder that it may write to
    module: str  # a file of its code that a deploy changes; it says "first edition"
    template: str  # likewise, of its index page; it says ", visit "
    name: str  # a user, and the password
    password: str
    slash: str = ""  # what its paths end with
    further: str = ""  # more sections
    prepare: str = ""  # a program of its own that is run once, with name and password
    credentials: tuple[str, str] = ("name", "password")  # the fields of its log-in form
    login: str = "/login"


DJANGO = Site(
    code="django_project",
    wsgi="shop.wsgi:application",
    env="DJANGO_SETTINGS_MODULE=shop.settings, SHOP_VAR={var}",
    module="catalogue/wares.py",
    template="catalogue/templates/catalogue/index.html",
    name="keeper",
    password="the keeper's password",
    slash="/",
    further="[/static]\nstatic = {var}/static\ncache_control = max-age=31536000\n",
    prepare="prepare.py",
    credentials=("username", "password"),
    login="/accounts/login/",
)
FLASK = Site(
    code="flask_project",
    wsgi="notes:create_app()",
    env="NOTES_VAR={var}",
    module="notes/edition.py",
    template="notes/templates/index.html",
    name="Ada",
    password="let me in",
    further="[/static]\nstatic = {code}/notes/static\n",
)
WEBPY = Site(
    code="webpy_project",
    wsgi="guestbook:application",
    env="GUESTBOOK_VAR={var}",
    module="guestbook_edition.py",
    template="templates/index.html",
    name="Ada",
    password="let me in",
)


@dataclass
class Host:
    """A running server with one application, and the folders of both."""

    site: Site
    folder: Path
    daemon: Daemon = field(init=False)
    visitors: list[Visitor] = field(default_factory=list)

    @property
    def code(self) -> Path:
        return self.folder / "code"

    @property
    def var(self) -> Path:
        """Where the application keeps its files."""
        return self.folder / "var"

    def section(self, mount: str) -> str:
        """The section that has the application at `mount`."""
        env = self.site.env.format(var=self.var)
        return MOUNT.format(mount=mount, wsgi=self.site.wsgi, code=self.code, env=env)

    def configuration(self) -> str:
        further = self.site.further.format(code=self.code, var=self.var)
        return CONFIG.format(folder=self.folder) + self.section("/") + self.section(PREFIX) + further

    def prepare(self) -> None:
        """Copy the code; make what the application needs before it is started."""
        shutil.copytree(HERE / self.site.code, self.code, ignore=shutil.ignore_patterns("__pycache__"))
        self.var.mkdir()
        (self.var / "file.bin").write_bytes(FILE)
        environ = dict(one.split("=", 1) for one in self.site.env.format(var=self.var).split(", "))
        if self.site.prepare:
            command = [sys.executable, "-W", "error", self.site.prepare, self.site.name, self.site.password]
            subprocess.run(command, cwd=self.code, env={**os.environ, **environ}, check=True, timeout=60)

    def visitor(self) -> Visitor:
        """A visitor without cookies; whoever gives the host to a test closes the connection."""
        self.visitors.append(Visitor(self.daemon.connect, self.daemon.port))
        return self.visitors[-1]

    def workers(self) -> dict[int, int]:
        """The generation of each worker that is ready, by pid."""
        status = self.daemon.status()
        return {worker["pid"]: worker["generation"] for worker in status["workers"] if worker["state"] == "ready"}

    def path(self, page: str, mount: str = "") -> str:
        """Where one of the pages is that every site has."""
        return f"{mount}/{page}{self.site.slash}"

    def logged_in(self, mount: str = "") -> tuple[Visitor, Page]:
        """A visitor who has logged in, and the page that this led to."""
        visitor, site = self.visitor(), self.site
        page = visitor.get(mount + site.login)
        given = dict(zip(site.credentials, (site.name, site.password), strict=True))
        return visitor, visitor.follow(visitor.submit(page, "login", **given))

    def write(self, name: str, old: str, new: str) -> None:
        """Put another edition of a file in place, whole."""
        text = (self.code / name).read_text()
        assert old in text
        fresh = self.code / f"{name}.new"
        fresh.write_text(text.replace(old, new))
        fresh.replace(self.code / name)

    def restore(self) -> None:
        """Put the code back in place as it was at first."""
        for name in (self.site.module, self.site.template):
            shutil.copy(HERE / self.site.code / name, self.code / name)


@contextmanager
def running(site: Site, folder: Path) -> Iterator[Host]:
    """A server with an application, ended with the block; what it said is shown when a test fails."""
    host = Host(site, folder)
    host.prepare()
    host.daemon = Daemon(folder, host.configuration())
    try:
        host.daemon.start()
        host.daemon.settled(2)
        yield host
    finally:
        if hasattr(host.daemon, "process"):
            host.daemon.stop()
            print(f"--- {folder}\n{host.daemon.errors.rest()}")
