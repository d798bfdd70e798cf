"""A script in Python, run in a process that was forked for it, so that it notices nothing: as after an exec.

A part of `zygote.py`: runs in whichever Python a script names, from 3.8 on, and knows the standard library alone.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import sys
import warnings
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

COMPILED = 256  # scripts that are kept compiled
NAMES = ("stdin", "stdout", "stderr")
FILES = (io.TextIOWrapper, io.BufferedRandom, io.BufferedWriter)  # in the order of flushing


class Compiler:
    """Compiles scripts, and keeps what it made of them as long as the files stay the same."""

    def __init__(self) -> None:
        self.kept: dict[bytes, tuple[Any, Any, list[str]]] = {}

    def get(self, script: bytes) -> tuple[Any, list[str]] | None:
        """Its code, and what the compiler warns of; None where that fails: the script's own process shall tell."""
        try:
            if (kept := self.kept.get(script)) and kept[0] == identity(os.stat(script)):
                return kept[1:]
            with open(script, "rb") as file, warnings.catch_warnings(record=True) as caught:
                known = identity(os.fstat(file.fileno()))
                code = compile(file.read(), os.fsdecode(script), "exec", dont_inherit=True)
        except (OSError, SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
            return None
        told = [warnings.formatwarning(one.message, one.category, one.filename, one.lineno) for one in caught]
        if len(self.kept) >= COMPILED:
            del self.kept[next(iter(self.kept))]
        self.kept[script] = known, code, told
        return code, told


def identity(status: os.stat_result) -> tuple[int, ...]:
    """What is another one when a file has changed or is another one."""
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


class Stage:
    """What a script finds when it begins.

    It is set in the process that the script is forked from: every page of memory that is written to after the fork has
    to be copied, which is most of what a fork costs.
    """

    def __init__(self) -> None:
        self.path = sys.path[:]
        self.environ: dict[bytes, bytes] = {}  # what was told last
        self.main = ModuleType("__main__")
        sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = fresh_streams()  # type: ignore[misc]

    def set(self, script: bytes, arguments: list[bytes], environ: dict[bytes, bytes]) -> None:
        """For the next script.  What the interpreter has put into its own environment stays, as LC_CTYPE (PEP 538)."""
        path = os.fsdecode(script)
        self.main = main = ModuleType("__main__")
        loader = SourceFileLoader("__main__", path)
        vars(main).update(__file__=path, __builtins__=sys.modules["builtins"], __cached__=None, __loader__=loader)
        if sys.version_info < (3, 14):
            vars(main)["__annotations__"] = {}
        sys.modules["__main__"] = main
        words = [path, *map(os.fsdecode, arguments)]
        if hasattr(sys, "orig_argv"):  # Python 3.10
            sys.orig_argv[-len(sys.argv) :] = words
        sys.argv = words
        if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
            sys.path[:] = [os.path.dirname(os.path.realpath(path)), *self.path]
        for name in self.environ.keys() - environ.keys():
            del os.environb[name]
        for name, value in environ.items():
            if self.environ.get(name) != value:
                os.environb[name] = value
        self.environ = environ

    def run(self, compiled: tuple[Any, list[str]] | None) -> int:
        """In a process that was forked for it: be the script, to its end; give its exit status.

        The streams are at 0, 1 and 2 by now; `compiled` is what the compiler made of the script.
        """
        path, status = sys.argv[0], 1
        try:
            code, told = compiled or (None, [])
            if told:
                sys.stderr.writelines(told)
            exec(code or compile(contents(path), path, "exec", dont_inherit=True), vars(self.main))  # noqa: S102
            status = 0
        except SystemExit as leaving:
            status = status_of(leaving)
        except BaseException as error:
            trace = error.__traceback__ and error.__traceback__.tb_next  # the first step is ours
            sys.excepthook(type(error), error.with_traceback(trace), trace)
        return finish(self.main, status)


def contents(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def fresh_streams() -> list[Any]:
    """`sys.stdin` and so on as an interpreter makes them at its start, when 1 and 2 are pipes; encoded as ours."""
    kept = [os.dup(number) for number in (1, 2)]
    reading, writing = os.pipe()
    for number in (1, 2):
        os.dup2(writing, number)
    made = [fresh_stream(number, getattr(sys, f"__{name}__")) for number, name in enumerate(NAMES)]
    for number, descriptor in enumerate(kept, 1):
        os.dup2(descriptor, number)
    for descriptor in (*kept, reading, writing):
        os.close(descriptor)
    return made


def fresh_stream(number: int, old: Any) -> Any:
    mode = "w" if number else "r"
    bare = number > 0 and old.write_through  # -u, PYTHONUNBUFFERED
    buffer: Any = open(number, mode + "b", 0 if bare else -1, closefd=False)  # noqa: SIM115
    (buffer if bare else buffer.raw).name = f"<{NAMES[number]}>"
    stream: Any = io.TextIOWrapper(
        buffer,
        old.encoding,
        old.errors,
        newline="\n",
        line_buffering=old.line_buffering,
        write_through=old.write_through,
    )
    stream.mode = mode
    return stream


def status_of(leaving: SystemExit) -> int:
    """The exit status that a SystemExit means."""
    code = leaving.code
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def finish(main: ModuleType, status: int) -> int:
    """What an interpreter does at its end, but for taking itself apart; the exit status."""
    threading = sys.modules.get("threading")
    if threading:
        threading._shutdown()  # waits for those that are no daemons
    atexit._run_exitfuncs()
    vars(main).clear()  # what hung on it is closed now
    try:
        left = [thing for thing in gc.get_objects() if issubclass(type(thing), FILES)]
        for kind in FILES:
            for file in left:
                if type(file) is kind and not file.closed and file.writable():
                    file.flush()
    except (OSError, ValueError):
        sys.excepthook(*sys.exc_info())
        return 120
    return status
