"""Who may come in, by name and password: Basic authentication (RFC 7617) against a file of htpasswd(1).

Hashes are the work of a library, and made to be slow: a password is looked at by whoever may take its time, and one
that was right is known again by a digest of its own for a while.  Knows heads; knows nothing of addresses.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
from functools import lru_cache
from typing import Any

from forkserver.http.memo import Memo
from forkserver.http.request import Head

_BASIC = re.compile(r"[Bb][Aa][Ss][Ii][Cc] +([A-Za-z0-9+/_-]+={0,2})")
SCHEMES = ("bcrypt", "apr_md5_crypt", "ldap_sha1", "sha256_crypt", "sha512_crypt")  # of htpasswd(1), but for plain text
KNOWN = 1024  # pairs of name and password that were right
LONGEST = 1024  # characters of a pair that is looked at


class AuthError(Exception):
    """The users cannot be known; the text says why."""


@lru_cache(1024)
def credentials(text: str | None) -> tuple[str, str] | None:
    """Name and password of an Authorization field; None for what is none of ours (RFC 7617 section 2)."""
    found = _BASIC.fullmatch(text or "") if len(text or "") <= LONGEST else None
    if not found:
        return None
    try:
        pair = base64.b64decode(found[1]).decode()  # what our challenge asks for: charset UTF-8 (section 2.1)
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = pair.partition(":")
    return (name, password) if colon and pair.isprintable() else None


def credentials_of(head: Head) -> tuple[str, str] | None:
    """Those of a request."""
    return credentials(head.fields.values.get("authorization"))


class Users:
    """The users of one file, which is read anew when it changes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._salt = secrets.token_bytes(16)
        self._version: tuple[int, ...] = ()
        self._hashes: dict[str, str] = {}
        self._right: Memo[bytes, bool] = Memo(KNOWN, KNOWN * 32)
        self._context: Any = None

    def load(self) -> None:
        """AuthError without the library, and for a file that cannot be used."""
        try:
            from passlib.context import CryptContext  # noqa: PLC0415 - optional, and slow to come
        except ImportError:
            raise AuthError("passwords need libraries that are not here: pip install forkserverd[auth]") from None
        self._context = CryptContext(list(SCHEMES))
        self._read()

    def _read(self) -> None:
        """AuthError when the file cannot be read, or holds what htpasswd does not write."""
        try:
            with open(self.path, encoding="utf-8") as file:
                version, lines = _version(os.fstat(file.fileno())), file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise AuthError(f"{self.path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
        found = {}
        for number, line in enumerate(lines, 1):
            if not line or line.startswith("#"):
                continue
            name, _, hashed = line.partition(":")
            if not self._context.identify(hashed):
                raise AuthError(f"{self.path}:{number}: not NAME:HASH with a hash of bcrypt, apr1 or SHA")
            found[name] = hashed
        self._hashes, self._version = found, version
        self._right = Memo(KNOWN, KNOWN * 32)

    def refresh(self) -> None:
        """Look whether the file has changed.  AuthError when it has, and cannot be used: what was read before holds."""
        try:
            version = _version(os.stat(self.path))
        except OSError as error:
            raise AuthError(f"{self.path}: {error.strerror}") from None
        if version != self._version:
            self._version = version  # told once for each change
            self._read()

    def known(self, pair: tuple[str, str]) -> bool:
        """Whether this very pair was found to be right since the file last changed; quick."""
        return self._right.get(self._digest(pair)) is not None

    def check(self, pair: tuple[str, str]) -> bool:
        """Whether the pair is right; takes its time, and as much of it for a name that is not there."""
        name, password = pair
        hashed = self._hashes.get(name) or next(iter(self._hashes.values()), None)
        try:
            right = bool(hashed and self._context.verify(password, hashed)) and name in self._hashes
        except ValueError:  # a password that the hash cannot have been made of, such as one too long for bcrypt
            right = False
        if right:
            self._right.put(self._digest(pair), True)
        return right

    def _digest(self, pair: tuple[str, str]) -> bytes:
        return hashlib.blake2b("\0".join(pair).encode(), key=self._salt, digest_size=32).digest()


def _version(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_ino, status.st_size, status.st_mtime_ns)
