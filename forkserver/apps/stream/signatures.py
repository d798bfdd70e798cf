"""Whether a callable takes what it would be called with, as far as that can be seen without calling it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from forkserver.apps.app import AppError


def refuse_wrong_signature(found: Callable[..., Any], arguments: tuple[str, ...], name: str) -> None:
    """AppError when what is called `name` does not take so many arguments."""
    try:
        inspect.signature(found).bind(*arguments)
    except ValueError:  # it does not tell what it takes
        return
    except TypeError:
        wanted = f"the arguments ({', '.join(arguments)})" if arguments else "to be called without arguments"
        raise AppError(f"{name} does not take {wanted}") from None
