"""The files that every server under test is given, and their right bytes."""

from __future__ import annotations

import os
import random
import time

FILES = 2000
AGE = 3600  # seconds since the last change: a cache may trust a file that has rested
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
    earlier = time.time() - AGE
    for name in [*SIZES, *numbered()]:
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(content(name))
        os.utime(path, (earlier, earlier))
