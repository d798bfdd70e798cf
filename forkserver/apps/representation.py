"""What a GET of one URL selects, and every answer that it gives: whole, parts, unchanged, refused (RFC 9110).

Knows files by the Root they lie below; knows nothing of indexes, listings, mounts and memory.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from forkserver.apps.files import Root, Signature, signature
from forkserver.http import ranges
from forkserver.http.conditions import FIELDS, judge, range_holds
from forkserver.http.request import Request
from forkserver.http.response import Fields, FileSlice, Response, error_response


@dataclass(slots=True)
class Representation:
    """The file chosen for a URL and a set of content codings, with the fields that describe it.

    `content` is None where the file is too large to be kept.  `watched` are the paths by which it was found
    and what they were like: the file, its precompressed neighbours, and their folder, whose own change shows
    that a name came or went.  `settled` is false while one of them is so new that a further change might
    leave the same time behind.  `checked` is when all that was last known to hold, in seconds since the
    epoch.
    """

    root: Root
    name: bytes
    known: Signature
    etag: str
    modified: int  # Last-Modified, seconds since the epoch
    fields: Fields  # those of a 200, Content-Type first
    brief: Fields  # those of a 304
    content: bytes | None = field(repr=False)
    watched: tuple[tuple[bytes, Signature], ...]
    settled: bool
    checked: float

    def unchanged(self) -> bool:
        """Whether the same request would select the same bytes again; costs one stat(2) a watched path."""
        try:
            return all(signature(os.stat(path)) == was for path, was in self.watched)
        except OSError:  # gone, or out of reach: the next request will find out what is there instead
            return False

    def answer(self, request: Request) -> Response:
        """The answer to a GET or HEAD; raises Changed and Missing where a large file is not what it was."""
        values = request.head.fields.values
        method = request.head.line.method
        if FIELDS.isdisjoint(values):
            return self._whole(method)
        status = judge(values, self.etag, self.modified)
        if status == 304:
            return Response(304, self.brief, b"", None, self._still())
        if status == 412:
            return error_response(412, "The file is not in the state that the request names.")
        if method == "GET" and "range" in values and range_holds(values, self.etag, self.modified, request.now):
            spans = ranges.wanted(values["range"], self.known.size)
            if spans is not None:
                return self._parts(spans)
        return self._whole(method)

    def _still(self) -> Callable[[], bool] | None:
        return self.unchanged if self.settled else None

    def _whole(self, method: str) -> Response:
        content = self.content
        if content is not None:
            return Response(200, self.fields, content, None, self._still())
        if method == "HEAD":  # only the length is wanted, which is no reason to open the file
            return Response(200, self.fields, iter(()), self.known.size, self._still())
        (body,) = self._slices([ranges.Span(0, self.known.size)])
        return Response(200, self.fields, body)

    def _parts(self, spans: list[ranges.Span]) -> Response:
        size = self.known.size
        if not spans:
            return error_response(416, f"The file has {size} bytes.", (("Content-Range", f"bytes */{size}"),))
        if len(spans) == 1:
            fields: Fields = (*self.fields, ("Content-Range", ranges.content_range(spans[0], size)))
            return self._part(fields, self._slices(spans))
        boundary = secrets.token_hex(12)
        fields = (("Content-Type", f"multipart/byteranges; boundary={boundary}"), *self.fields[1:])
        *before, end = ranges.separators(spans, size, self.fields[0][1], boundary)
        pairs = zip(before, self._slices(spans), strict=True)
        return self._part(fields, (*(piece for pair in pairs for piece in pair), end))

    def _part(self, fields: Fields, pieces: Iterable[bytes | FileSlice]) -> Response:
        body = tuple(pieces)
        if self.content is None:
            return Response(206, fields, body if len(body) > 1 else body[0])
        return Response(206, fields, b"".join(piece for piece in body if isinstance(piece, bytes)), None, self._still())

    def _slices(self, spans: list[ranges.Span]) -> list[bytes | FileSlice]:
        """The bytes of each span; slices of a large file share one descriptor."""
        if self.content is not None:
            return [self.content[start:stop] for start, stop in spans]
        file = self.root.open_again(self.name, self.known)
        file.holders = len(spans)
        return [FileSlice(file, start, stop - start) for start, stop in spans]
