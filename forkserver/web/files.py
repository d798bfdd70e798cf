"""Files as answers: opened so that no name leads out of its folder, sent whole, in part, or not again.

Knows files, and what RFC 9110 sections 13 and 14 make of a request for one; nothing of handlers.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Mapping

from forkserver.http import ranges
from forkserver.http.conditions import FIELDS, judge, range_holds
from forkserver.http.mediatypes import media_type
from forkserver.http.response import Fields, FileSlice, http_date
from forkserver.web.errors import HTTPError, NotFound

Answer = tuple[int, Fields, "FileSlice | bytes"]  # status, fields that are added, body

# There is nothing of this name, or nothing that may be read: to the client these are one.
_ABSENT = {
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM),
    *(errno.EINVAL, errno.ENXIO, errno.ENODEV),
}
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY  # O_NONBLOCK: nobody waits for the writer of a fifo


class File(io.FileIO):
    """A regular file, open for reading, with what its name, its size and its time say of it."""

    def __init__(self, path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> None:
        """With a `root`, `path` is a name below that folder, which may come from a client.

        NotFound when there is no file of this name, or it lies elsewhere, by .. or by a symbolic link.
        """
        name = os.fspath(path)
        descriptor, status = _opened(name, root)
        super().__init__(descriptor, "rb")
        self.size, self._modified = status.st_size, status.st_mtime
        self.type = media_type(os.fsencode(name), "utf-8")
        self.etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'

    def answer(self, method: str, fields: Mapping[str, str], now: float) -> Answer:
        """What a request with these fields, their names in lower case, is answered with; closed where it is not sent.

        HTTPError 412 or 416, when that is the answer.
        """
        modified = max(0, int(min(self._modified, now)))  # no later than Date: RFC 9110 section 8.8.2.1
        described = (("Last-Modified", http_date(modified)), ("ETag", self.etag), ("Accept-Ranges", "bytes"))
        span = ranges.Span(0, self.size)
        if method in ("GET", "HEAD") and not FIELDS.isdisjoint(fields):
            status = judge(fields, self.etag, modified)
            if status != 200:
                self.close()
                if status == 412:
                    raise HTTPError(412, "The file is not in the state that the request names.")
                return 304, (("ETag", self.etag),), b""
            if method == "GET" and "range" in fields and range_holds(fields, self.etag, modified, now):
                spans = ranges.wanted(fields["range"], self.size)
                if spans == []:
                    self.close()
                    told = {"Content-Range": f"bytes */{self.size}"}
                    raise HTTPError(416, f"The file has {self.size} bytes.", told)
                if spans is not None and len(spans) == 1:  # several may be answered with the whole, section 14.2
                    span = spans[0]
        if span == (0, self.size):
            return 200, described, FileSlice(self, 0, self.size)
        part = ("Content-Range", ranges.content_range(span, self.size))
        return 206, (*described, part), FileSlice(self, span.start, span.stop - span.start)


def _opened(name: str, root: str | os.PathLike[str] | None) -> tuple[int, os.stat_result]:
    """A descriptor of the file, and what it is.  NotFound as above; OSError when descriptors run out."""
    try:
        descriptor = os.open(name if root is None else os.path.join(root, name), _FLAGS)
    except ValueError:  # a NUL
        raise NotFound from None
    except OSError as error:
        if error.errno in _ABSENT:
            raise NotFound from error
        raise
    try:
        status = os.fstat(descriptor)
        # The kernel says where the file in hand really is, whatever the name was made of and meant a moment ago.
        if not stat.S_ISREG(status.st_mode) or (root is not None and not _is_below(root, descriptor)):
            raise NotFound
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status


def _is_below(root: str | os.PathLike[str], descriptor: int) -> bool:
    """Whether an open file lies below a folder, by the true names of both (proc(5), /proc/self/fd)."""
    place = os.readlink(f"/proc/self/fd/{descriptor}")
    return place.startswith(os.path.realpath(root).rstrip("/") + "/")
