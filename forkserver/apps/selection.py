"""Which file answers for a name, itself or a precompressed neighbour that the client can decode; its fields.

Knows files and the fields that describe them; knows nothing of requests but the codings that they take.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from forkserver.apps.files import Missing, Place, Root, Signature, open_same, read_same, signature
from forkserver.apps.representation import Representation
from forkserver.http.mediatypes import media_type
from forkserver.http.response import Fields, http_date

SMALL = 128 << 10  # bytes; a larger file is not read into memory but left to the kernel to send
SETTLED = 2.0  # seconds; the coarsest clock that file systems stamp changes with (FAT) has that grain

SUFFIXES = {"br": b".br", "zstd": b".zst", "gzip": b".gz"}  # coding: the ending of a file's name
NOSNIFF = ("X-Content-Type-Options", "nosniff")


@dataclass(frozen=True, slots=True)
class Manner:
    """How the files of one mount are shown: where they are, and the options that shape their fields."""

    root: Root
    charset: str
    cache_control: str
    precompressed: bool


def represent(manner: Manner, place: Place, wanted: Iterable[str], now: float) -> Representation:
    """The representation of the file at `place` for a client that takes the codings `wanted`, the best first.

    Raises Missing when the file may not be read, Changed when it is being written, OSError when descriptors
    run out.
    """
    root = manner.root
    folder = os.path.dirname(root.path_of(place.name))
    with ExitStack() as held:
        entries = signature(os.stat(folder))  # before the neighbours: one that comes meanwhile is noticed later
        neighbours = _neighbours(root, place, held) if manner.precompressed else {}
        watched = [(root.path_of(one.name), signature(one.status)) for one in (place, *neighbours.values())]
        watched.append((folder, entries))
        fresh = {coding: one for coding, one in neighbours.items() if _modified(one) >= _modified(place)}
        coding = next((one for one in wanted if one in fresh), "")
        chosen = fresh.get(coding, place)
        known = signature(chosen.status)
        content = _content(chosen, known)
    etag = f'"{known.modified:x}-{known.size:x}{"-" if coding else ""}{coding}"'
    modified = max(0, int(min(chosen.status.st_mtime, now)))  # no later than Date: RFC 9110 section 8.8.2.1
    about = _about(manner, varies=bool(fresh))
    described = (
        ("Content-Type", media_type(place.name, manner.charset)),
        *((("Content-Encoding", coding),) if coding else ()),
        ("Last-Modified", http_date(modified)),
        ("ETag", etag),
        ("Accept-Ranges", "bytes"),
        *about,
        NOSNIFF,
    )
    return Representation(
        root=root,
        name=chosen.name,
        known=known,
        etag=etag,
        modified=modified,
        fields=described,
        brief=(("ETag", etag), *about),
        content=content,
        watched=tuple(watched),
        settled=_settled(watched, now),
        checked=now,
    )


def _about(manner: Manner, *, varies: bool) -> Fields:
    """What caches are to know, of a 304 too (RFC 9110 section 15.4.5)."""
    return (
        *((("Vary", "Accept-Encoding"),) if varies else ()),
        *((("Cache-Control", manner.cache_control),) if manner.cache_control else ()),
    )


def _neighbours(root: Root, place: Place, held: ExitStack) -> Mapping[str, Place]:
    """The precompressed files beside `place` by their coding, to be let go by `held`."""
    found = {}
    for coding, suffix in SUFFIXES.items():
        name = place.name + suffix
        if not os.access(root.path_of(name), os.R_OK):  # one cheap call tells most of those that are not there
            continue
        try:
            neighbour = held.enter_context(root.find(name))
        except Missing:  # a link that leads out, say: the plain file will do
            continue
        if not neighbour.is_folder:
            found[coding] = neighbour
    return found


def _modified(place: Place) -> int:
    return place.status.st_mtime_ns


def _content(place: Place, known: Signature) -> bytes | None:
    if known.size <= SMALL:
        return read_same(place, known)
    open_same(place, known).close()  # whether it can be read is to be known before anything is promised
    return None


def _settled(watched: Iterable[tuple[bytes, Signature]], now: float) -> bool:
    """Whether all that is watched last changed so long ago that another change must bear another time."""
    return all(now - known.changed / 1e9 > SETTLED for _, known in watched)
