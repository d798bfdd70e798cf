"""Where a module is, without importing it.

Knows the import system's search; runs no code of an application.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from importlib.machinery import ModuleSpec, PathFinder


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
