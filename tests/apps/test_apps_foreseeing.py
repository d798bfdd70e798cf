"""What is told of an application before any of its code is run, and what nobody can be sure of by then."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from forkserver.apps.app import AppError
from forkserver.apps.foreseeing import foresee
from forkserver.apps.targets import parse_target
from forkserver.apps.wsgi import Wsgi, WsgiOptions

NEVER = "raise RuntimeError('this is not to be run')\n"


@pytest.fixture(autouse=True)
def nothing_is_imported():
    path = sys.path[:]
    yield
    assert not [name for name in sys.modules if name.startswith("seen_")]
    assert sys.path == path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "seen_site.py": f"{NEVER}def create_app():\n    app = site = object()\n    return app\n",
        "seen_names.py": f"{NEVER}application = object()\n",
        "seen_wrong.py": "x = 1\ndef application(\n",
        "seen_nulls.py": "x = '\0'\n",
        "seen_pack/__init__.py": f"{NEVER}from . import elsewhere\n",
        "seen_pack/inner.py": f"{NEVER}try:\n    from a import app\nexcept ImportError as error:\n    raise\n",
        "seen_pack/hand.py": "__path__ = []\n",
        "seen_bare/inner.py": f"{NEVER}class Site: pass\n",
        "seen_shifting/__init__.py": f"{NEVER}__path__ = ['/elsewhere']\n",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


def told(target: str, *folders: Path | str) -> str:
    """What is foreseen; "" when nothing is."""
    try:
        foresee(parse_target(target), tuple(map(str, folders)))
    except AppError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("seen_sites:app", "there is no module seen_sites; did you mean seen_site?; looked in {folder}, "),
        ("seen_site:app", "seen_site ({folder}/seen_site.py) has no attribute app"),
        (
            "seen_site:create_ap()",
            "seen_site ({folder}/seen_site.py) has no attribute create_ap; did you mean create_app?",
        ),
        ("seen_names:app", "seen_names ({folder}/seen_names.py) has no attribute app; did you mean application?"),
        ("seen_names:app.deep", "seen_names ({folder}/seen_names.py) has no attribute app; did you mean application?"),
        (
            "seen_names.in",
            "seen_names ({folder}/seen_names.py) is a module, not a package, so there is no seen_names.in",
        ),
        (
            "seen_pack.iner",
            "the package seen_pack ({folder}/seen_pack/__init__.py) has no module iner; did you mean inner?",
        ),
        ("seen_pack:app", "seen_pack ({folder}/seen_pack/__init__.py) has no attribute app"),
        ("seen_bare.iner", "the package seen_bare ({folder}/seen_bare) has no module iner; did you mean inner?"),
        (
            "seen_bare.inner:site",
            "seen_bare.inner ({folder}/seen_bare/inner.py) has no attribute site; did you mean Site?",
        ),
        ("seen_bare:app", "seen_bare ({folder}/seen_bare) has no attribute app"),
        ("seen_wrong", "seen_wrong cannot be imported: {folder}/seen_wrong.py:2: "),
        ("seen_nulls", "seen_nulls cannot be imported: {folder}/seen_nulls.py: source code"),
    ],
)
def test_what_is_surely_not_there(folder: Path, target: str, why: str) -> None:
    assert told(target, folder).startswith(why.format(folder=folder))


def test_without_a_path_the_option_is_named() -> None:
    assert "there is no module seen_nowhere; path = FOLDER names the folder that it is in; looked in " in told(
        "seen_nowhere:app"
    )


@pytest.mark.parametrize(
    "target",
    [
        "seen_site:create_app()",
        "seen_names",
        "seen_pack.inner:app",
        "seen_pack.inner:error",
        "seen_pack:inner",  # a module of it, if somebody imports it
        "seen_pack:elsewhere",
        "seen_bare.inner:Site.deep",
        "seen_shifting.inner:app",
        "seen_pack.hand.inner:app",
        "seen_names:__doc__",
        "os.path:join",
        "_struct:app",  # no source
        "sys:app",
    ],
)
def test_what_is_there_or_may_be(folder: Path, target: str) -> None:
    assert told(target, folder) == ""


@pytest.mark.parametrize(
    "text",
    [
        "from os.path import *",
        "globals()['app'] = 1",
        "import sys\nsys.modules[__name__].app = 1",
        "import sys\nsetattr(sys.modules[__name__], 'app', 1)",
        "from sys import modules as ours\nours[__name__].app = 1",
        "def __getattr__(name): return 1",
        "exec('app = 1')",
        "def configure():\n    global app\n    app = 1\nconfigure()",
        "def configure():\n    def inner():\n        global app\n        import json as app\n",
        "if (app := 1): pass",
        "for app in (1,): pass",
        "print([app := one for one in (1,)])",
        "with open('x') as (app, *rest): pass",
        "class app: pass",
        "async def app(): pass",
        "import app.deep",
        "match 1:\n    case app: pass",
        "try: pass\nexcept* ValueError as app: pass" if sys.version_info >= (3, 11) else "import x as app",
    ],
)
def test_every_way_to_a_name_is_known_or_makes_unsure(tmp_path: Path, text: str) -> None:
    (tmp_path / "seen_way.py").write_text(NEVER + text)
    assert told("seen_way:app", tmp_path) == ""


@pytest.mark.parametrize(
    "text",
    [
        "class Site:\n    app = 1",
        "class Site:\n    def __getattr__(self, name): return 1",
        "def make(app): return app",
        *(() if sys.version_info >= (3, 12) else ("print([app for app in (1,)])",)),  # no scope of its own: PEP 709
        "print(app)",
        "make = lambda app: app",
    ],
)
def test_names_of_other_scopes_are_not_the_modules(tmp_path: Path, text: str) -> None:
    (tmp_path / "seen_way.py").write_text(textwrap.dedent(text))
    assert " has no attribute app" in told("seen_way:app", tmp_path)


def test_the_first_folder_counts(tmp_path: Path) -> None:
    for name, text in (("one", "app = 1"), ("two", "other = 1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "seen_twice.py").write_text(text)
    assert told("seen_twice:app", tmp_path / "one", tmp_path / "two") == ""
    assert told("seen_twice:app", tmp_path / "two", tmp_path / "one")


def test_a_source_in_its_own_encoding(tmp_path: Path) -> None:
    (tmp_path / "seen_latin.py").write_bytes("# coding: latin-1\näpp = 1\n".encode("latin-1"))
    assert told("seen_latin:äpp", tmp_path) == ""


def test_warnings_are_for_the_import(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    (tmp_path / "seen_warned.py").write_text("app = '\\d'\n")
    assert told("seen_warned:app", tmp_path) == ""
    assert not recwarn.list


def test_the_kind_asks(folder: Path) -> None:
    with pytest.raises(AppError, match="did you mean application"):
        Wsgi(WsgiOptions(wsgi="seen_names:app", path=(str(folder),)), "").check()
    Wsgi(WsgiOptions(wsgi="seen_names", path=(str(folder),)), "").check()
