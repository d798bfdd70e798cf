"""A WSGI application that harms its process, path by path; loading it replaces signal handlers."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]

UNNOTICED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)
HOARD: list[bytearray] = []


def leave(environ: Environ) -> bytes:
    os._exit(3)


def exit_politely(environ: Environ) -> bytes:
    sys.exit("enough")


def crash(environ: Environ) -> bytes:
    ctypes.string_at(0)
    return b"never"


def fork(environ: Environ) -> bytes:
    """Both processes return."""
    return b"child" if os.fork() == 0 else b"parent"


def fork_and_stay(environ: Environ) -> bytes:
    """The child lives on, as long as somebody holds the fifo."""
    pid = os.fork()
    if pid == 0:
        with open(environ["QUERY_STRING"]) as fifo:
            fifo.read()
        os._exit(0)
    return b"%d" % pid


def fork_and_terminate(environ: Environ) -> bytes:
    """The exit codes of a child, and of a child of a child, that are ended by TERM, as those of a pool are."""
    return repr((terminated(wait), terminated(terminate))).encode()


def wait(begun: int) -> None:
    os.write(begun, b".")
    signal.pause()


def terminate(begun: int) -> None:
    if terminated(wait) == -signal.SIGTERM:
        wait(begun)


def terminated(target: Callable[[int], None]) -> int | None:
    """The exit code of a process that is ended once it has written a byte."""
    reader, writer = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=target, args=(writer,))
    process.start()
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    process.terminate()
    process.join()
    return process.exitcode


def send_signals(environ: Environ) -> bytes:
    """By which signals programs end that are sent those of which a worker takes no notice."""
    return b" ".join(b"%d" % ending_by(number) for number in UNNOTICED)


def ending_by(number: signal.Signals) -> int:
    with subprocess.Popen(["sleep", "3600"]) as program:
        program.send_signal(number)
        return program.wait()


def close_all(environ: Environ) -> bytes:
    os.closerange(3, 4096)
    return b"closed"


def grow(environ: Environ) -> bytes:
    HOARD.append(bytearray(b"x" * (64 << 20)))
    return b"grown"


def devour(environ: Environ) -> bytes:
    """More and more, up to 1 GiB."""
    for _ in range(64):
        HOARD.append(bytearray(b"x" * (16 << 20)))
    return b"satisfied"


def handle(environ: Environ) -> bytes:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return b"handled"


def spin(environ: Environ) -> bytes:
    while True:
        pass


def insist(environ: Environ) -> bytes:
    while True:
        try:
            while True:
                pass
        except BaseException as error:  # nothing stops it
            print("not by", type(error).__name__, file=sys.stderr, flush=True)


def sleep(environ: Environ) -> bytes:
    time.sleep(3600)  # what is tested is that nobody waits for it
    return b"never"


def fine(environ: Environ) -> bytes:
    return b"fine %d" % os.getpid()


ENDED_WHILE_LOADING = terminated(wait)

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: sys.exit(f"signal {number}"))


def ended_while_loading(environ: Environ) -> bytes:
    """The exit code of a process that was forked and ended by TERM while the application was loaded."""
    return repr(ENDED_WHILE_LOADING).encode()


DEEDS: dict[str, Callable[[Environ], bytes]] = {
    f"/{deed.__name__}": deed
    for deed in (
        leave,
        exit_politely,
        crash,
        fork,
        fork_and_stay,
        fork_and_terminate,
        ended_while_loading,
        send_signals,
        close_all,
        grow,
        devour,
        handle,
        spin,
        insist,
        sleep,
        fine,
    )
}


def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = DEEDS[environ["PATH_INFO"]](environ)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
