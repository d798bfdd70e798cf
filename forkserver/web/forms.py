"""What a form has sent: its values, and its files, which lie on disk where they are large.

Knows the two encodings of forms (WHATWG HTML section 4.10.21); nothing of requests.

Multipart bodies are read by the library `multipart`, rather than by `python-multipart`: it does one thing, has a parser
that is handed bytes and does not decide where they are kept, bounds for every number and size, a strict mode, and runs
on every Python that we do.  The other one calls back, leaves limits to its user and needs a newer Python.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any, BinaryIO
from urllib.parse import parse_qsl

from forkserver.web.errors import BadRequest, ContentTooLarge, MissingValue
from forkserver.web.extras import library
from forkserver.web.values import Values

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
PORTION = 64 << 10  # bytes read at a time

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Limits:
    """What a request may weigh; the server's own limit of bodies counts first."""

    body: int = 16 << 20  # bytes, where another server than forkserver calls the site; beyond: 413
    text: int = 1 << 20  # bytes of all values of a form, which are in memory; beyond: 413
    parts: int = 200  # values and files of a form, or values of a query; beyond: 413, or 400
    memory: int = 256 << 10  # bytes up to which an uploaded file stays in memory


class Upload:
    """A file that was sent with a form; it is there until the handler has returned."""

    def __init__(self, name: str, type: str, file: IO[bytes], size: int) -> None:  # noqa: A002
        self.name = name  # as the client calls it, without folders: to be shown, never to be opened
        self.type = type  # as the client says: anybody can say anything
        self.file = file  # open for reading, binary, at its beginning
        self.size = size  # bytes

    def __repr__(self) -> str:
        return f"Upload({self.name!r}, {self.type!r}, {self.size} bytes)"

    def read(self, size: int = -1) -> bytes:
        """From where the file stands."""
        return self.file.read(size)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all of it into a new file; FileExistsError when there is one already."""
        self.file.seek(0)
        with open(path, "xb") as target:
            shutil.copyfileobj(self.file, target)


class Uploads(Mapping[str, Upload]):
    """The files of a form by the name of their field; `all(name)` are those of a field that took several."""

    def __init__(self, pairs: list[tuple[str, Upload]]) -> None:
        self._pairs = pairs

    def __getitem__(self, name: str) -> Upload:
        for other, upload in self._pairs:
            if other == name:
                return upload
        raise MissingValue(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(dict(self._pairs))

    def all(self, name: str) -> list[Upload]:
        """Every file of a field, in the order sent."""
        return [upload for other, upload in self._pairs if other == name]


@dataclass(frozen=True)
class Form:
    """What a form has sent."""

    values: Values
    uploads: Uploads

    def close(self) -> None:
        """Let its files go."""
        for _, upload in self.uploads._pairs:
            upload.file.close()


NOTHING = Form(Values(), Uploads([]))


def parse_query(text: str, limits: Limits) -> Values:
    """The values of a query, or of an urlencoded form.  BadRequest when they are too many."""
    try:
        return Values(parse_qsl(text, keep_blank_values=True, max_num_fields=limits.parts))
    except ValueError:
        raise BadRequest(f"There are more than {limits.parts} values.") from None


def parse_urlencoded(body: bytes, limits: Limits) -> Form:
    """BadRequest, ContentTooLarge."""
    if len(body) > limits.text:
        raise ContentTooLarge(f"The form has more than {limits.text} bytes.")
    return Form(parse_query(body.decode("utf-8", "replace"), limits), Uploads([]))


def parse_multipart(content_type: str, body: BinaryIO, limits: Limits) -> Form:
    """BadRequest, ContentTooLarge; MissingLibrary when there is none that reads it."""
    multipart = library("multipart", "forms with files")
    values: list[tuple[str, str]] = []
    uploads: list[tuple[str, Upload]] = []
    room = limits.text
    with ExitStack() as opened:
        try:
            for name, filename, kind, file, size in _parts(multipart, content_type, body, limits, opened):
                if filename is None:
                    room -= size
                    if room < 0:
                        raise ContentTooLarge(f"The values of the form have more than {limits.text} bytes.")
                    values.append((name, file.read().decode("utf-8", "replace")))
                    file.close()
                elif filename or size:
                    uploads.append((name, Upload(_last_part(filename), kind or "", file, size)))
                else:  # a browser sends a field where no file was chosen, too
                    file.close()
        except multipart.ParserLimitReached as error:
            raise ContentTooLarge("The form has too many parts, or one is too large.") from error
        except multipart.MultipartError as error:
            raise BadRequest("The form cannot be read.") from error
        opened.pop_all()
    return Form(Values(values), Uploads(uploads))


def _parts(
    multipart: Any, content_type: str, body: BinaryIO, limits: Limits, opened: ExitStack
) -> Iterator[tuple[str, str | None, str | None, IO[bytes], int]]:
    """(name, file name, type, content, bytes of it) of each part; the contents are entered in `opened`."""
    _, parameters = multipart.parse_options_header(content_type)
    with multipart.PushMultipartParser(
        parameters.get("boundary", ""), max_segment_count=limits.parts, strict=True
    ) as parser:
        while not parser.closed:
            for event in parser.parse(body.read(PORTION)):
                if isinstance(event, multipart.MultipartSegment):
                    part = event
                    file = tempfile.SpooledTemporaryFile(limits.memory)  # noqa: SIM115 - `opened` closes it
                    opened.push(file)
                elif event:
                    file.write(event)
                else:
                    file.seek(0)
                    yield part.name, part.filename, part.content_type, file, part.size


def _last_part(name: str) -> str:
    """A file's name without the folders that some clients tell, and without control characters."""
    return _CONTROL.sub("", re.split(r"[/\\]", name)[-1])
