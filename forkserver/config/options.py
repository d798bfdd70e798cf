"""What can be configured: every option, declared once.

A declaration carries the option's converter, its default as a person would write it, and its help; the parser
of the INI file, `forkserver check --show`, the man page and the tests read it from here.  This file knows the
words of the language and nothing of files and lines (`ini.py`), and nothing of what the values are for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from forkserver.config.addresses import Address, addresses, addresses_or_none, addresses_text
from forkserver.config.converters import (
    WRITERS,
    Convert,
    Workers,
    boolean,
    choice,
    duration,
    existing_folder,
    group,
    integer,
    limit,
    listing,
    log_destination,
    log_format,
    optional,
    path,
    plain_text,
    size,
    text,
    user,
    workers,
)
from forkserver.config.networks import trusted

__all__ = [
    "Address",
    "Clash",
    "Convert",
    "Limits",
    "Log",
    "Option",
    "Server",
    "Workers",
    "addresses",
    "boolean",
    "choice",
    "declared",
    "duration",
    "existing_folder",
    "group",
    "integer",
    "limit",
    "listing",
    "log_destination",
    "log_format",
    "option",
    "optional",
    "path",
    "size",
    "text",
    "trusted",
    "user",
    "workers",
]

T = TypeVar("T")
MANY = 1_000_000
THREADS = 64  # of one worker, at most


@dataclass(frozen=True)
class Option:
    """How one option is read: `convert(text, folder)` gives its value or raises ValueError (why)."""

    default: str | None  # as written in a file; None: the option must be given
    convert: Convert[Any]
    help: str
    write: Callable[[Any], str]  # the value as text that `convert` reads back
    restart: bool  # whether a change takes a restart instead of a reload


def option(
    default: str | None,
    convert: Convert[T],
    help: str,  # noqa: A002 - as in argparse
    *,
    write: Callable[[T], str] | None = None,
    restart: bool = False,
    compare: bool = True,
) -> T:
    """Declare an option as a dataclass field, of the type that its converter gives.

    A dataclass built without it has the default; `default=None` says that it must be given.  `write` is
    needed only for values that are not text, numbers, yes or no, or tuples of them.  `restart`: a reload
    cannot change it.  With `compare=False` two configurations may differ in it and still be equal.
    """
    writer = write or WRITERS.get(convert, plain_text)
    made: Any = {"metadata": {"option": Option(default, convert, help, writer, restart)}, "compare": compare}
    if default is not None:
        made["default_factory"] = lambda: convert(default, ".")
    declaration: Any = field(**made)
    return declaration  # type: ignore[no-any-return]  # a dataclass turns the field into a value of this type


def declared(section: type[Any]) -> dict[str, Option]:
    """The options of a section's dataclass by name, in the order of their declaration."""
    return {one.name: one.metadata["option"] for one in fields(section) if "option" in one.metadata}


