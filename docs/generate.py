"""Writes what the documents repeat of the program: two manual pages, and the tables of README.md.

    .venv/bin/python -m docs.generate

Commands and options are read from their declarations, figures from benchmarks/README.md, the rest from `words.py`.  A
test fails when a file is not what this would write.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from docs import roff, words
from forkserver import __version__
from forkserver.apps import KINDS
from forkserver.cli import EXAMPLES, parser
from forkserver.config import describe
from forkserver.config.describe import Row
from forkserver.log.format import KNOWN

ROOT = Path(__file__).parent.parent
BENCHMARKS = "benchmarks/README.md"
FIGURES = {"row": "Figures", "wsgi row": "Figures of applications"}  # first cell of an overview: its heading
QUOTED = {
    "row": (  # rows of the benchmarks that README.md repeats: those that flatter and those that do not
        "1 KiB file, the same request again and again",
        "2,000 files of 1 KiB at random",
        "1 KiB file, every query, cookie and referer new",
        "100 KiB file",
        "no such file, 404",
        "1 KiB file, a connection for each request",
    ),
    "wsgi row": (
        "13 bytes, the same request of one field",
        "13 bytes, the same request of a browser's eight fields",
        "13 bytes, every path, query, cookie and referer new",
        "POST of 2 KiB",
        "64 KiB in one piece",
        "64 KiB in 16 pieces, no length given",
    ),
}
SERVERS = {
    "row": ("forkserver", "nginx", "Apache", "uWSGI", "Granian"),
    "wsgi row": ("forkserver", "bjoern", "uWSGI", "Granian", "waitress", "gunicorn gthread"),
}
CIRCUMSTANCE = re.compile(r"- (\d{4}-\d\d-\d\d.*|.*; Linux .*|CPython [^,]*)")  # date, machine, interpreter
BLOCK = re.compile(r"(<!-- (\w+): generated -->\n)(.*?)(<!-- end -->\n)", re.DOTALL)


def main() -> None:
    """Write every file that is not as it should be, and name it."""
    for path, content in files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


def files() -> dict[Path, str]:
    """Every generated file and what it should hold."""
    readme = ROOT / "README.md"
    return {
        ROOT / "docs" / "forkserver.1": command_page(),
        ROOT / "docs" / "forkserver.ini.5": file_page(),
        readme: filled(readme.read_text(encoding="utf-8")),
    }


# The command line, as declared.


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command by name."""
    found = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


def arguments(command: argparse.ArgumentParser) -> list[argparse.Action]:
    """What may be typed after a command, without what is not for people."""
    return [one for one in command._actions if one.help != argparse.SUPPRESS and one.dest != "help"]


def spelling(name: str, command: argparse.ArgumentParser) -> str:
    """`status [--json] [FILE]`"""
    options = [one for one in arguments(command) if one.option_strings]
    places = [one for one in arguments(command) if not one.option_strings]
    spelt = [f"[{one.option_strings[0]}{'' if one.nargs == 0 else f' {one.metavar}'}]" for one in options]
    return " ".join([name, *spelt, *(f"[{one.metavar}]" if one.nargs == "?" else str(one.metavar) for one in places)])


def switches() -> Iterator[tuple[str, str]]:
    """Options of commands, with their help, each under its command's name."""
    for name, command in commands().items():
        for one in arguments(command):
            if one.option_strings:
                value = "" if one.nargs == 0 else f" {one.metavar}"
                yield f"{name} {one.option_strings[0]}{value}", (one.help or "") % {"default": one.default}


# Manual pages.


def command_page() -> str:
    """forkserver(1)."""
    spelt = [spelling(name, command) for name, command in commands().items()]
    lines = [
        roff.title("forkserver", 1, __version__, "User Commands"),
        roff.heading("Name"),
        r"forkserver \- a pre\-forking, multi\-process web server",
        roff.heading("Synopsis"),
        *[line for one in spelt for line in (roff.bold("forkserver") + " " + roff.inline(one), ".br")],
        roff.bold("forkserver") + r" \-\-help | \-\-version",
        roff.heading("Description"),
        *roff.text(words.ABOUT),
        roff.heading("Commands"),
        *roff.entries((roff.bold(name), told) for name, told in words.COMMANDS.items()),
        roff.heading("Options"),
        *roff.entries((roff.bold(name), f"{told[0].upper()}{told[1:]}.") for name, told in switches()),
        roff.heading("Exit status"),
        *roff.entries((roff.bold(str(code)), f"{told}.") for code, told in words.EXIT_CODES.items()),
        roff.heading("Signals"),
        *roff.text(words.SIGNALLED),
        *roff.entries((roff.bold(name), f"{told}.") for name, told in words.SIGNALS.items()),
        roff.heading("Environment"),
        *roff.entries((roff.bold(name), f"{told}.") for name, told in words.ENVIRONMENT.items()),
        roff.heading("Files"),
        *roff.entries((roff.bold(name), f"{told}.") for name, told in words.FILES.items()),
        roff.heading("Examples"),
        *roff.example("\n".join(line[2:] for line in EXAMPLES.splitlines() if line.startswith("  "))),
        roff.heading("See also"),
        roff.bold("forkserver.ini") + "(5), " + roff.bold("systemctl") + "(1)",
    ]
    return "\n".join([*lines, ""])


