"""A configuration told to a person: what holds and where it comes from, and what a reload would change.

Reads declarations and values; knows no option by name except `[server] include`, whose files are part of what
is shown.  Prints nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from forkserver.config.build import FIXED, Config, Kinds, section_of
from forkserver.config.ini import written
from forkserver.config.options import Option, declared

INCLUDE = ("server", "include")
WIDEST = 48  # characters of an option before its comment; a longer one pushes it aside


@dataclass(frozen=True)
class Row:
    """One option, as a table of all options has it."""

    section: str  # "server", "log", "limits", or the kind of a mount
    key: str
    default: str | None  # as written in a file; None: it must be given
    help: str
    restart: bool


def show(config: Config) -> str:
    """The effective configuration as a file that gives an equal one; each line says where it came from."""
    parts = [f"; {config.path}\n"]
    for section, (_, values) in _sections(config).items():
        lines = [
            (
                f"{'; ' if (section, key) == INCLUDE else ''}{key} = {written(text)}",
                _origin(config, section, key),
            )
            for key, text in _texts(values).items()
        ]
        width = max((len(line) for line, _ in lines if len(line) <= WIDEST), default=0)
        parts.append("".join([f"[{section}]\n", *(f"{line:{width}}  ; {origin}\n" for line, origin in lines)]))
    return "\n".join(parts)


def diff(old: Config, new: Config) -> list[str]:
    """What a reload would change, one line each; none when the two are equal."""
    before, after = _sections(old), _sections(new)
    return [line for section in {**before, **after} for line in _changes(section, before, after)]


def rows(kinds: Kinds) -> list[Row]:
    """Every option there is, section by section, then kind by kind."""
    made = {**FIXED, **{name: kind.Options for name, kind in kinds.items()}}
    return [
        Row(section, key, one.default, one.help, one.restart)
        for section, options in made.items()
        for key, one in declared(options).items()
    ]


def reference(kinds: Kinds) -> str:
    """Every option with its default and its help, in the form of a configuration file."""
    lines: list[str] = []
    section = ""
    for row in rows(kinds):
        if row.section != section:
            section = row.section
            lines += ["", f"[{section}]" if section in FIXED else f"[/{section}]"]
        help_text = f"{row.help} A change takes a restart." if row.restart else row.help
        lines += ["", *textwrap.wrap(help_text, 100, initial_indent="# ", subsequent_indent="# ")]
        lines.append(f"{row.key} = {'; must be given' if row.default is None else written(row.default)}".rstrip())
    return "\n".join([*lines[1:], ""])


def _sections(config: Config) -> dict[str, tuple[str, Any]]:
    """Name → (kind, options) of every section; the fixed ones have no kind."""
    fixed = {name: ("", getattr(config, name)) for name in FIXED}
    mounts = {section_of(mount): (mount.kind, mount.options) for mount in config.mounts}
    return {**fixed, **mounts, **{stream.name: (stream.kind, stream.options) for stream in config.streams}}


def _texts(values: Any) -> dict[str, str]:
    """The options of a section as they would be written."""
    return {key: _text(values, key, one) for key, one in declared(type(values)).items()}


def _text(values: Any, key: str, one: Option) -> str:
    return one.write(getattr(values, key))


def _origin(config: Config, section: str, key: str) -> str:
    return config.origins.get((section, key), "default")


def _changes(section: str, before: dict[str, tuple[str, Any]], after: dict[str, tuple[str, Any]]) -> Iterator[str]:
    """What changes in one section."""
    gone = (None, None)
    (old_kind, old), (new_kind, new) = before.get(section, gone), after.get(section, gone)
    if old_kind == new_kind:
        yield from _changed_options(section, old, new)
    elif new_kind is None:
        yield f"[{section}]: removed, {old_kind} = {_texts(old)[str(old_kind)]}"
    elif old_kind is None:
        yield f"[{section}]: added, {new_kind} = {_texts(new)[new_kind]}"
    else:
        was, now = _texts(old)[old_kind], _texts(new)[new_kind]
        yield f"[{section}]: {old_kind} = {was} -> {new_kind} = {now}"


def _changed_options(section: str, old: Any, new: Any) -> Iterator[str]:
    for key, one in declared(type(new)).items():
        if (section, key) != INCLUDE and getattr(old, key) != getattr(new, key):
            was, now = _text(old, key, one) or '""', _text(new, key, one) or '""'
            yield f"[{section}] {key}: {was} -> {now}{' (needs a restart)' if one.restart else ''}"
