"""The files that make a configuration: the first one and those it includes → their sections.

Opens and reads files; knows of their contents only `[server] include`.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from forkserver.config.ini import Complaints, Entry, Section, Where, expand, read
from forkserver.config.options import Server, declared

LARGEST = 4 << 20  # bytes; a path that leads to a device or an image is noticed, not read for ever
WILDCARD = re.compile(r"[*?\[]")


def text_of(path: str) -> str:
    """The text of a file, bytes that are not UTF-8 as surrogates (PEP 383); OSError or ValueError (why)."""
    with open(path, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"larger than {LARGEST >> 20}M, so not a configuration")
    return data.decode(errors="surrogateescape")


def reason(error: OSError | ValueError) -> str:
    """What to tell of a file that cannot be read."""
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)


def entries(name: str, sections: list[Section]) -> list[Entry]:
    """What all sections of a name hold together."""
    return [entry for section in sections if section.name == name for entry in section.entries]


def gather(text: str, name: str, environ: Mapping[str, str], complaints: Complaints) -> list[Section]:
    """The sections of the text of the file `name`, and of the files that it includes."""
    sections = read(text, name, complaints)
    seen = {os.path.realpath(name)}  # a pattern that meets this very file, or one twice, means it once
    for entry in entries("server", sections):
        for path in _matches(entry, environ, complaints) if entry.key == "include" else ():
            if os.path.realpath(path) not in seen:
                seen.add(os.path.realpath(path))
                sections = sections + _included(path, entry.where, complaints)
    return sections


def _patterns(entry: Entry, environ: Mapping[str, str]) -> list[str]:
    """What an include names, relative to its file's folder; nothing where that cannot be read."""
    try:
        folder = os.path.dirname(entry.where.file)
        return list(declared(Server)["include"].convert(expand(entry.value, environ), folder))
    except ValueError:  # complained of where the options of [server] are read
        return []


def _matches(entry: Entry, environ: Mapping[str, str], complaints: Complaints) -> list[str]:
    """The files that an include names, sorted; a plain name that leads nowhere is complained of."""
    folder = os.path.dirname(entry.where.file)
    found: list[str] = []
    for pattern in _patterns(entry, environ):
        hits = sorted(glob.glob(os.path.join(glob.escape(folder), pattern)))
        if not hits and not WILDCARD.search(pattern):
            missing = os.path.join(folder, pattern)
            complaints.add(entry.where, f"no such file: {missing}", "server", "include")
        found += hits
    return found


def _included(path: str, where: Where, complaints: Complaints) -> list[Section]:
    """The sections of an included file, which may not include others."""
    try:
        text = text_of(path)
    except (OSError, ValueError) as error:
        complaints.add(where, f"{path}: {reason(error)}", "server", "include")
        return []
    sections = read(text, path, complaints)
    for entry in entries("server", sections):
        if entry.key == "include":
            complaints.add(entry.where, "only the first file may include others", "server", "include")
    return [_without_includes(section) if section.name == "server" else section for section in sections]


def _without_includes(section: Section) -> Section:
    return replace(section, entries=[entry for entry in section.entries if entry.key != "include"])


def parts(text: str, name: str, environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The file `name`, whose text this is, and those that it includes; and the folders where further ones may turn up.

    All are absolute paths.  A file that is included by its plain name need not be there.
    """
    files, folders = [os.path.abspath(name)], list[str]()
    folder = os.path.dirname(files[0])
    complaints = Complaints(name)  # of no interest here
    for entry in entries("server", read(text, files[0], complaints)):
        for pattern in _patterns(entry, environ) if entry.key == "include" else ():
            place = os.path.join(glob.escape(folder), pattern)
            files += glob.glob(place) if WILDCARD.search(pattern) else [os.path.join(folder, pattern)]
            folders += glob.glob(os.path.dirname(place))
    return files, folders


def peek(path: str, section: str, key: str, made: type[Any]) -> str | None:
    """One option, a text, of a file in which anything else may be wrong; None when not given, or itself wrong.

    `made` is the dataclass that declares the section's options.
    """
    complaints = Complaints(path)
    try:
        sections = gather(text_of(path), path, os.environ, complaints)
        given = [entry for entry in entries(section, sections) if entry.key == key]
        convert = declared(made)[key].convert
        folder = os.path.dirname(path)
        return str(convert(expand(given[0].value, os.environ), folder)) if given else None
    except (OSError, ValueError):
        return None
