"""The listing of a folder: which of its entries are shown, in what order, and the answer that shows them.

Knows files, and the words of the query that sort them; what the page looks like is the matter of
`listingpage`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import parse_qs

from forkserver.apps.files import Missing, Place, Root, absence
from forkserver.apps.listingpage import Entry, Order, page
from forkserver.http.request import Request
from forkserver.http.response import Response

MOST = 2_000  # entries shown: some 50 ms of work and 1 MB of page, for each who asks

FIELDS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-cache"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
)

_NUMBER = re.compile(r"(\d+)", re.ASCII)


def _by_name(entry: Entry) -> Any:
    """Letters without regard to case, and numbers by their value: `page2` before `page10`."""
    parts = _NUMBER.split(entry.text.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], entry.name


KEYS: dict[str, Callable[[Entry], Any]] = {
    "name": _by_name,
    "size": lambda entry: (entry.size, _by_name(entry)),
    "date": lambda entry: (entry.modified, _by_name(entry)),
}


def respond(root: Root, folder: Place, request: Request) -> Response:
    """The page of a folder, sorted as the query says; raises Missing when the folder may not be read."""
    order = asked_order(request.head.line.query)
    found = list(islice(entries(root, folder), MOST + 1))
    shown = arranged(found[:MOST], order)
    return Response(200, FIELDS, page(request.script, folder.name, shown, order, cut=len(found) > MOST))


def asked_order(query: str) -> Order:
    """The order that `sort=name|size|date` and `order=asc|desc` ask for; by name where they make no sense."""
    asked = parse_qs(query[:200], encoding="latin-1")
    key = asked.get("sort", ["name"])[0]
    return Order(key if key in KEYS else "name", asked.get("order") == ["desc"])


def arranged(found: list[Entry], order: Order) -> list[Entry]:
    """The entries in order, folders before files whichever way they run."""
    ordered = sorted(found, key=KEYS[order.key], reverse=order.descending)
    return sorted(ordered, key=lambda entry: not entry.folder)


def entries(root: Root, folder: Place) -> Iterator[Entry]:
    """What a folder holds of things that may be asked for; what is deleted meanwhile is left out."""
    descriptor = folder.open()
    try:
        with os.scandir(descriptor) as found:
            for one in found:
                name = os.fsencode(one.name)
                status = _status(root, folder, name, one)
                if status is not None:
                    is_folder = stat.S_ISDIR(status.st_mode)
                    yield Entry(name, is_folder, 0 if is_folder else status.st_size, status.st_mtime)
    finally:
        os.close(descriptor)


def _status(root: Root, folder: Place, name: bytes, entry: os.DirEntry[str]) -> os.stat_result | None:
    """What is known of an entry that may be seen, without opening it; None for all others."""
    if not root.admits(name):
        return None
    if entry.is_symlink():
        try:
            with root.find(folder.name + b"/" + name if folder.name else name) as target:
                return target.status
        except Missing:
            return None
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        if absence(error):
            return None
        raise
    return status if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) else None
