"""Names and their values as a handler reads them: of a query, of a form, of header fields.

Knows mappings; nothing of how they were sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from forkserver.web.errors import BadRequest, MissingValue

_NUMBER = re.compile(r"-?[0-9]{1,18}")


class Values(Mapping[str, str]):
    """The values of a query or a form.

    A name may come several times: `values["name"]` is the first one, `values.all("name")` are all of them.  A name that
    is missing raises MissingValue, which is a KeyError to who catches it and 400 to the client otherwise.
    """

    __slots__ = ("_all",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._all: dict[str, list[str]] = {}
        for name, value in pairs:
            self._all.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> str:
        found = self._all.get(name)
        if found is None:
            raise MissingValue(name)
        return found[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return f"Values({self._all!r})"

    def all(self, name: str) -> list[str]:
        """Every value of a name, in the order sent; an empty list when there is none."""
        return list(self._all.get(name, ()))

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number of at most 18 digits; the default when it is missing.  BadRequest for anything else."""
        text = self[name] if default is None or name in self else str(default)
        if not _NUMBER.fullmatch(text):
            raise BadRequest(f"The value “{name}” is not a whole number.")
        return int(text)


class Headers(Mapping[str, str]):
    """Header fields by name, whichever way that is spelt; a field that came several times is joined with commas."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        """`values` have names in lower case."""
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({dict(self._values)!r})"
