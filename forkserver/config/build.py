"""One generation of settings: INI text → frozen `Config`, or every complaint, each with its file and line.

This file knows how sections and declared options go together.  It knows no option by name, and nothing of
what the values are used for; the kinds of mounts are given to it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from forkserver.config.addresses import Address
from forkserver.config.converters import quoted, suggestion
from forkserver.config.ini import Complaints, ConfigError, Entry, Section, Where, expand
from forkserver.config.options import Clash, Limits, Log, Option, Server, declared
from forkserver.config.policy import PolicyOptions
from forkserver.config.sources import entries, gather, reason, text_of
from forkserver.config.streams import Stream, is_stream, place_of, refuse_taken

__all__ = ["FIXED", "Config", "ConfigError", "Kinds", "Mount", "load", "parse", "section_of"]

Kinds = Mapping[str, type[Any]]

FIXED: dict[str, type[Any]] = {"server": Server, "log": Log, "limits": Limits}
LATER = {"status"}  # kinds that are planned: not misspelt, but not there
LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"  # RFC 1123 section 2.1, and the underscore of local names
HOST = re.compile(rf"{LABEL}(\.{LABEL})*")
WRONG = object()  # stands for a value that could not be had


@dataclass(frozen=True)
class Mount:
    """Something hosted under a prefix, of one host or of any."""

    host: str  # lower case, without a port; "": any
    prefix: str  # "" for "/", else as "/shop"; UTF-8 bytes as latin-1, as a request's path is (PEP 3333)
    kind: str
    options: Any  # an instance of its kind's `Options`
    origin: str = field(default="", compare=False)  # file:line
    policy: PolicyOptions = field(default_factory=PolicyOptions)


@dataclass(frozen=True)
class Config:
    """Settings as one file and its includes give them; two are equal when they would serve the same."""

    path: str = field(compare=False)  # of the file, absolute
    server: Server = field(default_factory=Server)
    log: Log = field(default_factory=Log)
    limits: Limits = field(default_factory=Limits)
    mounts: tuple[Mount, ...] = ()  # by host and prefix
    streams: tuple[Stream, ...] = ()  # by name
    origins: Mapping[tuple[str, str], str] = field(default_factory=dict, compare=False)
    # (section, key) → file:line, for what the files give; the rest has its default

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All that is to be listened at, whatever for: those of HTTP first."""
        return (*self.server.listen, *(address for stream in self.streams for address in stream.addresses))


def section_of(mount: Mount) -> str:
    """The name of a mount's section, as a person would write it: `/`, `/shop`, `blog.example.org/`."""
    return mount.host + (mount.prefix.encode("latin-1").decode() or "/")


def load(path: str, kinds: Kinds) -> Config:
    """Read a file and parse it; ConfigError also when it cannot be read."""
    try:
        text = text_of(path)
    except (OSError, ValueError) as error:
        raise ConfigError((f"{path}: {reason(error)}",)) from None
    return parse(text, path, kinds)


def parse(text: str, name: str, kinds: Kinds, *, environ: Mapping[str, str] | None = None) -> Config:
    """Parse the text of the file `name`; its includes and relative paths start from that file's folder.

    `kinds` maps the name of a kind to a class whose `Options` is a dataclass of options, one of them named as
    the kind; its `transports`, if it has them, say in sections of which streams it stands instead of in mounts.
    `environ` is the process's own unless given.  Raises ConfigError with all complaints.
    """
    return _Assembly(kinds, os.environ if environ is None else environ, Complaints(name)).run(text, name)


