"""Which script a path means, and what of the path is left for the script (RFC 3875 section 3.2).

Knows names and rights; starts nothing.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from forkserver.apps.app import AppError
from forkserver.apps.files import Missing, Place, Root

_SEGMENT = re.compile(r"/+([^/]+)")


class Forbidden(Exception):  # noqa: N818 - the name of the status, as everyone knows it
    """There is something under this name that cannot be run; the text says why."""


class Script(NamedTuple):
    """A file that can be run."""

    file: bytes  # its path
    name: str  # below the mount, as a path of latin-1: "/hello.py", or "" for one that is mounted as such
    rest: str  # what follows: "" or a path

    @property
    def parses(self) -> bool:
        """Whether its output is for us to read; by its name, as everywhere since the first servers (section 5.1)."""
        return not os.path.basename(self.file).startswith(b"nph-")


class Scripts:
    """A folder of scripts, or one."""

    def __init__(self, path: str, symlinks: str, hidden: bool) -> None:
        self.path = os.fsencode(os.path.abspath(path))
        self.alone = not os.path.isdir(path)
        if self.alone:
            folder, self.only = os.path.split(self.path)
            self.root = Root(folder, "all", hidden=True)  # who names a file means it, wherever it is
        else:
            self.root = Root(self.path, symlinks, hidden)

    @property
    def folder(self) -> bytes:
        """Where the scripts are."""
        return self.root.path

    def check(self) -> None:
        """Raises AppError when nothing can be served from here."""
        try:
            if self.alone:
                self.find("")
            else:
                self.root.find(b"").close()
        except Forbidden as error:
            raise AppError(str(error)) from None
        except (Missing, OSError) as error:
            raise AppError(f"nothing to be run at {os.fsdecode(self.path)}, or no /proc") from error

    def find(self, path: str) -> Script:
        """The script that a decoded path below the mount begins with; the first file on its way.

        Raises Missing, Forbidden, and OSError when descriptors run out.
        """
        if self.alone:
            return self._script(self.only, "", path)
        name = b""
        for segment in _SEGMENT.finditer(path):
            name += (b"/" if name else b"") + segment[1].encode("latin-1")
            with self.root.find(name) as place:
                if not place.is_folder:
                    return self._runnable(place, "/" + name.decode("latin-1"), path[segment.end() :])
        raise Forbidden(f"{os.fsdecode(self.root.path_of(name))} is a folder, not a script")

    def _script(self, name: bytes, shown: str, rest: str) -> Script:
        with self.root.find(name) as place:
            return self._runnable(place, shown, rest)

    def _runnable(self, place: Place, shown: str, rest: str) -> Script:
        file = self.root.path_of(place.name)
        if place.is_folder:
            raise Forbidden(f"{os.fsdecode(file)} is a folder, not a script")
        if not os.access(b"/proc/self/fd/%d" % place.descriptor, os.X_OK, effective_ids=True):
            raise Forbidden(f"{os.fsdecode(file)} is not executable")
        return Script(file, shown, rest)
