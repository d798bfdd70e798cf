"""On systems other than Linux: one clear sentence, whatever their modules lack."""

from __future__ import annotations

import subprocess
import sys

ELSEWHERE = """
import os, select, socket, sys
sys.platform = "darwin"
for module, name in ((select, "epoll"), (select, "EPOLLIN"), (os, "O_PATH"), (os, "pidfd_open"), (socket, "MSG_MORE")):
    if hasattr(module, name):
        delattr(module, name)
from forkserver.cli import main
sys.exit(main(["run"]))
"""


def test_a_clear_sentence() -> None:
    done = subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("forkserver needs Linux")
    assert done.stderr.count("\n") == 1
