"""Fields of answers, changed as a mount's section says.

Knows names and values; knows nothing of where an answer came from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from forkserver.http.memo import Memo
from forkserver.http.response import Fields, head_parts, without

if TYPE_CHECKING:
    from forkserver.config.policy import Change


class FieldChanges:
    """Some changes, made in their order."""

    def __init__(self, changes: Iterable[Change]) -> None:
        """ValueError for a field that the server itself writes, and for a value that is none."""
        self._changes = tuple(changes)
        head_parts(200, tuple((change.name, change.value) for change in self._changes))
        self._known: Memo[Fields, Fields] = Memo(256, 4096)

    def __call__(self, fields: Fields) -> Fields:
        """`fields` with the changes made: the same object for equal fields, where they come again and again."""
        known = self._known.get(fields)
        if known is None:
            known = self._changed(fields)
            self._known.put(fields, known)
        return known

    def _changed(self, fields: Fields) -> Fields:
        for sign, name, value in self._changes:
            if sign != "+":
                fields = without(fields, name)
            if sign != "-":
                fields = (*fields, (name, value))
        return fields
