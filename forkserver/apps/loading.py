"""From `module:attribute` to what it names, with every way in which that can fail told to the person who deploys.

Runs once, before workers are forked.  Knows imports; nothing of requests.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

from forkserver.apps.app import AppError
from forkserver.apps.finding import no_attribute, no_module, no_submodule
from forkserver.apps.targets import Target
from forkserver.apps.traces import concerns, trace

_GIVEN: dict[str, tuple[str, str]] = {}  # variable: its value, and the mount that gave it, in this process


def load_target(target: Target, folders: tuple[str, ...], variables: Iterable[tuple[str, str]], place: str) -> Any:
    """The thing that a section names, `place` being the section's name.

    Sets variables and folders before anything is imported.  Raises AppError.
    """
    set_environment(variables, place)
    put_on_path(folders)
    found = attribute_of(import_target(target, folders), target)
    return call_factory(found, target) if target.factory else found


def set_environment(variables: Iterable[tuple[str, str]], place: str) -> None:
    """Set variables of the whole process.  AppError where another mount has given one of them another value."""
    for name, value in variables:
        before, other = _GIVEN.setdefault(name, (value, place))
        if before != value:  # values may be secrets: they are not repeated
            raise AppError(
                f"env: [{other}] gives {name} another value, and all applications of a server share one environment; "
                "run a server for each of them"
            )
        os.environ[name] = value


def put_on_path(folders: Iterable[str]) -> None:
    """Have modules looked for in these folders first, in their order."""
    for folder in reversed(tuple(folders)):
        if folder in sys.path:
            sys.path.remove(folder)
        sys.path.insert(0, folder)
    importlib.invalidate_caches()


def import_target(target: Target, folders: tuple[str, ...]) -> ModuleType:
    """The module, imported; AppError when it is not there, or fails."""
    refuse_taken(target.module.partition(".")[0], folders)
    try:
        return importlib.import_module(target.module)
    except (Exception, SystemExit) as error:  # the application's trouble, of whatever kind
        if isinstance(error, ModuleNotFoundError) and not concerns(error) and error.name:
            raise AppError(_missing_module(error.name, folders)) from None
        raise AppError(f"{target.module} cannot be imported:\n{trace(error)}") from None


def refuse_taken(name: str, folders: tuple[str, ...]) -> None:
    """AppError when a module of this name is here already, and is not the one in `folders`."""
    loaded = sys.modules.get(name)
    spec = PathFinder.find_spec(name, list(folders)) if loaded and folders else None
    if spec and spec.origin and loaded and spec.origin != getattr(loaded, "__file__", None):
        raise AppError(
            f"{name} is imported already, from {_home(loaded)}, and not from {spec.origin}: in one server, modules of "
            "different applications need different names; rename one, or run a server for each of them"
        )


def _missing_module(name: str, folders: tuple[str, ...]) -> str:
    parent = name.rpartition(".")[0]
    if not parent:
        return no_module(name, folders, sys.path)
    package = sys.modules[parent]
    return no_submodule(name, _home(package), getattr(package, "__path__", None))


def _home(module: ModuleType) -> str:
    """Where a module is from, for a message."""
    return getattr(module, "__file__", None) or ", ".join(getattr(module, "__path__", ())) or "built in"


def attribute_of(module: ModuleType, target: Target) -> Any:
    """What the attribute path leads to; AppError when it leads nowhere."""
    found: Any = module
    walked = target.module
    for name in target.attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise AppError(no_attribute(name, walked, _home(module), dir(found))) from None
        except (Exception, SystemExit) as error:  # the application's trouble, of whatever kind
            raise AppError(f"{walked}.{name} cannot be had:\n{trace(error)}") from None
        walked = f"{walked}.{name}"
    return found


def call_factory(factory: Any, target: Target) -> Any:
    """What the factory gives; AppError when it fails."""
    name = f"{target.module}:{target.attribute}"
    if not callable(factory):
        raise AppError(f"{name} is {a_thing(factory)}, which cannot be called; write {name} without ()")
    try:
        return factory()
    except (Exception, SystemExit) as error:  # the application's trouble, of whatever kind
        raise AppError(f"{name}() failed:\n{trace(error)}") from None


def a_thing(thing: Any) -> str:
    """What it is, for a message."""
    return "None" if thing is None else f"a thing of type {type(thing).__name__}"
