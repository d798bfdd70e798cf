"""From what was imported to the application: whether it is one, by all that can be seen without calling it.

Runs once, before workers are forked.  Knows PEP 3333; nothing of requests.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any
from wsgiref.validate import validator

from forkserver.apps.app import AppError
from forkserver.apps.loading import a_thing, load_target
from forkserver.apps.targets import Target, parse_target
from forkserver.apps.wsgi.options import WsgiOptions

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def load_application(options: WsgiOptions, place: str) -> Application:
    """The application that a section names, `place` being the section's name.  Raises AppError."""
    target = parse_target(options.wsgi)
    application: Any = load_target(target, options.path, options.env, place)
    refuse_others(application, target)
    return validator(application) if options.validate else application


def refuse_others(application: Any, target: Target) -> None:
    """AppError for what is no WSGI application by all that can be seen without calling it."""
    name = target.name
    if isinstance(application, ModuleType):
        raise AppError(f"{name} is a module; name the application in it")
    if not callable(application):
        raise AppError(f"{name} is {a_thing(application)}, which cannot be called and so is no WSGI application")
    if inspect.iscoroutinefunction(application) or inspect.iscoroutinefunction(type(application).__call__):
        raise AppError(f"{name} is asynchronous: an ASGI application, which this kind cannot serve")
    try:
        inspect.signature(application).bind({}, None)
    except ValueError:  # it does not tell what it takes
        return
    except TypeError:
        hint = "" if target.factory else f"; if it makes the application, write {name}()"
        raise AppError(f"{name} does not take the two arguments of a WSGI application{hint}") from None
