"""Answers that are raised: statuses of RFC 9110 section 15 as exceptions.

Knows statuses; nothing of pages, which are made by whoever catches these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")  # in the order that an Allow field tells them


class HTTPError(Exception):
    """`raise HTTPError(409, "That name is taken.")`: the request is answered with this status.

    `detail` is plain text for the person who asked; `headers` are added to the answer.
    """

    def __init__(self, status: int, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        """ValueError for a status that is no error."""
        if not 400 <= status <= 599:
            raise ValueError(f"{status} is no status of an error")
        super().__init__(status, detail)
        self.status, self.detail = status, detail
        self.headers: dict[str, str] = dict(headers or {})

    def __str__(self) -> str:
        return f"{self.status} {self.detail}".rstrip()


class _Named(HTTPError):
    """One whose class says which it is: `raise NotFound("There is no such entry.")`."""

    code: ClassVar[int]

    def __init__(self, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(self.code, detail, headers)


class BadRequest(_Named):
    """What was sent cannot be understood."""

    code = 400


class Forbidden(_Named):
    """It is understood, and not allowed."""

    code = 403


class NotFound(_Named):
    """There is nothing at this address."""

    code = 404


class MethodNotAllowed(HTTPError):
    """There is something, which cannot be asked in this way; `allow` are the methods that it knows."""

    def __init__(self, allow: Iterable[str]) -> None:
        super().__init__(405, headers={"Allow": allowed(allow)})


class Conflict(_Named):
    """It does not go together with the present state of what it is about."""

    code = 409


class Gone(_Named):
    """There was something, and there will not be again."""

    code = 410


class ContentTooLarge(_Named):
    """More was sent than is taken."""

    code = 413


class UnsupportedMediaType(_Named):
    """What was sent is of a type that is not taken."""

    code = 415


class UnprocessableContent(_Named):
    """What was sent could be read, and makes no sense."""

    code = 422


class MissingValue(BadRequest, KeyError):
    """A query, a form or the cookies lack a name: a KeyError, and 400 when nobody catches it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The value “{name}” is missing.")


def allowed(methods: Iterable[str]) -> str:
    """The value of an Allow field (RFC 9110 section 10.2.1): what GET knows HEAD does, and OPTIONS always."""
    known = {*methods, "OPTIONS"}
    if "GET" in known:
        known.add("HEAD")
    return ", ".join([*filter(known.__contains__, METHODS), *sorted(known.difference(METHODS))])
