"""What a mount's section says beside its kind, kept: who may come in, and how answers are dressed.

`Policy` is asked twice for each request of a mount that has one: before its body is read, and before its answer goes
out.  Knows heads and responses; knows nothing of sockets, processes and what is mounted.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol

from forkserver.http.mediatypes import media_type
from forkserver.http.request import Head
from forkserver.http.response import ErrorPage, Response, error_response, without
from forkserver.policy.access import Access
from forkserver.policy.auth import AuthError, credentials_of
from forkserver.policy.compression import Compression, Encode
from forkserver.policy.fields import FieldChanges
from forkserver.policy.guard import Guard, Guarded
from forkserver.policy.rate import Bucket

if TYPE_CHECKING:
    from forkserver.apps.app import App
    from forkserver.config.policy import PolicyOptions

__all__ = ["Encode", "Policy", "PolicyError", "Purse"]


class Purse(Protocol):
    """Where the workers keep what clients have spent, all together."""

    def spend(self, client: str, place: str, now: float, take: Callable[[float, float], tuple[float, float]]) -> float:
        """Have `take(full, now)` say when the bucket of this client at this place is full again; give what it tells."""
        ...


class PolicyError(Exception):
    """What the section says cannot be kept; the text begins with the option."""


class Policy:
    """The rules of one mount."""

    def __init__(self, options: PolicyOptions, place: str) -> None:
        """`place` is the mount's name, by which its clients' buckets are told from those of others.

        PolicyError, whose text begins with the name of the option that is wrong.
        """
        self.options, self.place = options, place
        self.logged = options.access_log
        # Whether it matters who asks: then no answer is given again to whoever sends the same bytes.
        self.personal = bool(options.allow or options.deny or options.rate or options.auth)
        with _of("allow"):
            self._access = Access(options.allow, options.deny) if options.allow or options.deny else None
        with _of("auth_realm"):
            self.guard = Guard(options.auth, options.auth_realm) if options.auth else None
        with _of("headers"):
            self._change = FieldChanges(options.headers) if options.headers else None
        with _of("compress"):
            make = partial(Compression, options.compress, options.compress_types, options.compress_least)
            self._compress = make() if options.compress else None
        rate = options.rate
        self._bucket = Bucket(*rate, options.rate_burst or rate.requests) if rate else None
        self._pages: dict[int, tuple[bytes, str]] = {}  # content and media type, by status
        self._purse: Purse | None = None

    def load(self) -> None:
        """Read the files that the options name.  PolicyError as above."""
        if self.guard:
            with _of("auth"):
                self.guard.users.load()
        for status, path in self.options.pages.items():
            with _of(f"error_{status}"), open(path, "rb") as file:
                self._pages[status] = (file.read(), media_type(os.fsencode(path), "utf-8"))

    def around(self, app: App) -> App:
        """The application as it is to be called: behind a guard, where a password is asked for."""
        return Guarded(app, self.guard) if self.guard else app

    def employ(self, purse: Purse, tell: Callable[[str], None]) -> None:
        """In each worker, before the first request: where rates are counted, and what takes what there is to say."""
        self._purse = purse
        if self.guard:
            self.guard.tell = tell

    def admit(self, head: Head, client: str, now: float) -> Response | None:
        """The refusal of a request whose body was not read yet; None for one that may go on.

        `client` is its address, `now` of the monotonic clock.  A password that was not seen before is left to
        whoever may take the time for it (`Guarded`).
        """
        if self._access is not None and client not in self._access:
            return error_response(403)
        if self._bucket and self._purse:
            wait = self._purse.spend(client, self.place, now, self._bucket.take)
            if wait:
                return error_response(429, "", (("Retry-After", str(math.ceil(wait))),))
        return self.guard.challenge(head, now) if self.guard else None

    def user(self, head: Head) -> str:
        """The name that a client gave, right or wrong, in UTF-8 bytes as latin-1; "" where none is asked for."""
        pair = credentials_of(head) if self.guard else None
        return pair[0].encode().decode("latin-1") if pair else ""

    def alike(self, response: Response) -> bool:
        """Whether this answer always goes out with its own body, whatever the request's fields say."""
        return self._compress is None and not (self._pages and isinstance(response, ErrorPage))

    def dress(self, head: Head | None, response: Response, *, flows: bool) -> tuple[Response, Encode | None]:
        """The response as it is to be sent, and what encodes the pieces of its body, if anything does.

        `flows`: the response's own body is not what will be sent.
        """
        page = self._pages.get(response.status) if isinstance(response, ErrorPage) else None
        dressed = response.with_body(response.body)
        if page:
            dressed.body = page[0]
            dressed.fields = (("Content-Type", page[1]), *without(response.fields, "content-type"))
        encode = self._compress(head, dressed, flows=flows) if self._compress and head else None
        if self._change:
            dressed.fields = self._change(dressed.fields)
        return dressed, encode


@contextmanager
def _of(option: str) -> Iterator[None]:
    """What is wrong here is wrong with this option."""
    try:
        yield
    except (ValueError, AuthError) as error:
        raise PolicyError(f"{option}: {error}") from None
    except OSError as error:
        raise PolicyError(f"{option}: {error.filename}: {error.strerror}") from None
