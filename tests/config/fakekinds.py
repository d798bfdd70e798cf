"""Kinds of mounts made for the tests of the configuration, and two ways to parse with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forkserver.config import Config, ConfigError, parse
from forkserver.config.options import boolean, existing_folder, integer, listing, option, text


class Folder:
    @dataclass(frozen=True)
    class Options:
        static: str = option(None, existing_folder, "Folder to serve.")
        index: tuple[str, ...] = option("index.html", listing(text), "Files that stand for a folder.")
        listing: bool = option("no", boolean, "Whether a folder without an index is listed.")


class Redirect:
    @dataclass(frozen=True)
    class Options:
        redirect: str = option(None, text, "Where to go instead.")
        code: int = option("301", integer(300, 399), "The status to answer with.")

        def __post_init__(self) -> None:
            if self.code == 304:
                raise ValueError("304 leads nowhere")


class Paired:
    @dataclass(frozen=True)
    class Options:
        paired: str = option(None, text, "One thing.")
        partner: str = option(None, text, "The other thing.")


KINDS: dict[str, type] = {"static": Folder, "redirect": Redirect, "paired": Paired}


def made(text: str, name: str = "server.ini", environ: Mapping[str, str] | None = None) -> Config:
    """The configuration of a text that must be in order."""
    return parse(text, name, KINDS, environ=environ or {})


def refused(text: str, name: str = "server.ini", environ: Mapping[str, str] | None = None) -> list[str]:
    """The complaints about a text that must not be in order; none of them for one that is."""
    try:
        parse(text, name, KINDS, environ=environ or {})
    except ConfigError as error:
        return str(error).split("\n")
    return []
