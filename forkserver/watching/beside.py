"""The watching process as the command sees it: begun before there is a master, ended when there is none any more.

Knows how it is executed and what its first word means; needs no library.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator

LIBRARY = "watchfiles"
READY = "ready"  # the word of one that watches; any other is the reason why it does not


class NoLibrary(Exception):  # noqa: N818 - reads as the sentence it prints
    """What watching needs is not installed; the text says how it is."""


class CannotWatch(Exception):  # noqa: N818 - reads as the sentence it prints
    """The system will not have it; the text says why."""


@contextlib.contextmanager
def watcher(control: str, name: str, text: str = "", *, reasons: bool) -> Iterator[None]:
    """While it lasts, the master at `control` is asked for a reload when something of its configuration has changed.

    `name` is the configuration's file, `text` what it holds where it is none.  `reasons`: refusals are told with their
    reasons, as the log does not.  Raises NoLibrary or CannotWatch.
    """
    if importlib.util.find_spec(LIBRARY) is None:
        raise NoLibrary(f"--reload needs the library {LIBRARY}: {sys.executable} -m pip install {LIBRARY}")
    words = [str(os.getpid()), control, "yes" if reasons else "no", name, *([text] if text else [])]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
        [sys.executable, "-m", "forkserver.watching", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            word = process.stdout.readline().strip()
            process.stdout.close()  # or each child of the master would have it
            if word != READY:
                raise CannotWatch(f"the sources cannot be watched: {word or 'the process that should has ended'}")
            yield
        finally:
            process.terminate()
