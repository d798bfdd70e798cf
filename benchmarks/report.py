"""Figures into Markdown: the machine, the peers, the table with ratios, and the budgets that must hold."""

from __future__ import annotations

import datetime
import math
import os
import platform
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from .peer import Peer
from .rows import DEADLINE, Figures, Row


@dataclass
class Cell:
    """What one peer did in one row: a round's figures each, or why there are none."""

    rounds: list[Figures] = field(default_factory=list)
    failure: str = ""

    def value(self, column: str) -> float | None:
        """The median over the rounds; None when the row failed or was not run."""
        return None if self.failure or not self.rounds else median(figures[column] for figures in self.rounds)

    def spread(self, column: str) -> str:
        values = [figures[column] for figures in self.rounds]
        return f"{number(min(values))} to {number(max(values))}"


Results = dict[tuple[str, str], Cell]  # (row key, peer name)


@dataclass(frozen=True)
class Budget:
    """`forkserver`'s figure in a row's first column is at most `limit`, or `limit` times that of `versus`.

    With `least` it is at least that.  With `of` it is compared with its own figure in another row, of the same column.
    """

    row: str
    limit: float
    versus: str = ""
    least: bool = False
    of: str = ""

    def judge(self, results: Results, column: str) -> tuple[str, bool]:
        """(sentence, holds); a figure that is missing does not hold."""
        ours = results.get((self.row, "forkserver"), Cell()).value(column)
        other = self.of or self.versus
        compared = (self.of, "forkserver") if self.of else (self.row, self.versus)
        base = results.get(compared, Cell()).value(column) if other else 1.0
        sign = "≥" if self.least else "≤"
        wish = f"{self.row}: {column} {sign} {self.limit:.3g}" + (f" of {other}" if other else "")
        if ours is None or not base:
            return f"{wish}: not measured", False
        ratio = ours / base
        return f"{wish}: {two_places(ratio)}", ratio >= self.limit if self.least else ratio <= self.limit


BUDGETS = (
    Budget("static", 0.95, "nginx"),
    Budget("unique", 2.3, "bare loop"),
    Budget("unique", 0.7, "uWSGI"),
    Budget("100k", 1.1, "nginx"),
    Budget("close", 1.2, "nginx"),
    Budget("idle", 2.0),
    Budget("cold", 150.0),
    Budget("wsgi-hello", 1.5, "bjoern"),
    Budget("wsgi-hello", 0.5, "uWSGI"),
    Budget("wsgi-hello", 1 / 15, "gunicorn gthread"),
    Budget("web-hello", 0.9, of="wsgi-hello"),
    Budget("wsgi-unique", 0.7, "uWSGI"),
    Budget("wsgi-slow10", 95.0, least=True),
    Budget("wsgi-beside", 10.0),
    Budget("wsgi-silent", 10.0),
    Budget("wsgi-half-head", 10.0),
    Budget("wsgi-half-body", 10.0),
    Budget("wsgi-unread", 10.0),
    Budget("cgi-python", 1 / 15, "forkserver cold"),
)
MEASURES = {
    "static": "nginx",
    "wsgi": "gunicorn gthread",
    "stream": "ThreadingTCPServer",
    "cgi": "Apache mod_cgi",
}  # with whom the others of a group are compared


def number(value: float) -> str:
    """Three digits that matter, thousands parted; an infinite time is one that a deadline has ended."""
    if value == math.inf:
        return f"> {DEADLINE:g} s"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def two_places(ratio: float) -> str:
    """A ratio with two places, or with as many as a small one needs."""
    return f"{ratio:.2f}" if ratio >= 0.1 else number(ratio)


def table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table, the first column to the left, the others to the right."""
    names = list(head)
    rule = ["---", *(["---:"] * (len(names) - 1))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [names, rule, *lines])


def first_line(path: str, key: str) -> str:
    """The value of a file's first `key: value` or `key=value` line, without quotes; empty when missing."""
    with open(path) as file:
        values = (line.replace("=", ":", 1).partition(":")[2] for line in file if line.startswith(key))
        return next(values, "").strip().strip('"')


def machine() -> str:
    """Date, processor, kernel, system and interpreter, as a Markdown list."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = "named" if "--enable-optimizations" in options else "not named"
    when = f"{datetime.datetime.now().astimezone():%Y-%m-%d %H:%M %Z}"
    processor = f"{first_line('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores"
    system = f"Linux {platform.release()}, {first_line('/etc/os-release', 'PRETTY_NAME')}"
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as file:
        system += f", TCP with {file.read().strip()}"
    python = f"{platform.python_implementation()} {platform.python_version()}, {os.path.realpath(sys.executable)}"
    built = f"--enable-optimizations is {optimised} in its CONFIG_ARGS"
    return f"- {when}\n- {processor}; {system}\n- {python}; {built}"


def peers_table(peers: Iterable[type[Peer]]) -> str:
    """The servers with version and set-up; those that are missing with the command that brings them."""
    return table(
        ("server", "version", "set-up"),
        (
            (peer.name, peer.version(), peer.setup)
            if peer.found()
            else (peer.name, "not installed", f"`{peer.install}`")
            for peer in peers
        ),
    )


def ratio(results: Results, row: Row, name: str) -> str:
    """A peer's first figure over that of the server which is the measure of the group."""
    ours = results.get((row.key, name), Cell()).value(row.columns[0])
    base = results.get((row.key, MEASURES[row.group]), Cell()).value(row.columns[0])
    return two_places(ours / base) if ours is not None and base and math.inf not in (ours, base) else ""


def row_table(results: Results, row: Row, names: Iterable[str]) -> str:
    """One row of the comparison, a line for each server."""
    main, *others = row.columns

    def line(name: str) -> list[str]:
        cell = results[row.key, name]
        if cell.value(main) is None:
            return [name, cell.failure, *[""] * (len(others) + 2)]
        rest = [number(cell.value(column) or 0.0) for column in others]
        return [name, number(cell.value(main) or 0.0), ratio(results, row, name), cell.spread(main), *rest]

    present = [name for name in names if (row.key, name) in results]
    body = table((f"**{row.key}**", main, f"of {MEASURES[row.group]}", "least to most", *others), map(line, present))
    return f"{row.title[0].upper()}{row.title[1:]}:\n\n{body}"


def overview(results: Results, rows: Sequence[Row], names: list[str]) -> str:
    """The first figure of each row, side by side, with the ratio to the measure of the group."""

    def entry(row: Row, name: str) -> str:
        value = results.get((row.key, name), Cell()).value(row.columns[0])
        against = ratio(results, row, name)
        return "-" if value is None else number(value) + (f" ({against})" if against else "")

    return table(
        ("row" if rows[0].group == "static" else f"{rows[0].group} row", "figure", *names),
        ([row.title, row.columns[0], *(entry(row, name) for name in names)] for row in rows),
    )


def budgets(results: Results, rows: Iterable[Row], echo: Callable[[str], None]) -> bool:
    """Say of each budget of the rows that were run whether it holds; True when all do."""
    columns = {row.key: row.columns[0] for row in rows}
    verdicts = [budget.judge(results, columns[budget.row]) for budget in BUDGETS if budget.row in columns]
    for sentence, holds in verdicts:
        echo(f"- {'holds' if holds else '**broken**'}: {sentence}")
    return all(holds for _, holds in verdicts)
