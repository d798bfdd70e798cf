"""What the documents show works as it is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import generate, words
from forkserver import __version__, config
from forkserver.apps import KINDS
from forkserver.config import Config, ConfigError, describe
from tests.typed import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIALS = ["docs/tutorial.md", "docs/tutorial.zh.md"]
PAGES = ["docs/cgi.md", "docs/handler.md", "docs/protocol.md", "docs/site.md", "docs/web.md", *TUTORIALS]
TEXTS = README + "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
EXAMPLES = [*re.findall(r"^```ini\n(.*?)^```$", TEXTS, re.DOTALL | re.MULTILINE), words.EXAMPLE]
DOCUMENTS = ["README.md", "CHANGELOG.md", "docs/ARCHITECTURE.md", *PAGES]

# What the mistakes are that README.md shows the complaints about.
WRONG = """\
[server]
listen = 8080
worker = 4
[limits]
idle_timeout = 75
[/]
static = {srv}/nowhere
"""


def parsed(text: str, folder: Path) -> Config:
    """A configuration as on a machine that has the folders and files it names, all below `folder`."""
    for path in re.findall(r"/srv/[\w/.-]*\w", text):
        (folder / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for path in re.findall(r"^(?:auth|error_[0-9]+) *= *(\S+)", text, re.MULTILINE):
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    moved = re.sub(r"(?<=[ -])/(?=srv/|var/|etc/)", f"{folder}/", text)
    return config.parse(moved, str(folder / "server.ini"), KINDS, environ={})


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_good(text: str, tmp_path: Path) -> None:
    made = parsed(text, tmp_path)
    assert made.mounts or made.streams


def test_the_map_of_a_site(tmp_path: Path) -> None:
    made = parsed(next(text for text in EXAMPLES if "[/downloads]" in text), tmp_path)
    mounts = {config.section_of(mount): mount.kind for mount in made.mounts}
    assert mounts == {
        "/": "static",
        "/downloads": "static",
        "/old": "redirect",
        "blog.example.org/": "static",
        "blog.example.org/feed": "redirect",
    }


def test_the_complaints_are_those_that_are_shown(tmp_path: Path) -> None:
    name = str(tmp_path / "server.ini")
    with pytest.raises(ConfigError) as caught:
        config.parse(WRONG.format(srv=tmp_path), name, KINDS)
    said = str(caught.value).replace(f"{tmp_path}/nowhere", "/srv/nowhere").replace(name, "/etc/forkserver/server.ini")
    shown = [line.strip() for line in README.splitlines() if re.match(r" {4}/etc/forkserver/server\.ini:\d", line)]
    assert said.splitlines() == shown


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    document = ROOT / name
    text = document.read_text(encoding="utf-8")
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in text.splitlines()}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif "://" not in target:
            assert (document.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_are_named_exist(name: str) -> None:
    """Paths between backquotes that begin with a folder of ours; the rooms may be named without the package."""
    text = (ROOT / name).read_text(encoding="utf-8")
    rooms = [folder.name for folder in (ROOT / "forkserver").iterdir() if folder.is_dir()]
    ours = "|".join([*rooms, "forkserver", "tests", "docs", "conf", "systemd", "benchmarks"])
    for path in re.findall(rf"`((?:{ours})/[\w./-]+)`", text):
        assert (ROOT / path).exists() or (ROOT / "forkserver" / path).exists(), path


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^ {4}|`)make ([a-z]+)", README, re.MULTILINE))))
def test_make_knows_the_targets_that_are_named(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_settings_of_other_servers_lead_to_options_that_there_are() -> None:
    """The words between backquotes in the right column, such as `workers = MIN-MAX` or `forkserver reload`."""
    options = {row.key for row in describe.rows(KINDS)}
    section = README.partition("\n## Coming from gunicorn or uWSGI\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `.*\| ([^|]+) \|$", section, re.MULTILINE)
    assert len(rows) > 40
    for word in re.findall(r"`([^`]+)`", "\n".join(rows)):
        name, *more = word.split(" ")
        if name == "forkserver":
            assert more[0] in words.COMMANDS
            assert all(option in generate.commands()[more[0]].format_help() for option in more[1:]), word
        elif not name.startswith(("[", "/", "wsgi.")):
            assert name in options, word


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(
        r"^## \[([^\]]+)\] - (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert versions[0][0] == __version__
    assert re.fullmatch(r"unreleased|\d{4}-\d\d-\d\d", versions[0][1])
