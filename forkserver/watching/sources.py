"""From a configuration to the files and folders whose changes matter to who develops what it serves.

Reads the text by itself, since it matters most while something in it is wrong.  Knows options of the kind `wsgi`;
imports nothing of what they name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from forkserver.apps.finding import find, sources
from forkserver.apps.targets import parse_target
from forkserver.apps.wsgi.options import WsgiOptions
from forkserver.config.ini import Complaints, Section, expand
from forkserver.config.options import declared
from forkserver.config.sources import gather, parts

TEMPLATES = (".html", ".htm", ".jinja", ".jinja2", ".j2", ".mako", ".tmpl")
SUFFIXES = frozenset({".py", ".ini", ".toml", ".yaml", ".yml", ".mo", *TEMPLATES})  # .mo: translations
PASSED_OVER = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})


@dataclass(frozen=True)
class Sources:
    """What is watched; all paths are free of symbolic links, so that each folder has one name."""

    trees: frozenset[str]  # folders in which files count that have one of SUFFIXES
    files: frozenset[str]  # files that count by themselves, those that are not there included
    others: frozenset[str]  # folders in which one of these may turn up

    def folders(self) -> list[str]:
        """Everything that is to be watched, not what is below it."""
        return sorted(filter(os.path.isdir, self.trees | self.others))

    def counts(self, path: str) -> bool:
        """Whether a change of this file matters."""
        folder, name = os.path.split(path)
        return path in self.files or (folder in self.trees and os.path.splitext(name)[1] in SUFFIXES)

    def inside(self, folders: Iterable[str]) -> Iterator[str]:
        """The files that count in some of the folders."""
        for folder in filter(os.path.isdir, folders):
            yield from filter(self.counts, (entry.path for entry in os.scandir(folder)))


def sources_of(text: str, name: str, environ: Mapping[str, str]) -> Sources:
    """What belongs to the configuration `text` of the file `name`; what is wrong in it is left out."""
    files, folders = parts(text, name, environ)
    roots: list[str] = []
    for section in gather(text, name, environ, Complaints(name)):
        for place in _places(section, environ):
            (roots if os.path.isdir(place) else files).append(place)
    named = {one for path in files for one in (_plain(path), os.path.realpath(path))}
    return Sources(
        trees=frozenset(folder for root in roots for folder in _tree(os.path.realpath(root))),
        files=frozenset(named),
        others=frozenset([os.path.dirname(path) for path in named] + [os.path.realpath(path) for path in folders]),
    )


def _plain(path: str) -> str:
    """The path with its folder's own name; the file itself may be a link, whose change counts, too."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _places(section: Section, environ: Mapping[str, str]) -> list[str]:
    """Where the modules of a mount's application are."""
    options = declared(WsgiOptions)
    found = {}
    for entry in section.entries:
        if entry.key in ("wsgi", "path"):
            try:
                folder = os.path.dirname(os.path.abspath(entry.where.file))
                found[entry.key] = options[entry.key].convert(expand(entry.value, environ), folder)
            except ValueError:  # the master will say so
                continue
    if "wsgi" not in found:
        return []
    path = found.get("path", ())
    spec = find(parse_target(found["wsgi"]).module, path)
    return [
        *(folder for folder in path if os.path.basename(folder) not in PASSED_OVER),
        *(sources(spec) if spec else ()),
    ]


def _tree(root: str) -> Iterator[str]:
    """A folder and all below it, without what tools and virtual environments keep there (PEP 405)."""
    for folder, below, files in os.walk(root):
        if "pyvenv.cfg" in files and folder != root:
            below.clear()
            continue
        below[:] = [name for name in below if name not in PASSED_OVER and not name.startswith(".")]
        yield folder
