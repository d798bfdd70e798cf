"""The page that shows a folder: plain HTML and CSS that works without scripts, on a phone and in the dark.

Knows names, sizes and dates, and that names may hold anything; knows nothing of files.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from forkserver.apps.listingstyle import ICONS, STYLE
from forkserver.http.mediatypes import media_type

LATEST = 253_402_300_799  # the last second of the year 9999
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
COLUMNS = {"name": "Name", "size": "Size", "date": "Modified"}
ARROWS = {False: "↑", True: "↓"}

# What a file is drawn as: the beginning of its media type, and the picture in ICONS.
PICTURES = {
    "image/": "picture",
    "audio/": "sound",
    "video/": "film",
    "text/": "text",
    "application/pdf": "text",
    "application/json": "text",
    "application/zip": "pack",
    "application/gzip": "pack",
    "application/zstd": "pack",
    "application/x-xz": "pack",
    "application/x-bzip2": "pack",
    "application/x-tar": "pack",
    "application/x-7z": "pack",
}


class Entry(NamedTuple):
    """One line of a listing."""

    name: bytes
    folder: bool
    size: int  # bytes
    modified: float  # seconds since the epoch

    @property
    def text(self) -> str:
        """The name as people read it; bytes that are not UTF-8 show as U+FFFD."""
        return self.name.decode("utf-8", "replace")


class Order(NamedTuple):
    """How the lines are sorted: by a key of COLUMNS, and which way."""

    key: str
    descending: bool


def page(script: str, folder: bytes, entries: Sequence[Entry], order: Order, *, cut: bool) -> bytes:
    """The listing of `folder`, the name below a mount at `script` (latin-1), as UTF-8.

    `cut` says that the folder holds more than is shown.
    """
    here = script.encode("latin-1").decode("utf-8", "replace") + "/"
    steps = [step.decode("utf-8", "replace") for step in folder.split(b"/") if step]
    title = escape(here + "".join(step + "/" for step in steps))
    heads = "".join(_head(key, name, order) for key, name in COLUMNS.items())
    up = _UP if steps else ""
    note = "<p class=note>Only a part of this folder is shown: it holds too much for one page.</p>" if cut else ""
    return _PAGE.format(
        title=title,
        style=STYLE,
        icons=ICONS,
        crumbs=_crumbs(here, steps),
        heads=heads,
        rows=up + "".join(map(_row, entries)),
        summary=_summary(entries),
        note=note,
    ).encode()


_START = "Start"  # what a mount at / is called
_UP = (
    '<tr><td><a href="../"><svg><use href="#up"/></svg><bdi>Parent folder</bdi></a></td>'
    "<td class=size></td><td class=date></td></tr>\n"
)

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{icons}
<main>
<h1><nav aria-label="Path">{crumbs}</nav></h1>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}</tbody>
</table>
{note}<footer>{summary}</footer>
</main>
</body>
</html>
"""


def _crumbs(here: str, steps: list[str]) -> str:
    """The way from the mount to this folder, each step but the last a link."""
    start = f'<svg><use href="#home"/></svg><bdi>{escape(here.strip("/")) or _START}</bdi>'
    names = [start, *(f"<bdi>{escape(step)}</bdi>" for step in steps)]
    up = range(len(steps), 0, -1)
    links = [f'<a href="{"../" * levels}">{name}</a>' for levels, name in zip(up, names, strict=False)]
    return "<i>/</i>".join([*links, f"<b>{names[-1]}</b>"])


def _head(key: str, name: str, order: Order) -> str:
    """The head of a column: a link that sorts by it, or turns the order round."""
    if key != order.key:
        return f'<th class={key}><a href="?sort={key}">{name}</a></th>'
    turned = "" if order.descending else "&amp;order=desc"
    direction = "descending" if order.descending else "ascending"
    arrow = ARROWS[order.descending]
    return f'<th class={key} aria-sort={direction}><a href="?sort={key}{turned}">{name}<i>{arrow}</i></a></th>'


def _row(entry: Entry) -> str:
    end = "/" if entry.folder else ""
    link = f'<a href="{quote(entry.name)}{end}"><svg><use href="#{_picture(entry)}"/></svg>'
    size = "" if entry.folder else f'<data value={entry.size} title="{entry.size:,} bytes">{human(entry.size)}</data>'
    moment = time.gmtime(min(max(entry.modified, 0), LATEST))
    machine = time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
    shown = machine[:16].replace("T", " ")
    return (
        f"<tr><td>{link}<bdi>{escape(entry.text)}{end}</bdi></a></td><td class=size>{size}</td>"
        f'<td class=date><time datetime="{machine}" title="{machine}">{shown}</time></td></tr>\n'
    )


def _picture(entry: Entry) -> str:
    if entry.folder:
        return "folder"
    kind = media_type(entry.name, "")
    return next((picture for start, picture in PICTURES.items() if kind.startswith(start)), "file")


def _summary(entries: Iterable[Entry]) -> str:
    files = [entry.size for entry in entries if not entry.folder]
    folders = sum(1 for entry in entries if entry.folder)
    parts = [_counted(folders, "folder"), _counted(len(files), "file")]
    words = ", ".join(part for part in parts if part)
    return f"{words}, {human(sum(files))}" if files else words or "This folder is empty."


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""


def human(size: int) -> str:
    """A number of bytes to be read at a glance, in powers of 1024: 1536 is `1.5 KiB`."""
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    if unit == 0:
        return "1 byte" if size == 1 else f"{size} bytes"
    return f"{value:.1f} {UNITS[unit]}" if value < 9.95 else f"{value:.0f} {UNITS[unit]}"
