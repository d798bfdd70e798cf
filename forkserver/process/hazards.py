"""What loading left behind that a fork does not bear: threads, which the child lacks, and sockets, which it shares.

Reads /proc/self (proc(5)); knows nothing of what is done about it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from dataclasses import dataclass
from typing import Any

MOST = 5  # of a kind that are named


@dataclass(frozen=True)
class Survey:
    """The threads and sockets of this process at one moment."""

    threads: frozenset[int]  # by the system's number
    sockets: dict[str, int]  # a descriptor by what it leads to

    @classmethod
    def take(cls) -> Survey:
        sockets = {}
        for number in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):  # the descriptor of this very listing
                leads_to = os.readlink(f"/proc/self/fd/{number}")
                if leads_to.startswith("socket:"):
                    sockets[leads_to] = int(number)
        return cls(frozenset(map(int, os.listdir("/proc/self/task"))), sockets)


def since(before: Survey) -> str:
    """What has come since an earlier survey, in words; "" when nothing did."""
    now = Survey.take()
    names = {thread.native_id: thread.name for thread in _threading()}
    threads = [names.get(number) or _comm(number) for number in sorted(now.threads - before.threads)]
    sockets = [_where(now.sockets[one]) for one in sorted(now.sockets.keys() - before.sockets.keys())]
    return " and ".join(filter(None, (_counted("thread", threads), _counted("socket", sockets))))


def _counted(what: str, names: list[str]) -> str:
    """`2 threads (one, two)`."""
    if not names:
        return ""
    shown = ", ".join(names[:MOST]) + (", …" if len(names) > MOST else "")
    return f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({shown})"


def _threading() -> list[Any]:
    """Python's threads, without loading what knows them where nothing has."""
    module = sys.modules.get("threading")
    return module.enumerate() if module else []


def _comm(number: int) -> str:
    """The name that the system has for a thread which is not Python's."""
    try:
        with open(f"/proc/self/task/{number}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except (FileNotFoundError, ProcessLookupError):
        return "ended by now"


def _where(number: int) -> str:
    """A socket's two ends, as far as it has them."""
    with socket.socket(fileno=os.dup(number)) as one:
        local = _shown(one.getsockname())
        try:
            return f"{local} to {_shown(one.getpeername())}"
        except OSError:  # it is not connected
            return local


def _shown(address: object) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        host, port = address[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    if isinstance(address, bytes):  # unix(7), abstract
        return "@" + address[1:].decode("utf-8", "replace")
    return str(address) or "unnamed"
