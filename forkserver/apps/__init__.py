"""What can be hosted: one file or folder a kind, one interface (`app.py`), one table.

A class in the table has an attribute `Options`, a dataclass of options of which one is named as the kind.
"""

from __future__ import annotations

from typing import Any

from forkserver.apps.app import App, AppError, BlockingApp, Checkable
from forkserver.apps.cgi import Cgi
from forkserver.apps.redirect import Redirect
from forkserver.apps.static import Static
from forkserver.apps.wsgi import Wsgi

__all__ = ["KINDS", "App", "AppError", "BlockingApp", "Checkable"]

KINDS: dict[str, type[Any]] = {"cgi": Cgi, "redirect": Redirect, "static": Static, "wsgi": Wsgi}
