"""Which handler answers for a path and a method.

Knows patterns such as `/page/<name>`; nothing of requests but their two words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from forkserver.web.errors import MethodNotAllowed, NotFound

Handler = Callable[..., Any]
Arguments = dict[str, Any]

_PLACE = re.compile(r"<(?:([a-z_][a-z0-9_]*):)?([A-Za-z_][A-Za-z0-9_]*)>")
_TOKEN = re.compile(r"[A-Z][A-Z-]*")


class Converter(NamedTuple):
    """What `<name:…>` takes: text that the regular expression matches, as `convert` gives it.

    `convert` raises ValueError for text that is none after all: then the pattern does not match.
    """

    pattern: str
    convert: Callable[[str], Any]


CONVERTERS = {
    "str": Converter(r"[^/]+", str),  # what is meant without a name: one part of the path
    "int": Converter(r"[0-9]{1,18}", int),  # fits into 64 bits
    "path": Converter(r".+", str),  # the rest, slashes included
}


class Route:
    """A pattern, and its handlers by method."""

    def __init__(self, pattern: str, converters: dict[str, Converter]) -> None:
        """ValueError for what is no pattern."""
        self.pattern = pattern
        self.handlers: dict[str, Handler] = {}
        self._converts: dict[str, Callable[[str], Any]] = {}
        self._expression = re.compile(self._translated(converters), re.DOTALL)

    def _translated(self, converters: dict[str, Converter]) -> str:
        text, *places = _PLACE.split(self.pattern)
        parts = [re.escape(text)]
        literals = text
        for kind, name, after in zip(*[iter(places)] * 3, strict=True):
            if name in self._converts:
                raise ValueError(f"{self.pattern}: <{name}> is there twice")
            if (kind or "str") not in converters:
                raise ValueError(f"{self.pattern}: there is no converter {kind}; known are {', '.join(converters)}")
            converter = converters[kind or "str"]
            self._converts[name] = converter.convert
            parts += (f"(?P<{name}>{converter.pattern})", re.escape(after))
            literals += after
        if not self.pattern.startswith("/") or "<" in literals or ">" in literals:
            raise ValueError(f"{self.pattern!r} is not written as /path/<name>/<int:number>")
        return "".join(parts)

    @property
    def plain(self) -> bool:
        """Whether it stands for one path alone."""
        return not self._converts

    def match(self, path: str) -> Arguments | None:
        """The arguments that a path has for the handlers; None when it is another's."""
        found = self._expression.fullmatch(path)
        if found is None:
            return None
        try:
            return {name: convert(found[name]) for name, convert in self._converts.items()}
        except ValueError:
            return None


class Router:
    """All routes of a site."""

    def __init__(self) -> None:
        self.converters = dict(CONVERTERS)
        self._routes: dict[str, Route] = {}

    def add(self, pattern: str, methods: Iterable[str], handler: Handler) -> None:
        """ValueError for a pattern that is none, and for one that has a handler for the method already."""
        route = self._routes.get(pattern) or Route(pattern, self.converters)
        for method in methods:
            if not _TOKEN.fullmatch(method):
                raise ValueError(f"{method!r} is no method such as GET")
            if method in route.handlers:
                raise ValueError(f"{method} {pattern} has a handler already")
            route.handlers[method] = handler
        self._routes[pattern] = route

    def find(self, method: str, path: str) -> tuple[Handler, Arguments]:
        """The first route that has the method; where OPTIONS or HEAD have no handler, HEAD is what GET is.

        NotFound, or MethodNotAllowed with all the methods that the path knows.
        """
        allow: set[str] = set()
        for route, arguments in self._matching(path):
            handler = route.handlers.get(method) or (route.handlers.get("GET") if method == "HEAD" else None)
            if handler is not None:
                return handler, arguments
            allow.update(route.handlers)
        raise MethodNotAllowed(allow) if allow else NotFound()

    def _matching(self, path: str) -> Iterator[tuple[Route, Arguments]]:
        """A path that is written out goes first; then the patterns, in the order in which they were added."""
        exact = self._routes.get(path)
        if exact is not None and exact.plain:
            yield exact, {}
        for route in self._routes.values():
            if not route.plain and (arguments := route.match(path)) is not None:
                yield route, arguments
