"""Commands as somebody types them: each in a process of its own, or in this one where nothing else is to be seen.

Most of what a command costs is the start of its interpreter, and the tests give many.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from forkserver.cli import main
from tests.launch import EVERY_KIND

ROOT = Path(__file__).parent.parent
LAUNCH = [sys.executable, "-W", "error", "-m", "tests.launch"]
LIMIT = 60.0  # seconds for a command
LASTING = {"run", "serve", "start", "restart"}  # commands that become a server, or begin one


@dataclass
class Typed:
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


def forkserver(*words: str, **environ: str) -> Typed:
    """`forkserver WORD …` as a process, run to its end."""
    done = subprocess.run(
        [*LAUNCH, *words],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return Typed(done.returncode, done.stdout, done.stderr)


def typed(*words: str) -> Typed:
    """`forkserver WORD …` in this process: words that are refused, or a command that does not begin a server."""
    code: object
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(io.StringIO()) as errors:
        try:
            code = main(words, EVERY_KIND)
        except SystemExit as end:  # as argparse ends
            code = end.code
    assert isinstance(code, int)
    return Typed(code, output.getvalue(), errors.getvalue())
