"""The table of who may import whom, read from the source of every file.

Imports for type checkers alone are exempt: nothing of them is there when the program runs.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.typed import ROOT

PACKAGE = ROOT / "forkserver"
FILES = sorted(PACKAGE.rglob("*.py"))
JOINERS = {"assembly", "daemon", "commands", "onthespot", "cli", "__main__"}  # what joins the halves
MAY = {  # room → the rooms it may import at run time, besides itself
    "http": set(),
    "config": {"log"},  # whose formats it checks
    "log": set(),
    "web": {"http"},
    "apps": {"http", "config", "web"},
    "policy": {"apps", "http", "config"},
    "serving": {"apps", "policy", "http", "config", "log"},
    "process": {"config", "log"},
    "watching": {"apps", "config", "process"},
    "": set(),  # the package itself knows its version
}
NEVER_IN_HTTP = {"os", "socket", "time", "threading", "select", "asyncio"}


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def statements(node: ast.AST) -> list[ast.AST]:
    """All nodes that are there at run time."""
    found = [node]
    for child in ast.iter_child_nodes(node):
        if not for_type_checkers(child):
            found += statements(child)
        else:
            assert isinstance(child, ast.If)
            for other in child.orelse:
                found += statements(other)
    return found


MODULES = {module_of(file) for file in FILES}


def imports(file: Path) -> set[str]:
    """The modules that a file imports at run time; `from package import module` counts as the module."""
    found: set[str] = set()
    for node in statements(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            assert node.module
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                found.add(deeper if deeper in MODULES else node.module)
    return found


def room(module: str) -> str:
    """`forkserver.http.fields` → `http`; `forkserver` → ``."""
    return module.split(".")[1] if "." in module else ""


IMPORTS = {module_of(file): imports(file) for file in FILES}
OURS = {module: {name for name in names if name in MODULES} for module, names in IMPORTS.items()}


def test_there_is_something_to_look_at() -> None:
    assert {"http", "process", "serving", "apps", "config", "log"} <= {room(module) for module in MODULES}
    assert len(MODULES) > 50


@pytest.mark.parametrize("module", sorted(module for module in MODULES if room(module) not in JOINERS))
def test_imports_point_down(module: str) -> None:
    own = room(module)
    others = {room(name) for name in OURS[module]} - {own, ""}
    assert others <= MAY[own], f"{module} imports {sorted(OURS[module])}"


def test_only_the_joiners_know_both_halves() -> None:
    both = {
        room(module)
        for module in MODULES
        if {"process", "serving"} <= {room(name) for name in OURS[module]} | {room(module)}
    }
    assert both == {"assembly"}


def test_the_protocol_is_pure() -> None:
    assert {
        module: names & NEVER_IN_HTTP
        for module, names in IMPORTS.items()
        if room(module) == "http" and {name.split(".")[0] for name in names} & NEVER_IN_HTTP
    } == {}


def test_nothing_imports_the_joiners_but_joiners() -> None:
    assert {
        module: joined
        for module, names in OURS.items()
        if room(module) not in JOINERS and (joined := {name for name in names if room(name) in JOINERS})
    } == {}


def test_no_cycles() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join((*path[path.index(module) :], module))
        if module not in done:
            for name in OURS[module]:
                visit(name, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())
    assert done == MODULES


def test_one_function_forks() -> None:
    """In each of the two programs: the zygote of scripts is one of its own, and imports nothing of ours."""
    found = [
        f"{module_of(file)}: {ast.unparse(node)}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("fork", "forkpty") and ast.unparse(node.value) == "os"
    ]
    assert found == ["forkserver.apps.cgi.zygote: os.fork", "forkserver.process.forking: os.fork"]
    for module in ("zygote", "warmscript"):
        assert OURS[f"forkserver.apps.cgi.{module}"] == set()


LOADED = """
import sys
import forkserver.process.master
print(*sorted(name for name in sys.modules if name.startswith("forkserver")))
print(*sorted({"threading", "asyncio", "http", "logging", "daemon"} & set(sys.modules)))
"""


def test_the_master_alone_loads_no_http() -> None:
    told = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    ours, theirs = told.stdout.splitlines()
    assert {room(module) for module in ours.split()} == {"", "process", "config", "log"}
    assert "asyncio" not in theirs.split()
    assert "http" not in theirs.split()


LIGHT = """
import sys
from forkserver.apps import KINDS
dict(KINDS)
assert "forkserver.web" not in sys.modules
print(*sorted({"asyncio", "http.server", "twisted"} & set(sys.modules)))
import forkserver.web
print(*sorted({"jinja2", "itsdangerous", "multipart", "http.cookies", "asyncio", "sqlite3"} & set(sys.modules)))
"""


def test_kinds_load_no_loop_and_no_api_before_one_is_served() -> None:
    """Who serves no site does not wait for it, and who writes one waits for no library that is not used."""
    told = subprocess.run([sys.executable, "-c", LIGHT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == []


PLAIN = """
import sys
from forkserver import assembly, config
from forkserver.apps import KINDS
made = config.parse("[/]\\nstatic = /\\n", "server.ini", KINDS)
assembly.Server(lambda: made, KINDS).load(made)
rooms = ("forkserver.policy", "forkserver.web", "forkserver.apps.")
print(*sorted(name for name in sys.modules if name.startswith(rooms)))
"""


def test_a_start_waits_for_no_kind_and_no_rules_that_nobody_has() -> None:
    told = subprocess.run([sys.executable, "-c", PLAIN], cwd=ROOT, capture_output=True, text=True, check=True)
    others = ("cgi", "redirect", "web", "wsgi", "stream.handler", "stream.protocol", "stream.loops", "stream.reactors")
    loaded = told.stdout.split()
    assert "forkserver.apps.static" in loaded
    assert [name for name in loaded if name.removeprefix("forkserver.apps.").startswith(others)] == []
    assert [name for name in loaded if not name.startswith("forkserver.apps.")] == []
