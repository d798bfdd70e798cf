"""Where a module is, without importing it, and what is said where there is none.

Knows the import system's search; runs no code of an application.
"""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from collections.abc import Collection, Iterable
from importlib.machinery import ModuleSpec, PathFinder

from forkserver.config.converters import suggestion

ROOM = 400  # characters of a list of folders that a message has room for
USUAL = ("application", "app")  # how applications are called where nobody has a better name for them


def find(module: str, folders: Iterable[str]) -> ModuleSpec | None:
    """The package or module in which a dotted name begins, first in `folders`, then where this process looks."""
    name = module.partition(".")[0]
    try:
        return PathFinder.find_spec(name, list(folders)) or importlib.util.find_spec(name)
    except ValueError:  # a module that was made by hand and does not say where it is from
        return None


def sources(spec: ModuleSpec) -> tuple[str, ...]:
    """The folders of a package, or the file of a module; none for what is no file, such as a built-in one."""
    if spec.submodule_search_locations is not None:
        return tuple(spec.submodule_search_locations)
    return (spec.origin,) if spec.has_location and spec.origin else ()


def no_module(name: str, folders: Collection[str], looked: Iterable[str]) -> str:
    """What is said when there is no module of this name; `folders` are the section's, `looked` all that were tried."""
    places = list(dict.fromkeys(filter(None, looked)))
    near = suggestion(name, _modules(places) - sys.stdlib_module_names)
    everywhere = ", ".join(places)
    shown = everywhere if len(everywhere) <= ROOM else f"{everywhere[:ROOM]}…"
    hint = "" if folders else "; path = FOLDER names the folder that it is in"
    return f"there is no module {name}{near}{hint}; looked in {shown}"


def no_submodule(name: str, home: str, places: Iterable[str] | None) -> str:
    """What is said when a package, or what is none, has no module of this dotted name.

    `home` is where the parent is from, `places` the folders of a package.
    """
    parent, _, last = name.rpartition(".")
    if not places:
        return f"{parent} ({home}) is a module, not a package, so there is no {name}"
    return f"the package {parent} ({home}) has no module {last}{suggestion(last, _modules(places))}"


def no_attribute(name: str, owner: str, home: str, there: Collection[str]) -> str:
    """What is said when an attribute is not `there`: what is spelt alike, or has a usual name, may have been meant."""
    usual = [other for other in USUAL if other in there] if name in USUAL else []
    near = suggestion(name, there) or "".join([f"; did you mean {other}?" for other in usual])
    return f"{owner} ({home}) has no attribute {name}{near}"


def _modules(folders: Iterable[str]) -> set[str]:
    return {one.name for one in pkgutil.iter_modules(list(folders))}
