"""What is served without a configuration file: from what was typed to the text that such a file would hold.

Knows how a folder and an application are told apart; knows nothing of how they are served.
"""

from __future__ import annotations

import argparse
import os

from forkserver.apps.finding import find
from forkserver.apps.targets import parse_target
from forkserver.config.converters import quoted
from forkserver.config.ini import written

NAME = "command line"  # stands for the file's in complaints; relative paths start from the current folder
OPTIONS = ("listen", "workers", "threads")  # of [server], given on the command line


class Neither(ValueError):  # noqa: N818 - reads as the sentence it prints
    """A word that names neither a folder nor an application; the text says why not."""


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
    """The text of a configuration for what was typed after `serve`.  Neither as above."""
    word: str = arguments.what
    if is_folder(word):
        mount = [f"static = {written(os.path.abspath(word))}", "listing = yes"]
    else:
        mount = [f"wsgi = {word}", "path = ."]
    given = [(key, getattr(arguments, key)) for key in OPTIONS]
    server = [f"{key} = {value}" for key, value in given if value is not None]
    return "\n".join(["[server]", *server, f"control = {written(control)}", "[/]", *mount, ""])
