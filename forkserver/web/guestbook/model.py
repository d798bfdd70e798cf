"""What a guestbook keeps: entries in a database, and their pictures in a folder beside it.

Knows SQL and files; nothing of requests and pages.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from contextlib import closing, suppress
from typing import IO, NamedTuple

SCHEMA = """
PRAGMA journal_mode = WAL;    -- who reads and who writes do not wait for one another, in whichever process they are
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,    -- never given again: whoever wrote the old one would own the new one
    name TEXT NOT NULL, text TEXT NOT NULL, picture TEXT NOT NULL, written INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS secret (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL);
"""
LONGEST = {"name": 60, "text": 2000}  # characters
LARGEST = 5 << 20  # bytes of a picture
BEGINNINGS = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png", b"GIF87a": ".gif", b"GIF89a": ".gif"}


class Entry(NamedTuple):
    """What one visitor has written; `picture` is the name of a file, or ""."""

    id: int
    name: str
    text: str
    picture: str
    written: int  # seconds since the epoch

    def date(self, form: str) -> str:
        """When it was written, as `time.strftime` has it, in UTC."""
        return time.strftime(form, time.gmtime(self.written))


class Guestbook:
    """The guestbook of a folder, which is made when it is not there."""

    def __init__(self, folder: str) -> None:
        self.pictures = os.path.join(folder, "pictures")
        self._file = os.path.join(folder, "guestbook.sqlite")
        self._mine = threading.local()  # a connection is one thread's, and opened by the process that uses it
        os.makedirs(self.pictures, exist_ok=True)
        with closing(sqlite3.connect(self._file)) as connection:
            connection.executescript(SCHEMA)

    @property
    def _connection(self) -> sqlite3.Connection:
        if not hasattr(self._mine, "connection"):
            self._mine.connection = sqlite3.connect(self._file)
        connection: sqlite3.Connection = self._mine.connection
        return connection

    def secret(self) -> str:
        """The same for every process that ever asks; made by the first."""
        with closing(sqlite3.connect(self._file)) as connection, connection:
            connection.execute("INSERT OR IGNORE INTO secret VALUES (1, ?)", (secrets.token_hex(32),))
            return str(connection.execute("SELECT value FROM secret").fetchone()[0])

    def entries(self, page: int, size: int) -> tuple[list[Entry], bool]:
        """The entries of a page, the newest first, and whether there are older ones; the first page is 1."""
        query = "SELECT * FROM entry ORDER BY id DESC LIMIT ? OFFSET ?"
        found = [Entry(*row) for row in self._connection.execute(query, (size + 1, (page - 1) * size))]
        return found[:size], len(found) > size

    def entry(self, number: int) -> Entry | None:
        """One entry."""
        row = self._connection.execute("SELECT * FROM entry WHERE id = ?", (number,)).fetchone()
        return Entry(*row) if row else None

    def add(self, name: str, text: str, picture: str) -> int:
        """Keep a new entry; its number."""
        with self._connection as connection:
            query = "INSERT INTO entry (name, text, picture, written) VALUES (?, ?, ?, ?)"
            return connection.execute(query, (name, text, picture, int(time.time()))).lastrowid or 0

    def change(self, entry: Entry, name: str, text: str, picture: str) -> None:
        """Put other words in place of an entry's, and another picture unless that is ""."""
        with self._connection as connection:
            query = "UPDATE entry SET name = ?, text = ?, picture = ? WHERE id = ?"
            connection.execute(query, (name, text, picture or entry.picture, entry.id))
        if picture:
            self._discard(entry.picture)

    def remove(self, entry: Entry) -> None:
        """Forget an entry, and then its picture: in this order nobody is shown an entry whose picture is missing."""
        with self._connection as connection:
            connection.execute("DELETE FROM entry WHERE id = ?", (entry.id,))
        self._discard(entry.picture)

    def keep(self, picture: IO[bytes]) -> str:
        """Keep a picture as a file; its name, which nobody can guess.  ValueError when it is none, or too large."""
        content = picture.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"The picture is larger than {LARGEST >> 20} MB.")
        name = secrets.token_hex(16) + kind_of(content)
        with open(os.path.join(self.pictures, name), "xb") as file:
            file.write(content)
        return name

    def _discard(self, picture: str) -> None:
        if picture:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(self.pictures, picture))


def kind_of(content: bytes) -> str:
    """The suffix for a picture, by what is in it: what its sender calls it may be anything.  ValueError for others."""
    for beginning, suffix in BEGINNINGS.items():
        if content.startswith(beginning):
            return suffix
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return ".webp"
    raise ValueError("The picture is not a JPEG, PNG, GIF or WebP file.")
