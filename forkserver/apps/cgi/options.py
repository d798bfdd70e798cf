"""What a section of the kind `cgi` can say.

Knows spellings and defaults; nothing of how scripts are run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from forkserver.apps.targets import variables, variables_text
from forkserver.config.converters import (
    boolean,
    choice,
    duration,
    existing_folder,
    integer,
    limit,
    listing,
    optional,
    path,
    size,
    text,
)
from forkserver.config.options import option

# What scripts import most, and what that imports: with these a fork has little left to load.
MODULES = "datetime, email.message, email.parser, html, http.cookies, json, re, tempfile, traceback, urllib.parse"


def place(text: str, folder: str) -> str:
    """The absolute path of a folder or a file that is there."""
    found = path(text, folder)
    if not os.path.exists(found):
        raise ValueError(f"neither a folder nor a script: {found}")
    return found


@dataclass(frozen=True)
class CgiOptions:
    """The options of a section of this kind."""

    cgi: str = option(None, place, "Folder of scripts, or one script, which then answers for all below the mount.")
    warm: str = option(
        "auto",
        choice("auto", "yes", "no"),
        "Whether scripts whose first line names a Python are forked from one that runs already: auto, no, or yes, so "
        "that the log tells of those that cannot be.",
    )
    preload_modules: tuple[str, ...] = option(
        MODULES, listing(text), "Modules that such a Python has loaded before it forks."
    )
    env: tuple[tuple[str, str], ...] = option(
        "",
        variables,
        r"Variables of the environment, NAME=VALUE; a comma in a value is written \,. Scripts have these, PATH, and "
        "what RFC 3875 tells them of the request.",
        write=variables_text,
    )
    cgi_timeout: float = option(
        "60s",
        limit,
        "Time that a script may be silent, before its head or within its output; then it is ended, and 504.",
    )
    run_time: float = option("0", duration, "Time that a script may run in all; then it is ended; 0: any.")
    head_size: int = option("64k", size, "Bytes of a script's output in which its head must end.")
    memory: int = option("0", size, "Address space of each process of a script (RLIMIT_AS); 0: any.")
    processes: int = option(
        "32", integer(1, 10_000), "Scripts that one worker runs at once, of which threads is a limit, too; others wait."
    )
    document_root: str = option(
        "", optional(existing_folder), "Folder that PATH_TRANSLATED leads into; empty: that of the scripts."
    )
    pass_authorization: bool = option(
        "no", boolean, "Whether scripts are told what clients sign in with (HTTP_AUTHORIZATION)."
    )
    hidden: bool = option("no", boolean, "Whether names that begin with a dot are found.")
    symlinks: str = option(
        "inside",
        choice("inside", "all", "none"),
        "Symbolic links that are followed: inside (the folder), all or none.",
    )
