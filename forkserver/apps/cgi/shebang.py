"""The first line of a script, which names its interpreter (execve(2), "Interpreter scripts"; env(1)).

Knows that line; nothing of how the script is run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from typing import NamedTuple

LONGEST = 256  # bytes of the line that the kernel looks at (BINPRM_BUF_SIZE)

_LINE = re.compile(rb"#![ \t]*([^ \t\n]+)(?:[ \t]+([^\n]*?))?[ \t]*(?:\n|\Z)")
_PYTHON = re.compile(r"python(?:3(?:\.[0-9]+)?)?")
_FLAGS = re.compile(r"-[bBdEIOPqRsSuv]+")  # those that change the interpreter, and not what it runs


class Interpreter(NamedTuple):
    """A Python, and the flags that a script wants of it."""

    path: str
    flags: tuple[str, ...]


def first_line(script: bytes) -> bytes:
    """The beginning of a file, as far as the kernel looks; OSError when it cannot be read."""
    with open(script, "rb") as file:
        return file.read(LONGEST)


def named(line: bytes) -> tuple[str, str] | None:
    """The interpreter that a script names, and the one argument that the kernel makes of the rest; None without."""
    found = _LINE.match(line)
    return (os.fsdecode(found[1]), os.fsdecode(found[2] or b"")) if found else None


def python_of(line: bytes, path: str) -> Interpreter | None:
    """The Python that a script names, `path` being the PATH of its environment; None where it is anything else.

    Likewise for words that say something else than flags, which execve(2) passes on better than we could.
    """
    program, argument = named(line) or ("", "")
    words = [argument] if argument else []
    if os.path.basename(program) == "env":
        if argument.startswith("-S"):
            words = _split(argument.removeprefix("-S"))
        program, *words = words or [""]
        program = shutil.which(program, path=path) or ""
    if not _PYTHON.fullmatch(os.path.basename(program)) or not all(map(_FLAGS.fullmatch, words)):
        return None
    return Interpreter(program, tuple(words))


def _split(words: str) -> list[str]:
    try:
        return shlex.split(words)
    except ValueError:  # a quote that does not end: env(1) will tell
        return []


def trouble(line: bytes) -> str:
    """Why a file that is there and executable is none that the system can execute; "" when that cannot be told."""
    program, _ = named(line) or ("", "")
    if not program:
        return "it begins with no #! line, nor is it a program of this system"
    if line.partition(b"\n")[0].endswith(b"\r"):
        return "its first line ends with CR LF, and the CR is taken for a part of it"
    if not os.path.exists(program):
        return f"its interpreter {program} is not there"
    if not os.access(program, os.X_OK):
        return f"its interpreter {program} is not executable"
    return ""
