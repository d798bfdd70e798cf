"""What the kinds that import something of their user's have in common: how their words are read.

Knows spellings; imports nothing of what they name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from forkserver.config.converters import Convert, existing_folder, listing, quoted
from forkserver.config.options import option

_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_TARGET = re.compile(rf"({_DOTTED})(?::({_DOTTED})(\(\))?)?")
_BETWEEN = re.compile(r"\n|(?<!\\),")
_KEPT = re.compile(r"\\(\\*,)")  # a backslash that keeps a comma
_TO_KEEP = re.compile(r"(\\*,)")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)")


class Target(NamedTuple):
    """`module:attribute.path`, taken apart."""

    module: str
    attribute: str
    factory: bool = False  # it is to be called, and gives the thing that is meant

    @property
    def name(self) -> str:
        """As it would be written."""
        return f"{self.module}:{self.attribute}{'()' if self.factory else ''}"


def parse_target(text: str, attribute: str = "application") -> Target:
    """`module:attribute.path` or `module:factory()`; `module` alone stands for `module:attribute` with the one given.

    ValueError for anything else.
    """
    found = _TARGET.fullmatch(text)
    if not found or found[1].endswith(".py"):
        raise ValueError(f"{quoted(text)} is not written as module:attribute{_hint(text, attribute)}")
    return Target(found[1], found[2] or attribute, bool(found[3]))


def _hint(text: str, meant: str) -> str:
    """What was probably meant."""
    name, _, attribute = text.partition(":")
    if "/" in name or name.endswith(".py"):
        module = name.removesuffix(".py").strip("/").rpartition("/")[2]
        return f"; a module is named as in an import, {module}:{attribute or meant}, and path tells its folder"
    if "(" in attribute:
        return "; a factory is called without arguments, module:factory()"
    return ", module:attribute.path or module:factory()"


def target(attribute: str) -> Convert[str]:
    """Takes the text of a target that `parse_target` can read."""

    def convert(text: str, folder: str) -> str:
        parse_target(text, attribute)
        return text

    return convert


def variables(text: str, folder: str) -> tuple[tuple[str, str], ...]:
    """`NAME=VALUE`, several on a line with commas between; a comma of a value itself is written `\\,`."""
    found: dict[str, str] = {}
    for piece in filter(None, (piece.strip(" \t") for piece in _BETWEEN.split(text))):
        matched = _VARIABLE.fullmatch(piece)
        if not matched:
            more = r"; a comma that belongs to a value is written \," if found and "=" not in piece else ""
            raise ValueError(f"{quoted(piece)} is not written as NAME=VALUE{more}")
        if matched[1] in found:
            raise ValueError(f"{matched[1]} is given twice")
        found[matched[1]] = _KEPT.sub(r"\1", matched[2])
    return tuple(found.items())


def variables_text(found: tuple[tuple[str, str], ...]) -> str:
    """Variables as `variables` reads them."""
    texts = [f"{name}={_TO_KEEP.sub(_one_more, value)}" for name, value in found]
    return ", ".join([text + " " if text.endswith("\\") else text for text in texts])


def _one_more(found: re.Match[str]) -> str:
    return "\\" + found[1]


def path_option() -> tuple[str, ...]:
    """The option `path`, which is the same in all these kinds."""
    return option("", listing(existing_folder), "Folders in which modules are looked for before all others.")


def env_option() -> tuple[tuple[str, str], ...]:
    """The option `env`, likewise."""
    return option(
        "",
        variables,
        r"Variables of the environment, NAME=VALUE; a comma in a value is written \,. All applications share one "
        "environment, so two mounts cannot give one variable two values.",
        write=variables_text,
    )
