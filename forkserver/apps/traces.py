"""The trace of an error as its application's author wants to see it.

Knows frames and files; nothing of applications.
"""

from __future__ import annotations

import importlib
import os
import traceback

_OURS = os.path.dirname(__file__) + os.sep
_LIBRARY = (os.path.dirname(importlib.__file__) + os.sep, "<frozen importlib")


def trace(error: BaseException) -> str:
    """The trace of `error` and of its causes, without the steps of this package and of the import machinery."""
    told = traceback.TracebackException.from_exception(error)
    _cut(told, set())
    return "".join(told.format()).rstrip("\n")


def concerns(error: BaseException) -> bool:
    """Whether any step of the way to `error` was taken by somebody else."""
    return any(_foreign(frame.filename) for frame in traceback.extract_tb(error.__traceback__))


def _cut(told: traceback.TracebackException, seen: set[int]) -> None:
    if id(told) in seen:
        return
    seen.add(id(told))
    told.stack[:] = [frame for frame in told.stack if _foreign(frame.filename)]
    for other in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
        if other is not None:
            _cut(other, seen)


def _foreign(file: str) -> bool:
    return not file.startswith((_OURS, *_LIBRARY))
