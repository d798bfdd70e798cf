"""What a section of the kind `wsgi` can say, and how its words are read.

Knows spellings; imports nothing of what they name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from forkserver.apps.variables import variables, variables_text
from forkserver.config.converters import boolean, existing_folder, listing, quoted
from forkserver.config.options import option

_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_TARGET = re.compile(rf"({_DOTTED})(?::({_DOTTED})(\(\))?)?")


class Target(NamedTuple):
    """`module:attribute.path`, taken apart."""

    module: str
    attribute: str
    factory: bool  # it is to be called, and gives the application


def parse_target(text: str) -> Target:
    """`module`, `module:attribute.path` or `module:factory()`; ValueError for anything else."""
    found = _TARGET.fullmatch(text)
    if not found or found[1].endswith(".py"):
        raise ValueError(f"{quoted(text)} is not written as module:attribute{_hint(text)}")
    return Target(found[1], found[2] or "application", bool(found[3]))


def _hint(text: str) -> str:
    """What was probably meant."""
    name, _, attribute = text.partition(":")
    if "/" in name or name.endswith(".py"):
        module = name.removesuffix(".py").strip("/").rpartition("/")[2]
        return f"; a module is named as in an import, {module}:{attribute or 'application'}, and path tells its folder"
    if "(" in attribute:
        return "; a factory is called without arguments, module:factory()"
    return ", module:attribute.path or module:factory()"


def target(text: str, folder: str) -> str:
    """The text of a target that `parse_target` can read."""
    parse_target(text)
    return text


@dataclass(frozen=True)
class WsgiOptions:
    """The options of a section of this kind."""

    wsgi: str = option(
        None,
        target,
        "The application: module:attribute, or module:factory() for what a function gives; module alone stands for "
        "module:application.",
    )
    path: tuple[str, ...] = option(
        "", listing(existing_folder), "Folders in which modules are looked for before all others."
    )
    env: tuple[tuple[str, str], ...] = option(
        "",
        variables,
        r"Variables of the environment, NAME=VALUE; a comma in a value is written \,. All applications share one "
        "environment, so two mounts cannot give one variable two values.",
        write=variables_text,
    )
    validate: bool = option(
        "no", boolean, "Whether wsgiref.validate watches every call, which is slow: for finding faults."
    )
