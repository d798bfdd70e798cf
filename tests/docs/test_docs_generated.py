"""What documents repeat of the program is what the program declares."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import generate, words
from forkserver import commands
from forkserver.apps import KINDS
from forkserver.config import FIXED, describe
from forkserver.process.master import ACTIONS
from tests.typed import ROOT

STALE = "stale; write it anew with: .venv/bin/python -m docs.generate"
FILES = {str(path.relative_to(ROOT)): (path, content) for path, content in generate.files().items()}
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_generated_files_are_fresh(name: str) -> None:
    path, content = FILES[name]
    assert path.read_text(encoding="utf-8") == content, STALE


def test_the_readme_has_every_block() -> None:
    assert {found[2] for found in generate.BLOCK.finditer(README)} == generate.BLOCKS.keys()


def test_every_command_is_told_of() -> None:
    assert words.COMMANDS.keys() == generate.commands().keys()
    missing = [name for name in words.COMMANDS if f"`forkserver {name}" not in README]
    assert not missing


def test_every_exit_code_is_told_of() -> None:
    assert set(words.EXIT_CODES) == {commands.DONE, commands.FAILED, commands.WRONG, commands.NOT_RUNNING}


def test_every_signal_is_told_of() -> None:
    told = {name for names in words.SIGNALS for name in names.split(", ")}
    assert told == {number.name.removeprefix("SIG") for number in ACTIONS} - {"CHLD"}


def test_every_section_is_told_of() -> None:
    assert words.SECTIONS.keys() == {*FIXED, *KINDS}


def test_every_option_is_in_readme_and_manual() -> None:
    page = (ROOT / "docs" / "forkserver.ini.5").read_text(encoding="utf-8")
    for row in describe.rows(KINDS):
        assert f"| `{row.key}` |" in README
        assert f"\n\\fB{row.key}\\fR (" in page


def test_a_block_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(KeyError):
        generate.filled("<!-- weather: generated -->\n<!-- end -->\n")


def test_manual_pages_hold_no_macro_by_accident() -> None:
    """A line of text that begins with a dot or an apostrophe would be read as an order to the formatter (man(7))."""
    known = {".TH", ".SH", ".SS", ".PP", ".TP", ".br", ".RS", ".RE", ".nf", ".fi"}
    for name in ("forkserver.1", "forkserver.ini.5"):
        lines = Path(ROOT, "docs", name).read_text(encoding="utf-8").splitlines()
        orders = {line.split(" ")[0] for line in lines if line.startswith((".", "'"))}
        assert {".TH", ".SH"} <= orders <= known
