"""Manual pages: text to roff, in the few macros of man(7) that every reader of such pages knows.

Knows the language of the pages; knows nothing of what they say.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

TYPED = re.compile(r"`([^`]+)`")
WIDTH = 80  # bytes of a line of input, as the checkers of manual pages want it


def inline(words: str) -> str:
    """Plain text within a line, with what is between backquotes in bold."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("~", "\\(ti")
    return TYPED.sub(r"\\fB\1\\fR", escaped)


def text(words: str) -> list[str]:
    """Plain text as lines of input, none of which is taken for a macro."""
    lines = textwrap.wrap(inline(words), WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return [f"\\&{line}" if line.startswith(".") else line for line in lines]


def bold(words: str) -> str:
    return f"\\fB{inline(words)}\\fR"


def title(name: str, section: int, version: str, about: str) -> str:
    """The first line of a page, which has no date: its version says how old it is."""
    return f'.TH {name.upper()} {section} "" "forkserver {version}" "{about}"'


def heading(words: str) -> str:
    return f".SH {words.upper()}"


def subheading(words: str) -> str:
    return f'.SS "{inline(words)}"'


def paragraphs(several: str) -> list[str]:
    """Texts that are parted by empty lines."""
    return [line for one in several.split("\n\n") for line in (".PP", *text(one))][1:]


def entries(named: Iterable[tuple[str, str]]) -> list[str]:
    """Names, ready to print, each with its text indented below."""
    return [line for name, words in named for line in (".TP", name, *text(words))]


def example(block: str) -> list[str]:
    """Lines as they stand."""
    lines = [line.replace("\\", "\\e").replace("-", "\\-") for line in block.rstrip("\n").split("\n")]
    return [".RS 4", ".nf", *(f"\\&{line}" if line.startswith((".", "'")) else line for line in lines), ".fi", ".RE"]
