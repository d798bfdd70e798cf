"""What is served without a configuration file: from what was typed to the text that such a file would hold.

Knows how a folder and an application are told apart; knows nothing of how they are served.
"""

from __future__ import annotations

import argparse
import importlib.util
import os

from forkserver.apps.finding import find
from forkserver.apps.targets import parse_target
from forkserver.apps.variables import variables_text
from forkserver.config.converters import quoted
from forkserver.config.ini import written

NAME = "command line"  # stands for the file's in complaints; relative paths start from the current folder
PAGE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "conf", "site")  # of the demo
OPTIONS = ("listen", "workers", "threads")  # of [server], given on the command line


class Unclear(ValueError):  # noqa: N818 - reads as the sentence it prints
    """What was typed names nothing that could be served; the text says why not."""


class Neither(Unclear):
    """A word that names neither a folder nor an application."""


def is_folder(word: str) -> bool:
    """Whether the word means a folder and not an application; Neither when it means nothing that is there."""
    if os.path.isdir(word):
        return True
    try:
        target = parse_target(word)
    except ValueError as error:
        raise _neither(word, str(error)) from None
    # One with an attribute can mean nothing else: that its module is missing is better told by who imports it.
    if ":" not in word and not find(target.module, [os.getcwd()]):
        raise _neither(word, f"there is no module {target.module} here or among what is installed")
    return False


def _neither(word: str, why: str) -> Neither:
    tried = f"no such folder: {os.path.abspath(word)}"
    return Neither(f"{quoted(word)} is neither a folder nor an application:\n  {tried}\n  {why}")


def configuration_of(arguments: argparse.Namespace, control: str) -> str:
    """The text of a configuration for what was typed after `serve`.  Unclear as above."""
    mounts = demo() if arguments.demo else mount_of(arguments.what)
    given = [(key, getattr(arguments, key)) for key in OPTIONS]
    server = [f"{key} = {value}" for key, value in given if value is not None]
    return "\n".join(["[server]", *server, f"control = {written(control)}", *mounts, ""])


def mount_of(word: str) -> list[str]:
    """The lines of a section for a folder or an application.  Neither as above."""
    if is_folder(word):
        return ["[/]", f"static = {written(os.path.abspath(word))}", "listing = yes"]
    return ["[/]", f"wsgi = {word}", "path = ."]


def demo() -> list[str]:
    """The lines of the sections that show what there is.  Unclear when a library is missing.

    The page is there in a source tree alone; without it one is led to the guestbook.
    """
    from forkserver.web.extras import INSTALL, LIBRARIES  # noqa: PLC0415 - all others do without

    missing = [name for name in LIBRARIES if not importlib.util.find_spec(name)]
    if missing:
        raise Unclear(f"--demo needs the libraries {', '.join(missing)}: {INSTALL}")
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    folder = variables_text((("GUESTBOOK", os.path.join(state, "forkserver", "guestbook")),))
    page = f"static = {written(PAGE)}" if os.path.isdir(PAGE) else "redirect = /guestbook\nstatus = 302"
    return ["[/]", page, "[/guestbook]", "web = forkserver.web.guestbook", f"env = {written(folder)}"]
