"""Application kinds made for tests: one that shows what it was given, one that misbehaves on demand.

`[/echo] echo = yes` answers with a JSON object of the request; `[/bad] bad = yes` does what the path below it says.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import random
import re
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from forkserver.apps import AppError
from forkserver.config.converters import boolean, text
from forkserver.config.options import option
from forkserver.http.request import Request
from forkserver.http.response import Response


@dataclass(frozen=True)
class EchoOptions:
    echo: bool = option(None, boolean, "Show each request.")


class Echo:
    """Every method; the body is told by its length and checksum, and sent back where it is asked for with ?back."""

    Options = EchoOptions
    methods = None
    reads_body = True
    blocking = False

    def __init__(self, options: EchoOptions, prefix: str) -> None:
        self.prefix = prefix

    def load(self) -> None:
        pass

    def respond(self, request: Request) -> Response:
        body = request.body if isinstance(request.body, bytes) else request.body.read()
        if request.head.line.query == "back":
            return Response(200, (("Content-Type", "application/octet-stream"),), body)
        facts = {
            "method": request.head.line.method,
            "target": request.head.line.target,
            "script": request.script,
            "path": request.path,
            "query": request.head.line.query,
            "host": request.head.host,
            "fields": list(request.head.fields.items),
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "spooled": not isinstance(request.body, bytes),
            "peer": request.peer[0],
            "scheme": request.scheme,
            "variables": (request.asked.ends or request.ends).variables,
            "pid": os.getpid(),
        }
        return Response(200, (("Content-Type", "application/json"),), json.dumps(facts).encode())

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class BadOptions:
    bad: str = option(
        None,
        text,
        "`yes`, or what goes wrong while loading: `refuse`, `raise`, `die`, `leave`, `wait PATH` for the end of a "
        "fifo, `need PATH` of a file, `thread NAME` or `socket PORT` for what is left behind.",
    )


def _raise(request: Request) -> Response:
    raise RuntimeError("asked to fail")


def _split(request: Request) -> Response:
    return Response(200, (("X-Split", "a\r\nSet-Cookie: b"),), b"never")


def _kill(request: Request) -> Response:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("never")


def _exit(request: Request) -> Response:
    os._exit(3)


def _crash(request: Request) -> Response:
    """Read what is at address 0."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)
    raise AssertionError("never")


def _hold(request: Request) -> Response:
    """Hold the interpreter's lock in a C function for as long as it may take."""
    re.fullmatch(r"(a|aa)+b", "a" * 100)
    raise AssertionError("never")


def _hang(request: Request) -> Response:
    while True:
        time.sleep(3600)  # what is tested is that somebody ends this


def _garble(request: Request) -> Response:
    """Speak nonsense on the line to the master."""
    for descriptor in range(3, 100):
        try:
            with socket.socket(fileno=os.dup(descriptor)) as sock:
                if sock.type == socket.SOCK_SEQPACKET:
                    sock.send(b"GET / HTTP/1.1")
        except OSError:  # no socket, or nothing at all
            continue
    return Response(200, (), b"said")


def _stream(request: Request) -> Response:
    def pieces() -> Iterator[bytes]:
        for number in range(3):
            yield b""
            yield b"piece %d\n" % number

    return Response(200, (("Content-Type", "text/plain"),), pieces())


def _break_off(request: Request) -> Response:
    def pieces() -> Iterator[bytes]:
        yield b"a beginning\n"
        raise RuntimeError("asked to break off")

    return Response(200, (("Content-Type", "text/plain"),), pieces())


HOARD: list[bytearray] = []


def _grow(request: Request) -> Response:
    """16 MiB more for good."""
    HOARD.append(bytearray(os.urandom(1 << 20) * 16))
    return Response(200, (), b"grown")


def _wait(request: Request) -> Response:
    """Until somebody opens the fifo that is named by the query, writes to it or not, and closes it."""
    with open(request.head.line.query) as fifo:
        fifo.read()
    return Response(200, (), b"waited")


def _random(request: Request) -> Response:
    """Who draws, and what: a generator seeded while loading gives all forks of it the same."""
    return Response(200, (), b"%d %r" % (os.getpid(), random.random()))


DEEDS: dict[str, Callable[[Request], Response]] = {
    "/raise": _raise,
    "/split": _split,
    "/kill": _kill,
    "/exit": _exit,
    "/hang": _hang,
    "/crash": _crash,
    "/hold": _hold,
    "/garble": _garble,
    "/stream": _stream,
    "/break": _break_off,
    "/grow": _grow,
    "/wait": _wait,
    "/random": _random,
}