class _Assembly:
    """The parts of one Config while they are put together."""

    def __init__(self, kinds: Kinds, environ: Mapping[str, str], complaints: Complaints) -> None:
        self.kinds = kinds
        self.environ = environ
        self.complaints = complaints
        self.origins: dict[tuple[str, str], str] = {}

    def run(self, text: str, name: str) -> Config:
        sections = gather(text, name, self.environ, self.complaints)
        self.refuse_repeated(sections)
        fixed = {key: self.fixed(key, entries(key, sections), made) for key, made in FIXED.items()}
        mounts = self.mounts(one for one in sections if one.name not in FIXED and not is_stream(one.name))
        streams = [one for one in sections if is_stream(one.name)]
        if streams and not mounts and ("server", "listen") not in self.origins:
            fixed["server"] = replace(fixed["server"], listen=())  # nobody would be answered there
        made = self.streams(streams, fixed["server"].listen)
        self.complaints.raise_if_any()
        return Config(os.path.abspath(name), mounts=mounts, streams=made, origins=self.origins, **fixed)

    def fixed(self, name: str, found: list[Entry], made: type[Any]) -> Any:
        """The options of a section that is always there."""
        before = len(self.complaints)
        values = self.values(name, found, declared(made))
        try:
            return made(**values)
        except Clash as clash:
            if len(self.complaints) == before:  # else one of them is not what its writer meant anyway
                where = next(entry.where for entry in found if entry.key == clash.key)
                self.complaints.add(where, str(clash), name, clash.key)
            return made()

    def refuse_repeated(self, sections: list[Section]) -> None:
        """Complain of [server] and the like when one file opens them twice; an included file may go on."""
        first: dict[tuple[str, str], Where] = {}
        for section in sections:
            before = first.setdefault((section.name, section.where.file), section.where)
            if section.name in FIXED and before is not section.where:
                self.complaints.add(section.where, f"opened already at {before}", section.name)

    def mounts(self, sections: Iterable[Section]) -> tuple[Mount, ...]:
        """Every mount that can be made, by host and prefix."""
        found: list[Mount] = []
        taken: dict[tuple[str, str], Where] = {}
        for section in sections:
            place = self.place(section)
            if place in taken:
                why = f"something is mounted there already, at {taken[place]}"
                self.complaints.add(section.where, why, section.name)
            if place:
                taken.setdefault(place, section.where)
                found += self.mount(*place, section)
        return tuple(sorted(found, key=lambda mount: (mount.host, mount.prefix)))

    def place(self, section: Section) -> tuple[str, str] | None:
        """(host, prefix) of a mount's section; None and a complaint for any other."""
        host, slash, rest = section.name.partition("/")
        host = host.lower()
        why = wrong_place(host, rest) if slash else wrong_name(section.name)
        if why:
            self.complaints.add(section.where, why, section.name)
            return None
        return host, f"/{rest}".removesuffix("/").encode().decode("latin-1")

    def mount(self, host: str, prefix: str, section: Section) -> list[Mount]:
        """The mount of a section, when nothing is wrong with it."""
        kind = self.kind(section, "")
        if kind is None:
            return []
        made = self.options(section, section_of(Mount(host, prefix, kind, None)), kind, PolicyOptions)
        return [Mount(host, prefix, kind, made[0], str(section.where), made[1])] if made else []

    def streams(self, sections: Iterable[Section], listen: tuple[Address, ...]) -> tuple[Stream, ...]:
        """Every stream that can be made, by name; none of them takes an address that HTTP or another one has."""
        found: list[Stream] = []
        at = self.origins.get(("server", "listen"), "which has its default")
        taken = [(address, f"[server] listen, {at}") for address in listen]
        for section in sections:
            try:
                transport, places = place_of(section.name, os.path.dirname(os.path.abspath(section.where.file)))
                refuse_taken(places, taken)
            except ValueError as error:
                self.complaints.add(section.where, str(error), section.name)
                continue
            taken += [(address, str(section.where)) for address in places]
            found += self.stream(transport, places, section)
        return tuple(sorted(found, key=lambda stream: stream.name))

    def stream(self, transport: str, places: tuple[Address, ...], section: Section) -> list[Stream]:
        """The stream of a section, when nothing is wrong with it."""
        kind = self.kind(section, transport)
        if kind is None:
            return []
        made = self.options(section, Stream(transport, places, kind, None).name, kind)
        return [Stream(transport, places, kind, made[0], str(section.where))] if made else []

    def options(self, section: Section, name: str, kind: str, *common: type[Any]) -> tuple[Any, ...] | None:
        """The options of a section, whose normalised name is `name`: those of its kind, then those of each in `common`.

        None and complaints when something is wrong.
        """
        parts = (self.kinds[kind].Options, *common)
        before = len(self.complaints)
        options = {key: one for part in parts for key, one in declared(part).items()}
        values = self.values(name, section.entries, options)
        given = {entry.key for entry in section.entries}
        for key, one in options.items():
            if one.default is None and key not in given:
                self.complaints.add(section.where, f"must be given, {kind} needs it", name, key)
        if len(self.complaints) > before:
            return None
        try:
            return tuple(part(**{key: values[key] for key in declared(part) if key in values}) for part in parts)
        except ValueError as error:  # options that do not go together
            self.complaints.add(section.where, str(error), name)
            return None

    def kind(self, section: Section, transport: str) -> str | None:
        """The one kind that a section names; None and a complaint when there is none or more.

        `transport` is that of a stream's section, "" for a mount.  Kinds that no section names are not looked at,
        unless there is something to complain of.
        """
        given = {entry.key for entry in section.entries}
        named = [key for key in self.kinds if key in given and fits(self.kinds[key], transport)]
        if len(named) == 1:
            return named[0]
        kinds = {name: kind for name, kind in self.kinds.items() if fits(kind, transport)}
        meant = self.strangers(section, kinds)
        if named:
            why = f"{' and '.join(named)} exclude each other; a section serves one thing"
            self.complaints.add(section.where, why, section.name)
        elif not meant:
            why = f"nothing is served here; give one of {', '.join(sorted(kinds))}"
            self.complaints.add(section.where, why, section.name)
        return None

    def strangers(self, section: Section, kinds: Kinds) -> bool:
        """Complain of keys that no kind knows; whether one of them was probably meant as a kind."""
        every = [PolicyOptions, *(kind.Options for kind in kinds.values())]
        known = {key for options in every for key in declared(options)}
        meant = False
        for entry in section.entries:
            if entry.key in LATER | self.kinds.keys() and entry.key not in known:
                meant = True
                where = "this section" if entry.key in self.kinds else "this version"
                why = f"{where} cannot serve {entry.key}; it knows {', '.join(sorted(kinds))}"
                self.complaints.add(entry.where, why, section.name, entry.key)
            elif entry.key not in known:
                near = suggestion(entry.key, kinds)
                meant = meant or bool(near)
                why = f"unknown option{near or suggestion(entry.key, known)}"
                self.complaints.add(entry.where, why, section.name, entry.key)
        return meant

    def values(self, section: str, found: list[Entry], options: Mapping[str, Option]) -> dict[str, Any]:
        """The converted values of those entries that are in order."""
        first: dict[str, Entry] = {}
        for entry in found:
            if entry.key not in options:
                why = f"unknown option{suggestion(entry.key, options)}"
                self.complaints.add(entry.where, why, section, entry.key)
            elif first.setdefault(entry.key, entry) is not entry:
                why = f"given already at {first[entry.key].where}"
                self.complaints.add(entry.where, why, section, entry.key)
        for entry in first.values():
            self.refuse_indented(section, entry, options)
        values = {key: self.value(section, entry, options[key]) for key, entry in first.items()}
        return {key: value for key, value in values.items() if value is not WRONG}

    def refuse_indented(self, section: str, entry: Entry, options: Mapping[str, Option]) -> None:
        """Complain of an option that was indented by mistake and so became part of the value above it."""
        for line, where in zip(entry.lines[1:], entry.more, strict=True):
            key = line.partition("=")[0].rstrip()
            if "=" in line and key in options:
                why = f"indented, it belongs to the value of {entry.key}; begin it at the margin"
                self.complaints.add(where, why, section, key)

    def value(self, section: str, entry: Entry, option: Option) -> Any:
        """The value of an entry; WRONG and a complaint when it has none."""
        folder = os.path.dirname(os.path.abspath(entry.where.file))
        self.origins[section, entry.key] = str(entry.where)
        try:
            return option.convert(expand(entry.value, self.environ), folder)
        except ValueError as error:
            self.complaints.add(entry.where, str(error), section, entry.key)
            return WRONG


def fits(kind: type[Any], transport: str) -> bool:
    """Whether a kind stands in the sections of such streams, or, where `transport` is "", in mounts."""
    transports: tuple[str, ...] = getattr(kind, "transports", ())
    return transport in transports if transport else not transports


def wrong_name(name: str) -> str:
    """Why a section that mounts nothing is not one of ours either."""
    near = suggestion(name, FIXED) or f"; the name of a mount begins with / or HOST/, as [/{name}]"
    return f"unknown section{near}"


def wrong_place(host: str, rest: str) -> str:
    """Why nothing can be mounted at a host and the path after its first slash, or ""."""
    if host and not HOST.fullmatch(host):
        port = re.fullmatch(r"(.+):[0-9]+", host)
        return f"a host stands without its port: {port[1]}/{rest}" if port else f"{quoted(host)} is not a host's name"
    parts = rest.removesuffix("/").split("/") if rest else []
    if any(part in ("", ".", "..") or part != part.strip() for part in parts):
        return "a prefix has no part that is empty, . or .., or that begins or ends with white space"
    wrong = next((letter for letter in "?%*#;\\" if letter in rest), "")
    return f"a prefix is written plainly, without {wrong}" if wrong else ""
