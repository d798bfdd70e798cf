"""`env` in a section: variables of an environment, and how they are written.

Knows spellings; nothing of what the variables are for.
"""

from __future__ import annotations

import re

from forkserver.config.converters import quoted

_BETWEEN = re.compile(r"\n|(?<!\\),")
_KEPT = re.compile(r"\\(\\*,)")  # a backslash that keeps a comma
_TO_KEEP = re.compile(r"(\\*,)")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)")


def variables(text: str, folder: str) -> tuple[tuple[str, str], ...]:
    """`NAME=VALUE`, several on a line with commas between; a comma of a value itself is written `\\,`."""
    found: dict[str, str] = {}
    for piece in filter(None, (piece.strip(" \t") for piece in _BETWEEN.split(text))):
        matched = _VARIABLE.fullmatch(piece)
        if not matched:
            more = r"; a comma that belongs to a value is written \," if found and "=" not in piece else ""
            raise ValueError(f"{quoted(piece)} is not written as NAME=VALUE{more}")
        if matched[1] in found:
            raise ValueError(f"{matched[1]} is given twice")
        found[matched[1]] = _KEPT.sub(r"\1", matched[2])
    return tuple(found.items())


def variables_text(found: tuple[tuple[str, str], ...]) -> str:
    """Variables as `variables` reads them."""
    texts = [f"{name}={_TO_KEEP.sub(_one_more, value)}" for name, value in found]
    return ", ".join([text + " " if text.endswith("\\") else text for text in texts])


def _one_more(found: re.Match[str]) -> str:
    return "\\" + found[1]
