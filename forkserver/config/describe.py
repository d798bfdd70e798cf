"""A configuration told to a person: what holds and where it comes from, and what a reload would change.

Reads declarations and values; knows no option by name except `[server] include`, whose files are part of what
is shown.  Prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from forkserver.config.build import FIXED, Config, Kinds, section_of
from forkserver.config.ini import written
from forkserver.config.options import Option, declared
from forkserver.config.policy import PolicyOptions

INCLUDE = ("server", "include")
_COMMON = declared(PolicyOptions)  # of any mount; so many that only those that are given are shown
_Section = tuple[str, tuple[Any, ...]]  # kind, and dataclasses of options
WIDEST = 48  # characters of an option before its comment; a longer one pushes it aside


@dataclass(frozen=True)
class Row:
    """One option, as a table of all options has it."""

    section: str  # "server", "log", "limits", the kind of a mount, or "" for what any mount may have
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
                f"{'; ' if (section, key) == INCLUDE else ''}{key} = {_lines(text)}",
                _origin(config, section, key),
            )
            for key, text in _texts(values).items()
            if (section, key) in config.origins or key not in _COMMON
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
    made = {**FIXED, "": PolicyOptions, **{name: kind.Options for name, kind in kinds.items()}}
    return [
        Row(section, key, one.default, one.help, one.restart)
        for section, options in made.items()
        for key, one in declared(options).items()
    ]


def _sections(config: Config) -> dict[str, _Section]:
    """Every section by its name; the fixed ones have no kind."""
    fixed: dict[str, _Section] = {name: ("", (getattr(config, name),)) for name in FIXED}
    mounts = {section_of(mount): (mount.kind, (mount.options, mount.policy)) for mount in config.mounts}
    return {**fixed, **mounts, **{stream.name: (stream.kind, (stream.options,)) for stream in config.streams}}


def _texts(values: tuple[Any, ...]) -> dict[str, str]:
    """The options of a section as they would be written."""
    return {key: _text(part, key, one) for part in values for key, one in declared(type(part)).items()}


def _lines(text: str) -> str:
    """A value as it is written in a file, further lines of it indented."""
    return "\n    ".join(map(written, text.split("\n")))


def _text(values: Any, key: str, one: Option) -> str:
    return one.write(getattr(values, key))


def _origin(config: Config, section: str, key: str) -> str:
    return config.origins.get((section, key), "default")


def _changes(section: str, before: dict[str, _Section], after: dict[str, _Section]) -> Iterator[str]:
    """What changes in one section."""
    gone = (None, ())
    (old_kind, old), (new_kind, new) = before.get(section, gone), after.get(section, gone)
    if old_kind == new_kind:
        for was_part, now_part in zip(old, new, strict=True):
            yield from _changed_options(section, was_part, now_part)
    elif new_kind is None:
        yield f"[{section}]: removed, {old_kind} = {_texts(old)[str(old_kind)]}"
    elif old_kind is None:
        yield f"[{section}]: added, {new_kind} = {_texts(new)[new_kind]}"
    else:
        yield f"[{section}]: {old_kind} = {_texts(old)[old_kind]} -> {new_kind} = {_texts(new)[new_kind]}"


def _changed_options(section: str, old: Any, new: Any) -> Iterator[str]:
    for key, one in declared(type(new)).items():
        if (section, key) != INCLUDE and getattr(old, key) != getattr(new, key):
            was, now = (_text(values, key, one).replace("\n", ", ") or '""' for values in (old, new))
            yield f"[{section}] {key}: {was} -> {now}{' (needs a restart)' if one.restart else ''}"