def file_page() -> str:
    """forkserver.ini(5)."""
    lines = [
        roff.title("forkserver.ini", 5, __version__, "File Formats"),
        roff.heading("Name"),
        r"forkserver.ini \- the configuration of forkserver",
        roff.heading("Description"),
        *roff.paragraphs(words.LANGUAGE),
        roff.heading("Sections"),
        *[line for section in sections() for line in section_lines(section)],
        roff.heading("Mounts"),
        *roff.paragraphs(words.MOUNTS),
        roff.heading("Streams"),
        *roff.paragraphs(words.STREAMS),
        roff.heading("Proxies"),
        *roff.paragraphs(words.PROXIES),
        roff.heading("Log formats"),
        *roff.text(f"{words.FORMATS}{KNOWN}."),
        roff.heading("Example"),
        *roff.example(words.EXAMPLE),
        roff.heading("See also"),
        roff.bold("forkserver") + "(1)",
    ]
    return "\n".join([*lines, ""])


def sections() -> list[tuple[str, list[Row]]]:
    """The options, section by section."""
    found: dict[str, list[Row]] = {}
    for row in describe.rows(KINDS):
        found.setdefault(row.section, []).append(row)
    return list(found.items())


def section_lines(section: tuple[str, list[Row]]) -> list[str]:
    name, rows = section
    head, about = words.SECTIONS[name]
    named = [(f"{roff.bold(row.key)} ({roff.inline(default_of(row))})", meaning_of(row)) for row in rows]
    return [roff.subheading(head), *roff.text(about), *roff.entries(named)]


def default_of(row: Row) -> str:
    return "must be given" if row.default is None else f"default `{row.default}`" if row.default else "default: empty"


def meaning_of(row: Row) -> str:
    return f"{row.help} A change takes a restart." if row.restart else row.help


# Tables of README.md.


def filled(readme: str) -> str:
    """README.md with each generated block written anew.  KeyError for a block that nobody knows."""
    return BLOCK.sub(lambda found: found[1] + BLOCKS[found[2]]() + found[4], readme)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    lines = [list(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def command_table() -> str:
    spelt = {name: spelling(name, command) for name, command in commands().items()}
    rows = [(f"`forkserver {spelt[name]}`", told) for name, told in words.COMMANDS.items()]
    return table(("command", "what it does"), rows)


def signal_table() -> str:
    return table(("signal", "what the master does"), words.SIGNALS.items())


def option_tables() -> str:
    """One table a section, each under its name."""
    parts = []
    for name, rows in sections():
        head, about = words.SECTIONS[name]
        lines = [
            (f"`{row.key}`", default_of(row).removeprefix("default").lstrip(": "), meaning_of(row)) for row in rows
        ]
        parts.append(f"**`{head}`** {about}\n\n{table(('option', 'default', 'meaning'), lines)}")
    return "\n".join(parts)


def figures(kind: str = "row") -> str:
    """The quoted rows of the benchmarks, with their date and machine.  KeyError when one is not there any more."""
    text = (ROOT / BENCHMARKS).read_text(encoding="utf-8")
    lines = text.partition(f"\n## {FIGURES[kind]}\n")[2].partition("\n## ")[0].splitlines()
    rows = {cells[0]: cells for cells in (split(line) for line in lines if line.startswith("| "))}
    columns = [rows[kind].index(server) for server in SERVERS[kind]]
    about = [found[1] for line in lines if (found := CIRCUMSTANCE.match(line))]
    # Behind the row's name stands what is measured, where there are several kinds of figures.
    quoted = [(name, *(rows[name][column].partition(" (")[0] for column in columns)) for name in QUOTED[kind]]
    return f"{table(('CPU µs a request', *SERVERS[kind]), quoted)}\n{'; '.join(about)}.\n"


def split(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


BLOCKS = {
    "commands": command_table,
    "signals": signal_table,
    "options": option_tables,
    "figures": figures,
    "applications": lambda: figures("wsgi row"),
}

if __name__ == "__main__":
    main()
