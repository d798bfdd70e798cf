"""Files below a root, found so that no name, link or race leads out, and nothing but files is ever opened.

A name is judged three times: as text, before the file system sees it; by what it leads to, which an O_PATH
descriptor tells without opening it (open(2)); and by where that really is, which the kernel tells for the
descriptor in hand (proc(5), /proc/self/fd).  Only then is that very thing opened, through its descriptor, so
that a name which means something else by now changes nothing.  Knows nothing of HTTP.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from typing import NamedTuple

# Not to be asked for: control bytes, backslashes, and "." and ".." as a segment, whoever looked before.
_UNFIT = re.compile(rb"[\x00-\x1f\x7f\\]|(?:^|/)\.\.?(?:/|$)")
_HIDDEN = re.compile(rb"(?:^|/)\.(?!well-known(?:/|$))")  # RFC 8615 keeps /.well-known/ for public things
_SLASHES = re.compile(rb"//+")

# A name that is not there, leads nowhere or may not be read.  All are one to the client: a refusal would tell
# what exists.
_ABSENT = {
    *(errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM),
    *(errno.EINVAL, errno.EILSEQ, errno.ENXIO, errno.ENODEV, errno.ESTALE),
}


class Missing(Exception):  # noqa: N818 - a fact, not a fault
    """There is nothing to be seen under this name."""


class Changed(Exception):  # noqa: N818 - a fact, not a fault
    """The file is no longer the one that was looked at."""


class Signature(NamedTuple):
    """What changes when a file's content, rights or identity change, or the entries of a folder (stat(2))."""

    device: int
    inode: int
    modified: int  # nanoseconds since the epoch, as is `changed`
    changed: int
    size: int
    mode: int


def signature(status: os.stat_result) -> Signature:
    """The signature of what was looked at."""
    return Signature(
        status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_mode
    )


def plain_name(path: str) -> bytes:
    """The name below a root that a decoded URL path (latin-1) stands for: without slashes too many."""
    return _SLASHES.sub(b"/", path.encode("latin-1")).strip(b"/")


class Place:
    """A regular file or a folder that may be seen, held but not opened; to be used in a `with` statement."""

    __slots__ = ("descriptor", "name", "status")

    def __init__(self, descriptor: int, name: bytes, status: os.stat_result) -> None:
        self.descriptor = descriptor
        self.name = name
        self.status = status

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    def open(self) -> int:
        """A descriptor for reading it, for the caller to close; raises Missing when rights forbid that."""
        try:
            return os.open(b"/proc/self/fd/%d" % self.descriptor, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            raise _judged(error) from error

    def close(self) -> None:
        """Let it go."""
        os.close(self.descriptor)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Root:
    """A folder, and which of the things below it may be seen.

    `path` is looked up anew each time: where it is a link that a deployment swaps, the new site is served at
    once.  `symlinks`: "inside" follows links that end below the root, "all" any, "none" none below the root.
    `hidden`: whether names that begin with a dot are seen; `.well-known` always is.
    """

    path: bytes
    symlinks: str
    hidden: bool

    def admits(self, name: bytes) -> bool:
        """Whether the text of a name below this root allows that it be asked for."""
        return not _UNFIT.search(name) and (self.hidden or not _HIDDEN.search(name))

    def path_of(self, name: bytes) -> bytes:
        """The path by which to watch a thing that `find` has found."""
        return self.path + b"/" + name if name else self.path

    def find(self, name: bytes) -> Place:
        """What a `plain_name` stands for; raises Missing, and OSError when descriptors run out."""
        if not self.admits(name):
            raise Missing
        try:
            descriptor, below = self._hold(name)
        except OSError as error:
            raise _judged(error) from error
        try:
            status = os.fstat(descriptor)
            if not self._visible(name, below, status):
                raise Missing
        except BaseException:
            os.close(descriptor)
            raise
        return Place(descriptor, name, status)

    def open_again(self, name: bytes, known: Signature) -> Opened:
        """Open the very file that `find` has found under this name, at less cost; raises Changed if it is not.

        What was a file a moment ago is opened by its name; should that mean a fifo by now, nobody waits for it.
        """
        try:
            file = Opened(os.open(self.path_of(name), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC))
        except OSError as error:
            raise Changed() if absence(error) else error from error
        return file.if_still(known)

    def _hold(self, name: bytes) -> tuple[int, bytes | None]:
        """An O_PATH descriptor of `name`, and its true name below the root; None when it lies elsewhere."""
        root = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            descriptor = os.open(name or b".", os.O_PATH | os.O_CLOEXEC, dir_fd=root)
            try:
                return descriptor, _below(_place(root), _place(descriptor))
            except BaseException:
                os.close(descriptor)
                raise
        finally:
            os.close(root)

    def _visible(self, name: bytes, below: bytes | None, status: os.stat_result) -> bool:
        served = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
        if not served or status.st_nlink == 0:  # a deleted file has no place any more
            return False
        if self.symlinks == "all":
            return True
        if self.symlinks == "none":
            return below == name
        return below is not None and (self.hidden or not _HIDDEN.search(below))


def _place(descriptor: int) -> bytes:
    return os.readlink(b"/proc/self/fd/%d" % descriptor)


def _below(root: bytes, place: bytes) -> bytes | None:
    if place == root:
        return b""
    prefix = root.rstrip(b"/") + b"/"
    return place[len(prefix) :] if place.startswith(prefix) else None


def absence(error: OSError) -> bool:
    """Whether a system call failed because there is nothing to be seen, rather than for want of means."""
    return error.errno in _ABSENT


def _judged(error: OSError) -> Exception:
    return Missing() if absence(error) else error


class Opened:
    """An open file: as much of a file object as sending it takes, at a third of the cost.

    It may have several holders, such as the parts of one answer; the last to close it does.
    """

    __slots__ = ("descriptor", "holders")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.holders = 1

    def fileno(self) -> int:
        return self.descriptor

    def close(self) -> None:
        self.holders -= 1
        if self.holders == 0:
            os.close(self.descriptor)

    def if_still(self, known: Signature) -> Opened:
        """Itself; closed, and Changed raised, when it is no longer as `known`."""
        if signature(os.fstat(self.descriptor)) != known:
            self.close()
            raise Changed
        return self


def open_same(place: Place, known: Signature) -> Opened:
    """The file at `place`, open for reading; raises Missing, and Changed when it is no longer as `known`."""
    return Opened(place.open()).if_still(known)


def read_same(place: Place, known: Signature) -> bytes:
    """The whole content of a small file; raises Changed when it changed before or meanwhile, and Missing."""
    file = open_same(place, known)
    try:
        content = os.pread(file.descriptor, place.status.st_size + 1, 0)
        if len(content) != place.status.st_size or signature(os.fstat(file.descriptor)) != known:
            raise Changed
    finally:
        file.close()
    return content
