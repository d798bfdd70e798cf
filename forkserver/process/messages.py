"""The sentences that master, molds and workers say to each other.

Each is a small typed record in one packet of a SOCK_SEQPACKET pair, with descriptors beside it where needed
(SCM_RIGHTS, unix(7)).  Knows the wording; knows nothing of who acts on it.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import select
import socket
import sys
from dataclasses import dataclass

PACKET = 65536  # bytes
TEXT = 10000  # characters of free text in one sentence, of each of which JSON makes six bytes at most
DESCRIPTORS = 8  # at most, beside one sentence
UNHEARD = {  # sendmsg(2), unix(7): the other side is gone; it has not listened for very long; the system has no room
    errno.EPIPE,
    errno.ECONNRESET,
    errno.EAGAIN,
    errno.ETOOMANYREFS,
    errno.ENOBUFS,
    errno.ENOMEM,
}


class Garbled(Exception):  # noqa: N818 - reads as the sentence it prints
    """A packet is none of our sentences: whoever sent it is not to be trusted with another."""


@dataclass(frozen=True, slots=True)
class Spawn:
    """Master to mold: fork a worker for this seat.  Beside it: its channel, access log, error log, slow log."""

    seat: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Master to worker: accept no more, finish what you have, leave.

    With `stop` no sibling takes over, so answer what the kernel had already queued, too.
    """

    stop: bool


@dataclass(frozen=True, slots=True)
class Quit:
    """Master to worker, or to mold: leave at once."""


@dataclass(frozen=True, slots=True)
class Logs:
    """Master to worker: the log files were opened anew.  Beside it: access log, error log, slow log."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Mold to master: the applications are loaded, workers can be forked."""


@dataclass(frozen=True, slots=True)
class Hazards:
    """Mold to master: what loading left behind that a fork does not bear.  With `preload = auto` its last word."""

    found: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Mold to master, or worker to master where each loads for itself: the applications cannot be loaded, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class NotSpawned:
    """Mold to master: the system would not fork a worker for this seat."""

    seat: int
    why: str


@dataclass(frozen=True, slots=True)
class Born:
    """Worker to master, before anything else: this is my pid.  Beside it: its notes, where it could make them."""

    pid: int


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker to master: I accept connections."""


@dataclass(frozen=True, slots=True)
class Retiring:
    """Worker to master: I have done my part, and why; I serve until I am told to drain."""

    why: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """Worker to master: I accept no more."""


Message = Spawn | Drain | Quit | Logs | Loaded | Hazards | Refused | NotSpawned | Born | Ready | Retiring | Leaving

KINDS: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (Spawn, Drain, Quit, Logs, Loaded, Hazards, Refused, NotSpawned, Born, Ready, Retiring, Leaving)
}


def encode(message: Message) -> bytes:
    """A message as one packet."""
    values = [cut(value) if isinstance(value, str) else value for value in dataclasses.astuple(message)]
    return json.dumps([type(message).__name__, *values], ensure_ascii=False).encode("utf-8", "replace")


def cut(text: str) -> str:
    """A long text without its middle: a traceback says at its end what went wrong, and at its beginning where."""
    half = TEXT // 2
    return text if len(text) <= TEXT else f"{text[: half - 5]}\n[…]\n{text[-half:]}"


def decode(packet: bytes) -> Message:
    """The message of one packet; Garbled when it is none of ours."""
    try:
        name, *values = json.loads(packet)
        message = KINDS[name](*values)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Garbled(f"not a message: {packet[:80]!r}") from error
    if any(type(value).__name__ != kind.type for value, kind in zip(values, dataclasses.fields(message), strict=True)):
        raise Garbled(f"a message with wrong values: {packet[:80]!r}")
    return message


def discard(*descriptors: int) -> None:
    """Close descriptors that nobody wants."""
    for descriptor in descriptors:
        os.close(descriptor)


class Channel:
    """One end of a conversation: the owner of its socket."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        end.setblocking(False)

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Both ends of a new conversation."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    @classmethod
    def adopt(cls, descriptor: int) -> Channel:
        """The end that came as a bare descriptor."""
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, message: Message, descriptors: tuple[int, ...] = ()) -> bool:
        """Say it; False when the other side is gone or has not listened for very long."""
        try:
            socket.send_fds(self.socket, [encode(message)], list(descriptors))
        except OSError as error:
            if error.errno in UNHEARD:
                return False
            raise
        return True

    def receive(self, most: int = sys.maxsize) -> list[tuple[Message, tuple[int, ...]]] | None:
        """What was said since the last call, `most` sentences of it, with the descriptors beside each.

        None once the other side is gone.

        Garbled when something else came; what was said before and after it is lost.
        """
        heard: list[tuple[Message, tuple[int, ...]]] = []
        while len(heard) < most:
            try:
                packet, descriptors, _, _ = socket.recv_fds(self.socket, PACKET + 8, DESCRIPTORS)
            except BlockingIOError:
                return heard
            except ConnectionResetError:
                packet, descriptors = b"", []
            if not packet:
                discard(*descriptors)
                return heard or None
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)
            try:
                heard.append((decode(packet), tuple(descriptors)))
            except Garbled:
                discard(*descriptors, *(one for _, beside in heard for one in beside))
                raise
        return heard

    def wait(self) -> None:
        """Sleep until there is something to receive."""
        waiter = select.poll()
        waiter.register(self.socket, select.POLLIN)
        waiter.poll()

    def close(self) -> None:
        self.socket.close()
