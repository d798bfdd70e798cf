"""The process that watches: `python -m forkserver.watching PARENT CONTROL NAME [TEXT]`.

Begun by `beside.py`; ends with its parent.  Knows the library that is told of changes by the kernel (inotify(7)); what
counts as one is known to `sources.py`, what a reload is to the master.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

from watchfiles._rust_notify import RustNotify  # its lower layer: the watch must begin before we say that it has

from forkserver.config.sources import text_of
from forkserver.process import kinship
from forkserver.process.control import ControlClient, NotRunning
from forkserver.process.signals import ignore
from forkserver.watching.beside import READY
from forkserver.watching.sources import Sources, sources_of

GROUPED = 1600  # milliseconds at most between a change and our knowing of it, while there are more and more
STEP = 50  # milliseconds without a further change that end a group of them


class Watch:
    """Tells of changes."""

    def __init__(self, read: Callable[[], Sources]) -> None:
        """`read` gives what is to be watched at present.  OSError when the system will not have it."""
        self.read = read
        self._begin()

    def _begin(self) -> None:
        """Folders may vanish between the look at them and the begin of the watch."""
        while True:
            self.sources = self.read()
            try:
                self.notify = RustNotify(self.sources.folders(), False, False, 0, False, True)
                return
            except FileNotFoundError:
                continue

    def changes(self) -> list[str]:
        """Wait until files that count have changed; give their paths.

        What changes from then on is told by the next call: the watch of new folders has begun when this one returns.
        """
        while True:
            told = self.notify.watch(GROUPED, STEP, 0, None)
            paths = {path for _, path in told} if isinstance(told, set) else set()
            before = self.sources
            if self.read() != before:
                self.notify.close()
                self._begin()
            changed = {path for path in paths if before.counts(path) or self.sources.counts(path)}
            # A new folder is told by its name alone, and what it holds may be older than its watch.
            if found := changed or {*self.sources.inside(self.sources.trees - before.trees)}:
                return sorted(found)


def reload(control: str) -> dict[str, Any]:
    """The master's answer; an empty one when there is no master: not yet, so that it has still to load, or no more."""
    try:
        with ControlClient(control, None) as line:
            return line.ask({"command": "reload"})
    except (NotRunning, ConnectionError):
        return {}


def words(changed: Iterable[str], answer: dict[str, Any], *, reasons: bool) -> str:
    """One line for the person who made the change, and the reason of a refusal."""
    here = os.path.join(os.getcwd(), "")
    first, *others = (path.removeprefix(here) for path in changed)
    what = f"{first} and {len(others)} more" if others else first
    if answer["ok"]:
        return f"forkserver: {what}: generation {answer['generation']} serves"
    line = f"forkserver: {what}: reload refused, what was loaded before serves on"
    return f"{line}: {answer['why']}" if reasons else line


def main(parent: str, control: str, reasons: str, name: str, text: str = "") -> None:
    """`reasons`: "yes" if nobody else tells them; `text` is the configuration where `name` is no file."""
    kinship.end_with(int(parent))
    ignore(signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)  # of our group: meant for the master

    def read() -> Sources:
        try:
            return sources_of(text or text_of(name), name, os.environ)
        except (OSError, ValueError):  # it is being replaced, say
            return sources_of("", name, os.environ)

    try:
        watch = Watch(read)
    except OSError as error:
        print(error, flush=True)
        return
    print(READY, flush=True)
    while True:
        changed = watch.changes()
        if answer := reload(control):
            # In one piece: the server writes to the same terminal.
            sys.stderr.write(f"{words(changed, answer, reasons=reasons == 'yes')}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
