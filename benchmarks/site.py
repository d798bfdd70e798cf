"""The files that every server under test is given, and their right bytes."""

from __future__ import annotations

import os
import random

FILES = 2000
SIZES = {"one.txt": 1024, "large.bin": 100 * 1024, "huge.bin": 10 * 1024 * 1024}


def content(name: str) -> bytes:
    """The bytes of a file: always the same for a name, different between names, printable for text."""
    size = SIZES.get(name, 1024)
    source = random.Random(name)
    return source.randbytes(size) if name.endswith(".bin") else source.randbytes(size // 2).hex().encode()


def numbered() -> list[str]:
    """The names of the many small files."""
    return [f"many/{number:04d}.txt" for number in range(FILES)]


def write(folder: str) -> None:
    """Make the site in an existing folder, readable for the user that a server may turn into."""
    os.makedirs(os.path.join(folder, "many"))
    for name in [*SIZES, *numbered()]:
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content(name))
