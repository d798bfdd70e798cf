"""What can be hosted: one file or folder a kind, one interface (`app.py`), one table.

A class in the table has an attribute `Options`, a dataclass of options of which one is named as the kind.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from forkserver.apps.app import App, AppError, BlockingApp, Checkable

__all__ = ["KINDS", "App", "AppError", "BlockingApp", "Checkable"]


class Kinds(Mapping[str, type[Any]]):
    """Classes by the name of their kind.

    Each is imported when it is first looked up: a start does not wait for kinds that nobody serves.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        """`places` are written `module:Class`, below this package."""
        self._places = places

    def __getitem__(self, name: str) -> type[Any]:
        module, _, attribute = self._places[name].partition(":")
        kind: type[Any] = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        return kind

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


KINDS = Kinds(
    {
        "cgi": "cgi:Cgi",
        "handler": "stream.handler:Handler",
        "protocol": "stream.protocol:Protocol",
        "redirect": "redirect:Redirect",
        "static": "static:Static",
        "web": "web:Web",
        "wsgi": "wsgi:Wsgi",
    }
)
