"""The kind `web`: a Site of `forkserver.web`, called without WSGI in between.

Knows how a site is found and what it is told; what it answers is its own business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forkserver.apps.app import AppError, place_of
from forkserver.apps.foreseeing import foresee
from forkserver.apps.loading import a_thing, load_target
from forkserver.apps.targets import env_option, parse_target, path_option, target
from forkserver.apps.traces import trace
from forkserver.config.options import option
from forkserver.http.request import Request
from forkserver.http.response import Response

if TYPE_CHECKING:
    from forkserver.web import Site


@dataclass(frozen=True)
class WebOptions:
    """The options of a section of this kind."""

    web: str = option(
        None,
        target("site"),
        "The Site of forkserver.web: module:attribute, or module:factory() for what a function gives; module alone "
        "stands for module:site.",
    )
    path: tuple[str, ...] = path_option()
    env: tuple[tuple[str, str], ...] = env_option()


class Web:
    """One site, at one mount."""

    Options = WebOptions
    methods = None
    reads_body = True
    blocking = True

    respond: Callable[[Request], Response]  # the site's own: nothing stands in between

    def __init__(self, options: WebOptions, prefix: str) -> None:
        """`prefix` is the mount's, without a slash at its end."""
        self.options = options
        self.place = place_of(prefix)

    def check(self) -> None:
        """Raises AppError when there is no site by what can be seen without running it."""
        foresee(parse_target(self.options.web, "site"), self.options.path)

    def load(self) -> None:
        """Raises AppError when there is no site to be had, or it cannot serve."""
        meant = parse_target(self.options.web, "site")
        self.site = _site(load_target(meant, self.options.path, self.options.env, self.place), meant.name)
        try:
            self.site.check()
        except Exception as error:  # the site's trouble, of whatever kind: a template of it, say
            raise AppError(f"{meant.name} cannot serve:\n{trace(error)}") from None
        self.respond = self.site.respond

    def employ(self, *, threads: int, errors: Callable[[str], None]) -> None:
        """What the site has to say goes to the error log, with the mount before it."""
        self.site.log = lambda text: errors(f"[{self.place}]: {text}")

    def close(self) -> None:
        """Has nothing to let go."""


def _site(found: object, name: str) -> Site:
    from forkserver.web import Site  # noqa: PLC0415 - who serves no site need not wait for it

    if isinstance(found, Site):
        return found
    hint = f"; to be served as an application, write wsgi = {name}" if callable(found) else ""
    raise AppError(f"{name} is {a_thing(found)}, not a Site of forkserver.web{hint}")