class Clash(ValueError):  # noqa: N818 - reads as the sentence it prints
    """Options of one section that do not go together; said where `key` is given."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


@dataclass(frozen=True)
class Server:
    """[server]: where it listens, and as whom it runs."""

    listen: tuple[Address, ...] = option(
        "127.0.0.1:8080",
        addresses_or_none,
        "Addresses to listen at: 127.0.0.1:8080, [::1]:8080, :8080 for every address of the machine, "
        "unix:PATH, systemd:NAME. Port 0 lets the kernel choose. The word proxy behind an address: who connects there "
        "speaks the PROXY protocol. none: no HTTP, which is the default where nothing but streams is served.",
        write=addresses_text,
    )
    trusted: tuple[str, ...] = option(
        "",
        listing(trusted),
        "Proxies that are believed when they tell who the client is: addresses, networks such as 10.0.0.0/8, and "
        "unix: for whoever connects to a unix socket; empty: none.",
    )
    workers: Workers = option(  # noqa: RUF009 - declares the field
        "auto",
        workers,
        "Number of worker processes: N, or MIN-MAX, which follows the load: more of them once each has half of its "
        "threads in calls, or uses a CPU to the full; auto is one for each CPU that may be used.",
    )
    threads: int = option(
        "8",
        integer(1, THREADS),
        "Calls of applications at once in each worker; 1: one by one, in its only thread.",
    )
    preload: str = option(
        "auto",
        choice("auto", "yes", "no"),
        "Whether applications are loaded once for all workers (yes) or by each worker (no); auto: once, unless "
        "loading leaves threads or sockets behind.",
    )
    user: str = option("", optional(user), "User to become when started as root; empty: stay the same.")
    group: str = option("", optional(group), "Group to become with the user; empty: the user's own.")
    control: str = option("", optional(path), "Path of the control socket; empty: chosen by the program.", restart=True)
    pid: str = option(
        "", optional(path), "Path of the pid file; empty: chosen by the program for start, none for run.", restart=True
    )
    backlog: int = option(
        "1024", integer(1, 65535), "Connections that the kernel keeps waiting for a worker, at each address."
    )
    server_header: bool = option("yes", boolean, "Whether replies carry a Server field: yes or no.")
    include: tuple[str, ...] = option(
        "",
        listing(text),
        "Further files to read, patterns such as conf.d/*.ini, relative to this file.",
        compare=False,
    )

    def __post_init__(self) -> None:
        """Clash when the options do not go together."""
        if not self.trusted and (spoken := [address for address in self.listen if address.proxy]):
            why = "only who is trusted may connect there, and nobody is; name your proxies, as trusted = 10.0.0.0/8"
            raise Clash("listen", f"{spoken[0]}: {why}")


@dataclass(frozen=True)
class Log:
    """[log]: who came, and what went wrong."""

    access: str = option(
        "stdout",
        log_destination,
        "Where requests are logged: a file's path, stdout, stderr, syslog, syslog:FACILITY or none.",
    )
    format: str = option(
        "combined",
        log_format,
        "How requests are logged: common, combined, json, or a LogFormat string as Apache has it.",
    )
    error: str = option(
        "stderr",
        log_destination,
        "Where the server's own messages go: a file's path, stdout, stderr, syslog, syslog:FACILITY or none.",
    )
    level: str = option(
        "info",
        choice("debug", "info", "warning", "error"),
        "The least of the messages to log: debug, info, warning or error.",
    )
    slow: str = option(
        "stderr",
        log_destination,
        "Where slow requests are logged, each with the stack of what it waits for: as for the error log.",
    )
    slow_after: float = option("5s", duration, "Time in an application after which a request is slow; 0: never.")


@dataclass(frozen=True)
class Limits:
    """[limits]: how long, how large, how many."""

    header_timeout: float = option("10s", limit, "Time in which a request's head must arrive.")
    idle_timeout: float = option("75s", duration, "Time that a connection may rest between two requests.")
    body_timeout: float = option("10m", limit, "Time in which a request's whole body must arrive.")
    read_rate: int = option("500", size, "Bytes a second at which a client must send a body, at least; 0: any.")
    write_timeout: float = option("60s", limit, "Time in which a client must take some byte of a reply.")
    write_rate: int = option("500", size, "Bytes a second at which a client must take a reply, at least; 0: any.")
    request_timeout: float = option(
        "60s", limit, "Time that an application may take to answer, or for the next piece of its answer; then 503."
    )
    request_timeout_max: float = option(
        "1h", limit, "Time to which an application may extend that for a request of its own."
    )
    kill_timeout: float = option(
        "10s", duration, "Time after that in which it must have given up; then its worker is replaced."
    )
    graceful_timeout: float = option("25s", duration, "Time that a leaving worker has to finish the requests it holds.")
    body: int = option("16M", size, "Largest body of a request, in bytes.")
    body_memory: int = option("64k", size, "Bytes of a body that stay in memory; a larger one goes to a file.")
    reply_memory: int = option(
        "256k", size, "Bytes of a reply that wait for their client in memory; what is beyond goes to a file."
    )
    reply_spool: int = option(
        "256M", size, "Bytes of a reply that wait in that file; beyond, the application waits for the client."
    )
    request_line: int = option("8k", size, "Longest request line, in bytes.")
    field: int = option("8k", size, "Longest header field, in bytes.")
    fields: int = option("32k", size, "All header fields of a request together, in bytes.")
    field_count: int = option("100", integer(1, MANY), "Number of header fields in a request, at most.")
    connections: int = option("1024", integer(1, MANY), "Connections that one worker holds, at most.")
    connections_per_client: int = option(
        "0", integer(0, MANY), "Connections from one client's address to all workers together; 0: any number."
    )
    requests: int = option("0", integer(0, 1 << 40), "A worker retires after so many, or a few less; 0: never.")
    memory: int = option(
        "0", size, "A worker retires when it has so much memory that it shares with nobody, or a little less; 0: never."
    )
    lifetime: float = option("0", duration, "A worker retires after so long, or a little less; 0: never.")
