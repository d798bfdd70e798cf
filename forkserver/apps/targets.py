"""What the kinds that import something of their user's have in common: how their words are read.

Knows spellings; imports nothing of what they name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from forkserver.apps.variables import variables, variables_text
from forkserver.config.converters import Convert, existing_folder, listing, quoted
from forkserver.config.options import option

_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_TARGET = re.compile(rf"({_DOTTED})(?::({_DOTTED})(\(\))?)?")


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
