"""The kind `static`: a folder of files, and which answer each path below its mount is given.

What is remembered, what a folder shows, where a slash is missing: the rest is told by the files beside it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from forkserver.apps import listing
from forkserver.apps.app import AppError
from forkserver.apps.cache import Cache
from forkserver.apps.files import Changed, Missing, Place, Root, absence, plain_name
from forkserver.apps.representation import Representation
from forkserver.apps.selection import Manner, represent
from forkserver.config.converters import boolean, choice, existing_folder, size, text
from forkserver.config.converters import listing as several
from forkserver.config.options import option
from forkserver.http.codings import acceptable
from forkserver.http.request import Request
from forkserver.http.response import Response, error_response

RECHECK = 1.0  # seconds for which a remembered file is not looked at again
TRIES = 3  # times that a file which is being written is looked at anew before the client is put off
OVERHEAD = 2048  # bytes of memory that a remembered file takes beside its content
ALLOW = ("Allow", "GET, HEAD, OPTIONS")

# What a query may hold besides letters and digits (RFC 3986 section 3.4); "%" begins what is encoded already.
IN_QUERY = "!$&'()*+,;=:@/?%"

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


@dataclass(frozen=True)
class StaticOptions:
    """The options of a section of this kind."""

    static: str = option(None, existing_folder, "Folder whose files are served.")
    index: tuple[str, ...] = option(
        "index.html", several(text), "Files that answer for their folder, the first one found."
    )
    listing: bool = option("no", boolean, "Whether a folder without such a file shows what is in it.")
    hidden: bool = option("no", boolean, "Whether names that begin with a dot are served; .well-known always is.")
    symlinks: str = option(
        "inside",
        choice("inside", "all", "none"),
        "Symbolic links that are followed: inside (the folder), all or none.",
    )
    cache_control: str = option("", text, "Cache-Control of every file, such as max-age=3600; empty: none.")
    charset: str = option("utf-8", text, "Encoding that text files are declared to have; empty: none.")
    precompressed: bool = option(
        "yes", boolean, "Whether NAME.br, NAME.zst or NAME.gz is sent for NAME where it can be."
    )
    memory: int = option("32M", size, "Memory of each worker for small files that are often asked for; 0: none.")


class Static:
    """A folder of files on the web."""

    Options = StaticOptions
    methods = frozenset({"GET", "HEAD", "OPTIONS"})
    reads_body = False
    blocking = False

    def __init__(self, options: StaticOptions, prefix: str) -> None:
        """`prefix` is the mount's, without a slash at its end."""
        root = Root(os.fsencode(os.path.abspath(options.static)), options.symlinks, options.hidden)
        self.options = options
        self.prefix = prefix
        self.root = root
        self.manner = Manner(root, options.charset, options.cache_control, options.precompressed)
        self._indexes = tuple(map(os.fsencode, options.index))
        self._kept: Cache[tuple[str, tuple[str, ...]], Representation] = Cache(options.memory)

    def load(self) -> None:
        """Raises AppError when the folder cannot be served."""
        if any(b"/" in name or not self.root.admits(name) for name in self._indexes):
            raise AppError(f"index: not the plain names of files to be seen: {', '.join(self.options.index)}")
        try:
            with self.root.find(b"") as folder:
                entered = os.access(b"/proc/self/fd/%d" % folder.descriptor, os.X_OK)
        except (Missing, OSError) as error:
            raise AppError(f"no folder to be entered, or no /proc: {self.options.static}") from error
        if not entered:
            raise AppError(f"no right to enter the folder {self.options.static}")

    def close(self) -> None:
        """Lets the remembered files go."""
        self._kept.clear()

    def respond(self, request: Request) -> Response:
        """The answer to a GET, HEAD or OPTIONS of a path below the mount."""
        line = request.head.line
        if line.method == "OPTIONS":
            return Response(204, (ALLOW,))
        if "%" in line.raw_path and "%2f" in line.raw_path.lower():  # a slash that is data is in no file's name
            return _missing()
        codings = acceptable(request.head.fields.values.get("accept-encoding")) if self.options.precompressed else ()
        try:
            return self._answer(request, (_one_name(request.path), codings))
        except Missing:
            return _missing(partial(self._lacks, plain_name(request.path)))
        except OSError as error:
            if error.errno in _EXHAUSTED:
                return _later("The server is too busy to open the file.")
            if absence(error):  # it went away between two looks
                return _missing()
            raise

    def _answer(self, request: Request, key: tuple[str, tuple[str, ...]]) -> Response:
        for _ in range(TRIES):
            try:
                found = self._kept.get(key)
                if found is not None and (
                    0 <= request.now - found.checked < RECHECK or self._holds(found, key, request)
                ):
                    return found.answer(request)
                selected = self._look_up(request, key)
                return selected if isinstance(selected, Response) else selected.answer(request)
            except Changed:
                self._kept.drop(key)
        return _later("The file is being written.")

    def _lacks(self, name: bytes) -> bool:
        """Whether there still is nothing under this name; a folder without an index may get one, so it is not it."""
        try:
            self.root.find(name).close()
        except Missing:
            return True
        except OSError:  # no means to look: the next request will find out
            return False
        return False

    def _holds(self, found: Representation, key: tuple[str, tuple[str, ...]], request: Request) -> bool:
        """Whether what is remembered is still so; if it is, it may be relied on for a while."""
        if not found.unchanged():
            return False
        found.checked = request.now
        self._kept.touch(key)
        return True

    def _look_up(self, request: Request, key: tuple[str, tuple[str, ...]]) -> Representation | Response:
        """What the path stands for by now, from the file system; remembered when it is a file."""
        name = plain_name(request.path)
        with self.root.find(name) as place:
            if place.is_folder:
                return self._folder(request, key, place)
            if request.path.endswith("/"):
                raise Missing
            return self._remember(request, key, place)

    def _folder(self, request: Request, key: tuple[str, tuple[str, ...]], folder: Place) -> Representation | Response:
        """A folder's index, its listing, or the way to its slash.

        One that has nothing to show is missing (404), with and without its slash: a refusal (403) or a redirect
        would tell that it exists.
        """
        index = self._index(folder)
        if index is None and not self.options.listing:
            raise Missing
        with index or nullcontext():
            if not request.path.endswith("/"):
                return _with_slash(request)
            if index is None:
                return listing.respond(self.root, folder, request)
            return self._remember(request, key, index)

    def _index(self, folder: Place) -> Place | None:
        prefix = folder.name + b"/" if folder.name else b""
        for name in self._indexes:
            try:
                place = self.root.find(prefix + name)
            except Missing:
                continue
            if not place.is_folder:
                return place
            place.close()
        return None

    def _remember(self, request: Request, key: tuple[str, tuple[str, ...]], place: Place) -> Representation:
        made = represent(self.manner, place, key[1], request.now)
        if made.settled:
            self._kept.put(key, made, OVERHEAD + len(key[0]) + len(made.content or b""))
        return made


def _one_name(path: str) -> str:
    """The path without slashes too many, so that nobody makes a file fill our memory under many names."""
    if "//" not in path:
        return path
    name = plain_name(path).decode("latin-1")
    return f"/{name}/" if name and path.endswith("/") else f"/{name}"


def _with_slash(request: Request) -> Response:
    """The redirect of a folder to its name with a slash.

    The path is written anew from the name that was found, with one slash at its start: nothing that a client
    sends can make it the name of another host (`//elsewhere/`).
    """
    name = quote(plain_name(request.script + request.path))
    location = f"/{name}/" if name else "/"
    query = request.head.line.query
    return Response(301, (("Location", location + ("?" + quote(query, safe=IN_QUERY) if query else "")),))


def _missing(still: Callable[[], bool] | None = None) -> Response:
    response = error_response(404)
    response.still = still
    return response


def _later(why: str) -> Response:
    return error_response(503, why, (("Retry-After", "1"),))
