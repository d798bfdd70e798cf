"""What a site keeps of a visitor: a small dict, in a cookie that is signed, so that nobody can change it.

It is not secret: whoever has the cookie can read it.  Knows the library itsdangerous; nothing of requests.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from forkserver.web.cookies import Cookie
from forkserver.web.extras import library

SHORTEST = 16  # characters of a secret


class Session(dict[str, Any]):
    """What JSON can hold; what is changed by the end of the request is sent to the visitor."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self._before = json.dumps(values, sort_keys=True)

    @property
    def changed(self) -> bool:
        return json.dumps(self, sort_keys=True) != self._before


@dataclass(frozen=True)
class Sessions:
    """How the sessions of a site are kept."""

    secrets: tuple[str, ...]  # the last one signs, all are believed: so secrets can be replaced
    name: str  # of the cookie
    max_age: int  # seconds after the last change

    @cached_property
    def _signer(self) -> Any:
        """RuntimeError without a secret, MissingLibrary without the library."""
        if not self.secrets:
            raise RuntimeError("sessions are signed: make the site with Site(secret=…)")
        return library("itsdangerous", "sessions").URLSafeTimedSerializer(
            list(self.secrets),
            salt="forkserver.web.session",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def check(self) -> None:
        """Before there are requests.  ValueError for a secret that could be guessed; else as above."""
        if any(len(secret) < SHORTEST for secret in self.secrets):
            raise ValueError(f"a secret has at least {SHORTEST} characters, as secrets.token_hex() has")
        if self.secrets:
            _ = self._signer

    def open(self, cookie: str | None) -> Session:
        """The session of a cookie; an empty one when there is none, or it is not ours, or too old."""
        signer = self._signer
        if cookie:
            try:
                values = signer.loads(cookie, max_age=self.max_age)
            except library("itsdangerous", "sessions").BadData:
                values = {}
            if isinstance(values, dict):
                return Session(values)
        return Session({})

    def cookie(self, session: Session) -> Cookie:
        """What the visitor is given."""
        if session:
            return Cookie(self.name, self._signer.dumps(dict(session)), max_age=self.max_age)
        return Cookie(self.name, "", max_age=0)
