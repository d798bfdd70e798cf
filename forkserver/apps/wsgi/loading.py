"""From `module:attribute` to the application, with every way in which that can fail told to the person who deploys.

Runs once, before workers are forked.  Knows imports; nothing of requests.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any
from wsgiref.validate import validator

from forkserver.apps.app import AppError
from forkserver.apps.wsgi.options import Target, WsgiOptions, parse_target
from forkserver.apps.wsgi.traces import concerns, trace
from forkserver.config.converters import suggestion

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_GIVEN: dict[str, tuple[str, str]] = {}  # variable: its value, and the mount that gave it, in this process

ROOM = 400  # characters of a list of folders that a message has room for
USUAL = ("application", "app")  # how applications are called where nobody has a better name for them


def load_application(options: WsgiOptions, place: str) -> Application:
    """The application that a section names, `place` being the section's name.

    Sets variables and folders before anything is imported.  Raises AppError.
    """
    target = parse_target(options.wsgi)
    set_environment(options.env, place)
    put_on_path(options.path)
    module = import_target(target, options.path)
    found = attribute_of(module, target)
    application: Any = call_factory(found, target) if target.factory else found
    refuse_others(application, target)
    return validator(application) if options.validate else application


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
    parent, _, last = name.rpartition(".")
    if parent:
        package = sys.modules[parent]
        places = list(getattr(package, "__path__", ()))
        if not places:
            return f"{parent} ({_home(package)}) is a module, not a package, so there is no {name}"
        return f"the package {parent} ({_home(package)}) has no module {last}{suggestion(last, _modules(places))}"
    near = suggestion(name, _modules(sys.path) - sys.stdlib_module_names)
    everywhere = ", ".join(dict.fromkeys(filter(None, sys.path)))
    looked = everywhere if len(everywhere) <= ROOM else f"{everywhere[:ROOM]}…"
    hint = "" if folders else "; path = FOLDER names the folder that it is in"
    return f"there is no module {name}{near}{hint}; looked in {looked}"


def _modules(folders: list[str]) -> set[str]:
    return {one.name for one in pkgutil.iter_modules(folders)}


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
            raise AppError(f"{walked} ({_home(module)}) has no attribute {name}{_near(name, dir(found))}") from None
        except (Exception, SystemExit) as error:  # the application's trouble, of whatever kind
            raise AppError(f"{walked}.{name} cannot be had:\n{trace(error)}") from None
        walked = f"{walked}.{name}"
    return found


def _near(name: str, there: list[str]) -> str:
    """What else could be meant by an attribute, as an end for a message: what is spelt alike, or has a usual name."""
    usual = [other for other in USUAL if other in there] if name in USUAL else []
    return suggestion(name, there) or "".join([f"; did you mean {other}?" for other in usual])


def call_factory(factory: Any, target: Target) -> Any:
    """What the factory gives; AppError when it fails."""
    name = f"{target.module}:{target.attribute}"
    if not callable(factory):
        raise AppError(f"{name} is {_a(factory)}, which cannot be called; write {name} without ()")
    try:
        return factory()
    except (Exception, SystemExit) as error:  # the application's trouble, of whatever kind
        raise AppError(f"{name}() failed:\n{trace(error)}") from None


def refuse_others(application: Any, target: Target) -> None:
    """AppError for what is no WSGI application by all that can be seen without calling it."""
    name = f"{target.module}:{target.attribute}{'()' if target.factory else ''}"
    if isinstance(application, ModuleType):
        raise AppError(f"{name} is a module; name the application in it")
    if not callable(application):
        raise AppError(f"{name} is {_a(application)}, which cannot be called and so is no WSGI application")
    if inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(type(application).__call__):
        raise AppError(f"{name} is asynchronous: an ASGI application, which this kind cannot serve")
    try:
        inspect.signature(application).bind({}, None)
    except ValueError:  # it does not tell what it takes
        return
    except TypeError:
        hint = "" if target.factory else f"; if it makes the application, write {name}()"
        raise AppError(f"{name} does not take the two arguments of a WSGI application{hint}") from None


def _a(thing: Any) -> str:
    return "None" if thing is None else f"a thing of type {type(thing).__name__}"
