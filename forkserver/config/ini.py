"""The text of a configuration file → sections of entries, each with its line.

The grammar: `[section]`, `key = value`, a value goes on in indented lines; `#` and `;` open a comment at a
line's start or after white space, unless a backslash stands before them, which is then taken away; `${NAME}`
and `${NAME:-default}` come from the environment, and a literal `${` is written `$${`.  This file knows no
name of any section or key, and opens no file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

BLANK = " \t"
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # controls, and what UTF-8 cannot hold
COMMENT = re.compile(r"(?:^|[ \t])[#;].*")
KEPT = re.compile(r"(?<=[ \t])\\(\\*[#;])")  # a backslash that keeps what looks like a comment
TO_KEEP = re.compile(r"(^|[ \t])(\\*[#;])")
HEADER = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])+)\]")  # IPv6 stands in brackets of its own
VARIABLE = re.compile(r"\$(\$\{)|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?:(:-)([^{}]*))?\})?")


class Where(NamedTuple):
    """A line of a file; line 0 is the file as a whole."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class ConfigError(Exception):
    """A configuration that is refused; `str()` gives every complaint, one a line."""

    def __init__(self, complaints: tuple[str, ...]) -> None:
        super().__init__(complaints)
        self.complaints = complaints

    def __str__(self) -> str:
        return "\n".join(self.complaints)


class Complaints:
    """What is wrong with a configuration that begins in `file`, collected so that all is said at once."""

    def __init__(self, file: str) -> None:
        self._first = file
        self._found: list[tuple[Where, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, where: Where, why: str, section: str = "", key: str = "") -> None:
        """Note `FILE:LINE: [section] key: why`; the parts that are empty are left out."""
        place = " ".join(part for part in (f"[{section}]" if section else "", key) if part)
        line = f"{where}: {place}: {why}" if place else f"{where}: {why}"
        self._found.append((where, " ".join(line.split("\n"))))

    def raise_if_any(self) -> None:
        """Raise ConfigError, the first file before its includes, line by line."""
        files = list(dict.fromkeys([self._first, *(where.file for where, _ in self._found)]))
        ordered = sorted(self._found, key=lambda one: (files.index(one[0].file), one[0].line))
        if ordered:
            raise ConfigError(tuple(dict.fromkeys(line for _, line in ordered)))


@dataclass
class Entry:
    """`key = value`, with the lines that the value goes on in."""

    key: str
    where: Where
    lines: list[str]
    more: list[Where] = field(default_factory=list)  # where its further lines are

    @property
    def value(self) -> str:
        return "\n".join(line for line in self.lines if line)


@dataclass
class Section:
    """`[name]` and what follows."""

    name: str
    where: Where
    entries: list[Entry] = field(default_factory=list)


def read(text: str, file: str, complaints: Complaints) -> list[Section]:
    """The sections of a text in their order; lines that break the grammar are complained of and left out."""
    reader = _Reader(complaints)
    for number, line in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), 1):
        reader.take(line, Where(file, number))
    return reader.sections


class _Reader:
    """Line by line; what follows a broken header goes into a section that is thrown away."""

    def __init__(self, complaints: Complaints) -> None:
        self.complaints = complaints
        self.sections: list[Section] = []
        self.section: Section | None = None
        self.entry: Entry | None = None

    def take(self, raw: str, where: Where) -> None:
        forbidden = FORBIDDEN.search(raw)
        if forbidden:
            self.complain(where, out_of_place(ord(forbidden[0])))
            return
        line = KEPT.sub(r"\1", COMMENT.sub("", raw)).rstrip(BLANK)
        if not line:
            return
        if line[0] in BLANK:
            self.take_more(line.strip(BLANK), where)
        elif line[0] == "[":
            self.take_header(line, where)
        else:
            self.take_entry(line, where)

    def take_more(self, line: str, where: Where) -> None:
        if self.entry is None:
            self.complain(where, "an indented line, with no value above it to go on; begin it at the margin")
        else:
            self.entry.lines.append(line)
            self.entry.more.append(where)

    def take_header(self, line: str, where: Where) -> None:
        self.entry = None
        self.section = Section("", where)
        found = HEADER.fullmatch(line)
        if not found or not found[1].strip(BLANK):
            self.complaints.add(where, "a section is written [name], on a line of its own")
            return
        self.section.name = found[1].strip(BLANK)
        self.sections.append(self.section)

    def take_entry(self, line: str, where: Where) -> None:
        self.entry = None
        key, equals, value = line.partition("=")
        if not key or not equals:
            self.complain(where, "neither [section] nor key = value")
            return
        self.entry = Entry(key.rstrip(BLANK), where, [value.strip(BLANK)])
        if self.section is None:
            self.complaints.add(where, "stands before any [section]", key=self.entry.key)
            self.section = Section("", where)
        self.section.entries.append(self.entry)

    def complain(self, where: Where, why: str) -> None:
        self.complaints.add(where, why, self.section.name if self.section else "")


def out_of_place(code: int) -> str:
    """What is wrong with a character that `FORBIDDEN` finds; U+DC80 to U+DCFF are stray bytes (PEP 383)."""
    if 0xDC80 <= code <= 0xDCFF:
        return f"not UTF-8: byte 0x{code - 0xDC00:02x}"
    return f"a character that does not belong in text: U+{code:04X}"


def expand(value: str, environ: Mapping[str, str]) -> str:
    """The value with each `${NAME}` filled in; a `:-default` stands for an empty variable, too.

    Raises ValueError for a variable that is not set and has no default, and for a `${` that is neither.
    """

    def fill(found: re.Match[str]) -> str:
        literal, name, otherwise, default = found.groups()
        if literal:
            return "${"
        if not name:
            raise ValueError("${ begins ${NAME} or ${NAME:-default without braces}; a literal ${ is $${")
        if otherwise and not environ.get(name):
            return default
        if name not in environ:
            raise ValueError(f"{name} is not set in the environment; ${{{name}:-default}} would do without it")
        if FORBIDDEN.search(environ[name]):
            raise ValueError(f"{name} of the environment holds characters that do not belong in text")
        return environ[name]

    lines = VARIABLE.sub(fill, value).split("\n")
    return "\n".join(line.strip(BLANK) for line in lines if line.strip(BLANK))


def written(value: str) -> str:
    """The value so that `read` and `expand` give it back."""
    return TO_KEEP.sub(r"\1\\\2", value.replace("${", "$${"))