class Bad:
    Options = BadOptions
    methods = None
    reads_body = True
    blocking = False

    def __init__(self, options: BadOptions, prefix: str) -> None:
        self.options = options

    def load(self) -> None:
        random.seed(4)
        if self.options.bad == "refuse":
            raise AppError("asked to refuse")
        if self.options.bad == "raise":
            raise RuntimeError("asked to raise while loading")
        if self.options.bad == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.options.bad.startswith("wait "):
            print("loading", file=sys.stderr, flush=True)
            with open(self.options.bad.removeprefix("wait ")) as fifo:
                fifo.read()
        if self.options.bad == "leave":
            sys.exit("asked to leave")
        what, _, name = self.options.bad.partition(" ")
        if what == "need":
            os.stat(name)
        if what == "thread":
            threading.Thread(target=threading.Event().wait, name=name, daemon=True).start()
        if what == "socket":
            self.line = socket.create_connection(("127.0.0.1", int(name)))

    def respond(self, request: Request) -> Response:
        deed = DEEDS.get(request.path)
        return deed(request) if deed else Response(200, (), b"fine")

    def close(self) -> None:
        pass


def _query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.head.line.query))


def _hello(request: Request) -> Response:
    return Response(200, (("Content-Type", "text/plain"),), b"hello, world\n")


def _sleep(request: Request) -> Response:
    time.sleep(float(_query(request)["s"]))  # an application that waits for something
    return Response(200, (("Content-Type", "text/plain"),), f"slept in {threading.current_thread().name}".encode())


def _spin(request: Request) -> Response:
    end = time.monotonic() + float(_query(request)["s"])
    while time.monotonic() < end:
        pass
    return Response(200, (), b"spun")


def _pieces(request: Request) -> Response:
    """`n` pieces of `size` bytes, `s` seconds between them; `length` declares so many bytes."""
    asked = _query(request)
    size, pause = int(asked.get("size", "10")), float(asked.get("s", "0"))

    def pieces() -> Iterator[bytes]:
        try:
            for number in range(int(asked["n"])):
                if pause and number:
                    time.sleep(pause)
                yield b"%d" % (number % 10) * size
        finally:
            print(f"closed {request.head.line.target}", file=sys.stderr, flush=True)

    length = int(asked["length"]) if "length" in asked else None
    return Response(200, (("Content-Type", "text/plain"),), pieces(), length)


def _early(request: Request) -> Response:
    """Begins its answer before it returns."""
    response = Response(200, (("Content-Type", "text/plain"),))
    put = request.begin(response)
    put(b"early, ")
    if pause := float(_query(request).get("s", "0")):
        time.sleep(pause)
    put(b"and ")
    response.body = iter([b"late\n"])
    return response


def _late_error(request: Request) -> Response:
    time.sleep(float(_query(request).get("s", "0")))
    raise RuntimeError("asked to fail late")


def _broken(request: Request) -> Response:
    def pieces() -> Iterator[bytes]:
        yield b"a beginning"
        time.sleep(float(_query(request).get("s", "0")))
        raise RuntimeError("asked to break")

    return Response(200, (), pieces())


def _extend(request: Request) -> Response:
    left = request.extend(float(_query(request)["by"]))
    time.sleep(float(_query(request)["s"]))
    return Response(200, (), f"{left:.0f}".encode())


def _doze(request: Request) -> Response:
    """In steps, so that it notices what is raised in its thread."""
    end = time.monotonic() + float(_query(request)["s"])
    while time.monotonic() < end:
        time.sleep(0.01)
    return Response(200, (), b"dozed")


def _grip(request: Request) -> Response:
    """Sleep in C without letting go of the interpreter's lock."""
    ctypes.PyDLL(None).sleep(int(_query(request)["s"]))
    return Response(200, (), b"let go")


def _fifo(request: Request) -> Response:
    """Ask for time, and wait until somebody has opened the fifo of that path and closed it."""
    request.extend(60)
    with open(_query(request)["path"]) as fifo:
        fifo.read()
    return Response(200, (), b"%d" % os.getpid())


def _blind(request: Request) -> Response:
    """Have the server fail where it looks at the stacks of its threads, and wait until it has."""
    looked = threading.Event()

    def fail() -> NoReturn:
        looked.set()
        raise RuntimeError("asked to fail while looking")

    sys._current_frames = fail
    assert looked.wait(60)
    return Response(200, (), b"seen")


def _read(request: Request) -> Response:
    body = request.body if isinstance(request.body, bytes) else request.body.read()
    return Response(200, (), hashlib.sha256(body).hexdigest().encode())


WORK: dict[str, Callable[[Request], Response]] = {
    "/hello": _hello,
    "/sleep": _sleep,
    "/spin": _spin,
    "/pieces": _pieces,
    "/early": _early,
    "/error": _late_error,
    "/broken": _broken,
    "/extend": _extend,
    "/doze": _doze,
    "/read": _read,
    "/grip": _grip,
    "/fifo": _fifo,
    "/blind": _blind,
}


@dataclass(frozen=True)
class WorkOptions:
    work: bool = option(None, boolean, "Take time for it.")


class Work:
    """May take its time: what it does is said by the path and the query."""

    Options = WorkOptions
    methods = None
    reads_body = True
    blocking = True

    def __init__(self, options: WorkOptions, prefix: str) -> None:
        pass

    def load(self) -> None:
        pass

    def employ(self, **circumstances: Any) -> None:
        pass

    def respond(self, request: Request) -> Response:
        return WORK[request.path](request)

    def close(self) -> None:
        pass


TEST_KINDS: dict[str, type[Any]] = {"echo": Echo, "bad": Bad, "work": Work}
