"""What the servers of the group `wsgi` have in common: an application instead of files, and its exchange."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from typing import ClassVar

from .peer import WORKERS, Peer
from .wsgiapp import HELLO

HERE = os.path.dirname(os.path.abspath(__file__))
SMALL, DJANGO, SITE = "wsgiapp:application", "djangoapp:application", "webapp:site"
THREADS = 8
PACKAGES = sysconfig.get_path("purelib")


def write(folder: str) -> None:
    """Copy the applications into an existing folder, readable for the user that a server may turn into."""
    for module in ("wsgiapp.py", "djangoapp.py", "webapp.py"):
        shutil.copyfile(os.path.join(HERE, module), os.path.join(folder, module))


class WsgiPeer(Peer):
    """A server of an application: `self.site` is the folder of the applications, put on the import path."""

    group = "wsgi"
    probe = "/hello"
    threads: ClassVar[int] = THREADS  # calls at once in each worker
    closes: ClassVar[bool] = False  # knows no kept connections

    def __init__(self, folder: str, root: str) -> None:
        super().__init__(folder, root)
        self.workers = WORKERS
        self.application = SMALL

    def proof(self) -> bytes:
        return HELLO

    @contextlib.contextmanager
    def serving(self, application: str, workers: int) -> Iterator[None]:
        """Restart with another application and number of workers; in the end, again as it was."""
        self.stop()
        before = self.application, self.workers
        self.application, self.workers = application, workers
        self.start()
        try:
            yield
        finally:
            self.stop()
            self.application, self.workers = before
            self.start()

    def reload(self) -> None:
        """Order the server to run the application's new code; need not wait for it."""
        os.kill(self.pid, signal.SIGHUP)

    def script(self) -> str:
        """A file in the peer's own folder that holds the application, for servers that want no module."""
        module, _, name = self.application.partition(":")
        return self.write("site.wsgi", f"from {module} import {name} as application\n")


class Launched(WsgiPeer):
    """A server that is a library: `launch.py` starts it, and waits for its processes."""

    logs = False
    unable: ClassVar[dict[str, str]] = {"wsgi-reload": "has none"}

    @classmethod
    def found(cls) -> str | None:
        return sys.executable if importlib.util.find_spec(cls.program) else None

    @classmethod
    def version(cls) -> str:
        return importlib.metadata.version(cls.program)

    def command(self) -> list[str]:
        where = [str(self.port), self.site, self.application, str(self.workers)]
        return [sys.executable, "-m", "benchmarks.launch", self.name, *where]


def run(command: list[str], limit: float) -> None:
    """Run a command to its end; raises OSError with what it said when it fails, or is not done within `limit` s."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{command[0]} is not done after {limit:.0f} s") from error
    if done.returncode:
        raise OSError(f"exit status {done.returncode}: {(done.stderr or done.stdout).strip()[-200:]}")
