"""Libraries that only some sites need: imported when they are needed, with a word of what to install.

Knows names of libraries; nothing of what is done with them.
"""

from __future__ import annotations

import importlib
from types import ModuleType

LIBRARIES = ("itsdangerous", "jinja2", "multipart")
INSTALL = "pip install 'forkserverd[web]'"


class MissingLibrary(RuntimeError):  # noqa: N818 - a fact, as its text tells it
    """A library is not installed; the text says what it is needed for, and how to have it."""


def library(name: str, purpose: str) -> ModuleType:
    """The library's module.  MissingLibrary when there is none."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:  # it is there, and lacks something itself
            raise
        raise MissingLibrary(f"{purpose} need the library {name}: {INSTALL}") from None
