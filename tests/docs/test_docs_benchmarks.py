"""The benchmarks hang together: groups, rows, servers, budgets and their description; measures nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks.__main__ import CONTENTS, PEERS, ROWS, chosen
from benchmarks.peer import Peer
from benchmarks.report import BUDGETS, MEASURES, Budget, Cell, number
from benchmarks.rows import Row

DESCRIPTION = (Path(__file__).parents[2] / "benchmarks" / "README.md").read_text(encoding="utf-8")
GROUP = {row.key: row.group for row in ROWS}


def test_each_group_has_rows_servers_contents_and_a_measure() -> None:
    groups = set(GROUP.values())
    assert groups == {peer.group for peer in PEERS} == set(CONTENTS) == set(MEASURES)
    assert all((name, group) in {(peer.name, peer.group) for peer in PEERS} for group, name in MEASURES.items())


def test_rows_differ_in_key_and_title_and_servers_of_a_group_in_name() -> None:
    assert len({row.key for row in ROWS}) == len({row.title for row in ROWS}) == len(ROWS)
    assert len({(peer.group, peer.name) for peer in PEERS}) == len(PEERS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_the_description_tells_what_a_row_is(row: Row) -> None:
    lines = [line for line in DESCRIPTION.splitlines() if line.startswith("| `")]
    assert any(f"`{row.key}`" in line.split("|")[1] for line in lines)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: f"{peer.group} {peer.name}")
def test_what_a_server_cannot_do_is_a_row_of_its_group(peer: type[Peer]) -> None:
    assert all(GROUP[key] == peer.group for key in peer.unable)
    assert not peer.install or peer.install == "make run" or f"`{peer.install}`" in DESCRIPTION


@pytest.mark.parametrize("budget", BUDGETS, ids=lambda budget: f"{budget.row} {budget.versus}")
def test_a_budget_compares_with_a_server_that_takes_part(budget: Budget) -> None:
    servers = {peer.name for peer in PEERS if peer.group == GROUP[budget.row] and budget.row not in peer.unable}
    assert {"forkserver", budget.versus or "forkserver"} <= servers


@pytest.mark.parametrize(
    ("budget", "figure", "holds"),
    [
        (Budget("a", 10.0), 10.0, True),
        (Budget("a", 10.0), 10.1, False),
        (Budget("a", 10.0), math.inf, False),
        (Budget("a", 95.0, least=True), 95.0, True),
        (Budget("a", 95.0, least=True), 94.0, False),
        (Budget("a", 0.5, "other"), 2.0, True),
        (Budget("a", 0.5, "other"), 2.1, False),
        (Budget("a", 0.5, "nobody"), 2.0, False),
        (Budget("a", 0.5, of="b"), 2.5, True),
        (Budget("a", 0.5, of="b"), 2.6, False),
        (Budget("a", 0.5, of="c"), 2.5, False),
    ],
)
def test_budgets_are_judged(budget: Budget, figure: float, holds: bool) -> None:
    results = {
        ("a", "forkserver"): Cell([{"x": figure}]),
        ("a", "other"): Cell([{"x": 4.0}]),
        ("b", "forkserver"): Cell([{"x": 5.0}]),
    }
    assert budget.judge(results, "x")[1] is holds


def test_a_missed_deadline_is_a_figure() -> None:
    assert number(math.inf) == "> 5 s"
    assert Cell([{"x": math.inf}, {"x": 1.0}, {"x": math.inf}]).value("x") == math.inf


def test_a_word_of_an_option_is_a_name_or_its_beginning() -> None:
    known = ["unique", "wsgi-hello", "wsgi-unique", "gunicorn sync", "gunicorn gthread"]
    assert chosen("row", "unique", known) == ["unique"]
    assert chosen("row", "wsgi", known) == ["wsgi-hello", "wsgi-unique"]
    assert chosen("peer", "Gunicorn, unique", known) == ["unique", "gunicorn sync", "gunicorn gthread"]
    with pytest.raises(SystemExit):
        chosen("row", "wsg", known)
