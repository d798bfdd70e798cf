"""What is watched, and which changes count; found without importing anything, and in broken files, too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from forkserver.watching.sources import Sources, sources_of

SECRET = "raise RuntimeError('nobody is to import this')\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a package, templates, a virtual environment and what else lies about."""
    root = tmp_path / "shop"
    for folder in (
        "shop/templates/mail",
        "shop/__pycache__",
        "venv/lib",
        ".git/refs",
        "static/node_modules/x",
        "conf.d",
    ):
        (root / folder).mkdir(parents=True)
    (root / "venv" / "pyvenv.cfg").write_text("")
    for package in ("shop", "venv/lib"):
        (root / package / "__init__.py").write_text(SECRET)
    (root / "shop" / "wsgi.py").write_text(SECRET)
    return root


def watched(text: str, name: Path, **environ: str) -> Sources:
    return sources_of(text, str(name), environ)


def under(root: Path, found: frozenset[str]) -> set[str]:
    return {str(Path(path).relative_to(root)) for path in found}


@pytest.mark.parametrize("kind", ["wsgi", "web"])
def test_a_path_is_watched_without_what_tools_keep_there(project: Path, kind: str) -> None:
    found = watched(f"[/]\n{kind} = shop.wsgi\npath = .\n", project / "server.ini")
    assert under(project, found.trees) == {".", "shop", "shop/templates", "shop/templates/mail", "static", "conf.d"}
    assert under(project, found.files) == {"server.ini"}
    assert "shop" not in sys.modules


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("shop/views.py", True),
        ("shop/templates/mail/new.html", True),
        ("other.ini", True),
        ("server.ini", True),
        ("db.sqlite3", False),
        ("shop/upload.png", False),
        ("shop/__pycache__/views.py", False),
        ("venv/lib/other.py", False),
        ("nowhere/views.py", False),
        ("../beside.py", False),
    ],
)
def test_changes_that_count(project: Path, name: str, counts: bool) -> None:
    found = watched("[/]\nwsgi = shop.wsgi\npath = .\n", project / "server.ini")
    assert found.counts(str((project / name).resolve())) is counts


def test_the_folder_of_a_package_and_the_file_of_a_module_found_elsewhere(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "single.py").write_text(SECRET)
    monkeypatch.syspath_prepend(str(project))
    found = watched("[/]\nwsgi = shop.wsgi\n[/one]\nwsgi = single:app\n", tmp_path / "server.ini")
    assert under(project, found.trees) == {"shop", "shop/templates", "shop/templates/mail"}
    assert under(tmp_path, found.files) == {"server.ini", "shop/single.py"}
    assert not found.counts(str(project / "double.py"))
    assert found.folders() == sorted([str(tmp_path), str(project), *found.trees])


def test_streams_have_sources_too(project: Path) -> None:
    (project / "single.py").write_text(SECRET)
    for option in ("handler", "protocol"):
        found = watched(f"[tcp 127.0.0.1:0]\n{option} = single:Echo\npath = .\n", project / "server.ini")
        assert found.counts(str(project / "single.py"))
        assert found.counts(str(project / "shop" / "views.py"))


def test_the_packages_that_are_installed_are_no_sources(project: Path) -> None:
    (project / "lib" / "site-packages" / "thing").mkdir(parents=True)
    found = watched("[/]\nwsgi = shop.wsgi\npath = shop, lib/site-packages\n", project / "server.ini")
    assert under(project, found.trees) == {"shop", "shop/templates", "shop/templates/mail"}


def test_included_files_and_those_that_may_turn_up(project: Path) -> None:
    (project / "conf.d" / "a.ini").write_text("[/]\nwsgi = shop.wsgi\npath = ../shop\n")
    (project / "real.ini").write_text("")
    (project / "linked.ini").symlink_to("real.ini")
    text = "[server]\ninclude = conf.d/*.ini, ${MORE}, linked.ini\n"
    found = watched(text, project / "static" / "server.ini", MORE="later.ini")
    assert under(project, found.files) == {"static/server.ini", "static/later.ini", "static/linked.ini"}
    found = watched(text, project / "server.ini", MORE="later.ini")
    assert under(project, found.files) == {"server.ini", "later.ini", "linked.ini", "real.ini", "conf.d/a.ini"}
    assert under(project, found.trees) == {"shop", "shop/templates", "shop/templates/mail"}
    assert under(project, found.others) == {".", "conf.d"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[server\nlisten\n",
        "[/]\nwsgi = shop/wsgi.py\npath = .\n",
        "[/]\nwsgi = ${NOT_SET}\n",
        "[/]\npath = .\n",
        "[/]\nstatic = .\n",
        "[/]\nwsgi = nowhere.to.be.found\n",
        "[/]\nwsgi = sys:path\n",
        "[server]\ninclude = ${NOT_SET}/*.ini\n",
    ],
)
def test_with_mistakes_the_file_itself_is_watched(project: Path, text: str) -> None:
    found = watched(text, project / "server.ini")
    assert (found.trees, under(project, found.files)) == (frozenset(), {"server.ini"})
    assert found.folders() == [str(project)]


def test_what_is_right_beside_a_mistake_is_watched(project: Path) -> None:
    found = watched("[server]\nlisten = x\n[/]\nwsgi = shop.wsgi\npath = shop\nenv = ?\n", project / "server.ini")
    assert under(project, found.trees) == {"shop", "shop/templates", "shop/templates/mail"}


def test_links_do_not_give_a_folder_a_second_name(project: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project)
    found = watched("[/]\nwsgi = shop.wsgi\npath = .\n", tmp_path / "link" / "server.ini")
    assert under(project, found.files) == {"server.ini"}
    assert found.folders() == sorted(found.trees)


def test_the_files_that_count_in_new_folders(project: Path) -> None:
    found = watched("[/]\nwsgi = shop.wsgi\npath = .\n", project / "server.ini")
    (project / "static" / "logo.png").write_text("")
    inside = found.inside([str(project / "shop"), str(project / "static"), str(project / "gone")])
    assert set(inside) == {str(project / "shop" / name) for name in ("__init__.py", "wsgi.py")}
