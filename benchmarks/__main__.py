"""The command `python -m benchmarks`: runs rows over peers in interleaved rounds and prints Markdown.

The table goes to standard output, progress to standard error.  Exit codes: 0 done, 1 a budget is broken (with
--budget) or forkserver failed a row, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence

from . import (
    cgipeer,
    cgipeers,
    cgirows,
    peers,
    report,
    rows,
    site,
    slowrows,
    streampeers,
    streamrows,
    wsgipeer,
    wsgipeers,
    wsgirows,
)
from .client import PeerError
from .peer import DESCRIPTORS, PATH, Peer
from .report import Cell, Results
from .rows import Row

ROWS: tuple[Row, ...] = (*rows.ROWS, *wsgirows.ROWS, *slowrows.ROWS, *cgirows.ROWS, *streamrows.ROWS)
PEERS: tuple[type[Peer], ...] = (*peers.PEERS, *wsgipeers.PEERS, *cgipeers.PEERS, *streampeers.PEERS)
NAMES = list(dict.fromkeys(peer.name for peer in PEERS))  # some are in both groups
# A group of rows and peers: what makes the folder that it serves.
CONTENTS = {"static": site.write, "wsgi": wsgipeer.write, "cgi": cgipeer.write, "stream": streampeers.write}


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def meant(name: str, word: str) -> bool:
    """Whether a word of an option means this name: all of it, or its beginning before a blank or dash."""
    return name.lower() == word or name.lower().startswith((word + " ", word + "-"))


def chosen(what: str, text: str, known: Sequence[str]) -> list[str]:
    """The names in a comma-separated option, in the order of `known`; an unknown one ends the program."""
    wanted = {word.strip().lower() for word in text.split(",") if word.strip()}
    unknown = {word for word in wanted if not any(meant(name, word) for name in known)}
    if unknown:
        tell(f"unknown {what}: {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
        raise SystemExit(2)
    return [name for name in known if not wanted or any(meant(name, word) for word in wanted)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rows", default="", metavar="KEY,…", help=", ".join(row.key for row in ROWS))
    parser.add_argument("--peers", default="", metavar="NAME,…", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median is taken (default: 5)")
    parser.add_argument("--seconds", type=float, default=3, help="length of a round (default: 3)")
    parser.add_argument("--budget", action="store_true", help="also judge the budgets; exit 1 if one is broken")
    return parser.parse_args()


@contextlib.contextmanager
def running(classes: Sequence[type[Peer]], folder: str, group: str) -> Iterator[list[Peer]]:
    """Start the peers on the content of their group; stop them all in the end, whatever happens."""
    root = os.path.join(folder, group, "content")
    os.makedirs(root)
    CONTENTS[group](root)
    present = [peer(os.path.dirname(root), root) for peer in classes if peer.found()]
    try:
        for peer in present:
            peer.start()
        yield present
    finally:
        for peer in present:
            peer.stop()


def attempt(cell: Cell, peer: Peer, action: str, row: Row, seconds: float) -> None:
    """Prepare or measure; what is wrong is kept in the cell, and ends the peer's part in this row."""
    if cell.failure:
        return
    try:
        figures = getattr(row, action)(peer, seconds)
    except (PeerError, OSError, http.client.HTTPException) as error:
        cell.failure = f"failed: {error or type(error).__name__}"
        tell(f"  {row.key}: {peer.name} {cell.failure}")
    else:
        if figures:
            cell.rounds.append(figures)


def run_row(row: Row, peers: Sequence[Peer], rounds: int, seconds: float, results: Results) -> None:
    """All rounds of a row, one peer after the other in each, so that a slow minute hits everybody."""
    tell(f"{row.key}: {row.title}")
    cells = {peer: results.setdefault((row.key, peer.name), Cell()) for peer in peers}
    for peer, cell in cells.items():
        cell.failure = peer.broken or peer.unable.get(row.key, "")
        attempt(cell, peer, "prepare", row, seconds)
    for _ in range(min(rounds, row.most)):
        for peer, cell in cells.items():
            attempt(cell, peer, "measure", row, seconds)
    for peer, cell in cells.items():
        value = cell.value(row.columns[0])
        tell(f"  {peer.name}: {cell.failure if value is None else report.number(value) + ' ' + row.columns[0]}")


def check_up(peers: Sequence[Peer]) -> None:
    """Wait for each peer's first answer and for its line in the log; marks as broken those that owe it."""
    for peer in peers:
        try:
            peer.up()
        except PeerError as error:
            peer.broken = f"failed: {error}"
            tell(f"{peer.name} {peer.broken}")
            with open(peer.output, errors="replace") as file:
                tell(file.read()[-2000:])


def show(results: Results, rows: Sequence[Row], classes: Sequence[type[Peer]], names: list[str]) -> None:
    """Print what there is to say of a group that has been measured."""
    parts = [report.peers_table(classes), report.overview(results, rows, names)]
    parts += [report.row_table(results, row, names) for row in rows]
    print("\n" + "\n\n".join(parts), flush=True)


def run_group(group: str, rows: Sequence[Row], classes: Sequence[type[Peer]], options: argparse.Namespace) -> Results:
    """Measure the rows of a group with its peers, which run only as long as that takes."""
    results: Results = {}
    with tempfile.TemporaryDirectory(prefix="forkserver-bench-") as folder:
        os.chmod(folder, 0o755)  # servers that give up root must be able to read the content
        with running(classes, folder, group) as present:
            check_up(present)
            for row in rows:
                run_row(row, present, options.rounds, options.seconds, results)
        show(results, rows, classes, [peer.name for peer in present])
    return results


def main() -> int:
    options = arguments()
    keys = chosen("row", options.rows, [row.key for row in ROWS])
    wanted = chosen("peer", options.peers, NAMES)
    if not shutil.which("wrk", path=PATH):
        tell("the load generator wrk is missing: apt install wrk")
        return 2
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped then, too
    results: Results = {}
    print(report.machine(), flush=True)
    for group in CONTENTS:
        rows = [row for row in ROWS if row.key in keys and row.group == group]
        classes = [peer for peer in PEERS if peer.name in wanted and peer.group == group]
        if rows and classes:
            results |= run_group(group, rows, classes, options)
    good = not any(cell.failure for (_, name), cell in results.items() if name == "forkserver")
    if options.budget:
        print("\nBudgets:\n")
        good = report.budgets(results, [row for row in ROWS if row.key in keys], print) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
