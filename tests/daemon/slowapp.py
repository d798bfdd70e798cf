"""A WSGI application that takes its time, path by path: it waits at a gate that the test holds, and tells what it does.

The gate is the fifo that is named by the variable GATE; who waits there takes one byte out of it, and goes on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Environ = dict[str, Any]
Start = Callable[..., Callable[[bytes], None]]

TEXT = ("Content-Type", "text/plain")
MEGABYTE = 1 << 20


def tell(what: str) -> None:
    """One line to stderr, whole whoever else writes."""
    os.write(2, f"{what}\n".encode())


def wait_at_gate() -> bool:
    """Until the test lets one pass; False when it has taken the gate away."""
    try:
        with open(os.environ["GATE"], "rb", buffering=0) as fifo:
            return fifo.read(1) != b""
    except FileNotFoundError:
        return False


class Events:
    """A stream that ends with the gate: each piece but the first has to pass it."""

    def __init__(self) -> None:
        self.made = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self.made and not wait_at_gate():
            raise StopIteration
        self.made += 1
        tell(f"event {self.made} made")
        return b"data: %d\n\n" % self.made

    def close(self) -> None:
        tell(f"events closed after {self.made}")


def fine(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [TEXT])
    return [b"fine %s" % environ["QUERY_STRING"].encode()]


def back(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [TEXT])
    return [environ["wsgi.input"].read()]


def mark(environ: Environ, start: Start) -> Iterable[bytes]:
    """What was told before this is in the log before it."""
    tell("mark " + environ["QUERY_STRING"])
    return fine(environ, start)


def events(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [("Content-Type", "text/event-stream")])
    return Events()


def large(environ: Environ, start: Start) -> Iterator[bytes]:
    """So many megabytes, each of them of another byte."""
    start("200 OK", [("Content-Type", "application/octet-stream")])
    for number in range(int(environ["QUERY_STRING"])):
        yield bytes([number]) * MEGABYTE
    tell("all of it made")


def wait(environ: Environ, start: Start) -> Iterable[bytes]:
    tell("waits")
    wait_at_gate()
    return fine(environ, start)


def write(environ: Environ, start: Start) -> Iterable[bytes]:
    """Imperatively (PEP 3333, "The write() Callable")."""
    put = start("200 OK", [TEXT])
    put(b"one ")
    wait_at_gate()
    put(b"two ")
    wait_at_gate()
    return [b"three"]


def multithread(environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [TEXT])
    return [b"%r" % environ["wsgi.multithread"]]


class Lock:
    """As an application holds one for the time of a block."""

    def __enter__(self) -> None:
        tell("lock taken")

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        tell(f"lock released by {kind and kind.__name__}")


def doze(environ: Environ, start: Start) -> Iterable[bytes]:
    """Far too long, in small steps."""
    try:
        with Lock():
            for _ in range(6000):
                time.sleep(0.01)
    finally:
        tell("finally")
    return fine(environ, start)


def extend(environ: Environ, start: Start) -> Iterable[bytes]:
    """As `wait`, having asked for more time."""
    tell(f"has {environ['forkserver.deadline'](40):.0f} s")
    return wait(environ, start)


PAGES: dict[str, Callable[[Environ, Start], Iterable[bytes]]] = {
    f"/{page.__name__}": page for page in (fine, back, mark, events, large, wait, write, multithread, doze, extend)
}


def application(environ: Environ, start: Start) -> Iterable[bytes]:
    return PAGES[environ["PATH_INFO"]](environ, start)
