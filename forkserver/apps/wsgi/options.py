"""What a section of the kind `wsgi` can say.

Knows its options; imports nothing of what they name.
"""

from __future__ import annotations

from dataclasses import dataclass

from forkserver.apps.targets import env_option, path_option, target
from forkserver.config.converters import boolean
from forkserver.config.options import option


@dataclass(frozen=True)
class WsgiOptions:
    """The options of a section of this kind."""

    wsgi: str = option(
        None,
        target("application"),
        "The application: module:attribute, or module:factory() for what a function gives; module alone stands for "
        "module:application.",
    )
    path: tuple[str, ...] = path_option()
    env: tuple[tuple[str, str], ...] = env_option()
    validate: bool = option(
        "no", boolean, "Whether wsgiref.validate watches every call, which is slow: for finding faults."
    )
