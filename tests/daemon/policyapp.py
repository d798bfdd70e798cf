"""An application whose pages a mount's section changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

TEXT = b"a line of text that comes again and again\n" * 100
_turn = threading.Semaphore(0)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise RuntimeError("asked to fail")
    if path == "/next":
        _turn.release()
    start_response("404 Not Found" if path == "/none" else "200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    if path == "/stream":
        return _pieces()
    if path == "/large.txt":
        return iter([TEXT] * 1000)
    if path == "/who":
        told = {name: environ[name] for name in ("REMOTE_USER", "AUTH_TYPE") if name in environ}
        return [json.dumps({name: text.encode("latin-1").decode() for name, text in told.items()}).encode()]
    return [b"my own" if path == "/none" else TEXT]


def _pieces() -> Iterator[bytes]:
    for number in range(4):
        yield f"piece {number}\n".encode()
        assert _turn.acquire(timeout=20)
