"""Exchanges to render, and a folder from which a script run by a test finds the package."""

from __future__ import annotations

import os
from typing import Any

import forkserver
from forkserver.http.request import Fields, Head, RequestLine
from forkserver.log.format import Exchange

SCRIPT_ENVIRONMENT = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(forkserver.__file__))}

# 10 October 2000, 13:55:36.25 in a zone seven hours west of Greenwich
BEGAN = 971211336.25


def head(target: str = "/a%20b?c=d", query: str = "c=d", path: str = "/a b", **fields: str) -> Head:
    """The head of a GET request with Host and the given fields, `user_agent` standing for User-Agent."""
    values = {
        "host": "www.example.org:8080",
        **{name.replace("_", "-"): text for name, text in fields.items()},
    }
    line = RequestLine(f"GET {target} HTTP/1.1", "GET", target, target.partition("?")[0], path, query, 1, None)
    block = Fields(tuple(values.items()), values, values["host"], False, False, 0, False, False)
    return Head(line, block, "www.example.org", 0, True, 100)


def exchange(**changes: Any) -> Exchange:
    """A request answered well, with changes by field name."""
    known = changes.get("head") or head()
    facts: dict[str, Any] = {
        "peer": "192.0.2.7",
        "peer_port": 50123,
        "local_port": 8443,
        "server_name": "site.example",
        "head": known,
        "line": known.line.text,
        "user": "",
        "status": 200,
        "body_sent": 2326,
        "received": 311,
        "sent": 2500,
        "began": BEGAN,
        "ended": BEGAN + 1.234567,
        "fields": (("Content-Type", "text/html"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")),
        "keep": True,
    }
    return Exchange(**{**facts, **changes})
