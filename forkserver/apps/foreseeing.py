"""What loading will run into, told without running any code of an application.

Knows modules as specs and sources; says nothing where only importing them would tell.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from symtable import SymbolTable, symtable

from forkserver.apps.app import AppError
from forkserver.apps.finding import find, no_attribute, no_module, no_submodule
from forkserver.apps.targets import Target

# Where one of these is used, a module may get names that none of its statements shows; "*" is all of another's.
BY_HAND = {
    "*",
    "__dict__",
    "__getattr__",
    "__path__",
    "eval",
    "exec",
    "globals",
    "locals",
    "modules",
    "setattr",
    "vars",
}


@dataclass(frozen=True)
class Source:
    """A module that has not been run."""

    names: frozenset[str]  # that it has when it has run
    words: frozenset[str]  # that it uses anywhere, attributes included

    @property
    def plain(self) -> bool:
        """Whether no other names than those are to be had from it."""
        return BY_HAND.isdisjoint(self.names | self.words)


def foresee(target: Target, folders: tuple[str, ...]) -> None:
    """AppError when loading the target will surely fail, because it is not there or no Python; else nothing."""
    first, *deeper = target.module.split(".")
    spec = find(first, folders)
    if spec is None and first not in sys.modules:
        raise AppError(no_module(first, folders, [*folders, *sys.path]))
    for name in deeper:
        spec = spec and _below(spec, name)
    if spec:
        _refuse_absent(target.attribute.partition(".")[0], spec)


def _below(package: ModuleSpec, name: str) -> ModuleSpec | None:
    """The module of a package; None when there is no telling."""
    source = _source_of(package)
    full = f"{package.name}.{name}"
    found = _search(full, package.submodule_search_locations)
    if found is None and source and source.plain:
        raise AppError(no_submodule(full, _home(package), package.submodule_search_locations))
    return found


def _search(name: str, places: Iterable[str] | None) -> ModuleSpec | None:
    """What an import would find in a package's folders; importlib.util.find_spec() would run the package for that."""
    if places is None:
        return None
    specs = (finder.find_spec(name, list(places)) for finder in sys.meta_path)
    return next(filter(None, specs), None)


def _refuse_absent(attribute: str, spec: ModuleSpec) -> None:
    """AppError when a module will not have this attribute."""
    source = _source_of(spec)
    if not source or not source.plain or attribute in source.names or attribute.startswith("__"):
        return
    if _search(f"{spec.name}.{attribute}", spec.submodule_search_locations):  # importing it makes it an attribute
        return
    raise AppError(no_attribute(attribute, spec.name, _home(spec), source.names))


def _home(spec: ModuleSpec) -> str:
    return spec.origin or ", ".join(spec.submodule_search_locations or ())


def _source_of(spec: ModuleSpec) -> Source | None:
    """None when there is none that can be read; AppError when it is no Python."""
    if spec.loader is None:  # a folder alone (PEP 420)
        return Source(frozenset(), frozenset())
    if not isinstance(spec.loader, SourceFileLoader):
        return None
    try:
        text = spec.loader.get_source(spec.name)
    except ImportError:  # not for our eyes
        return None
    return _parsed(text or "", spec)


def _parsed(text: str, spec: ModuleSpec) -> Source:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are shown when it is imported
            tree, table = ast.parse(text), symtable(text, spec.origin or "", "exec")
    except (SyntaxError, ValueError) as error:  # the latter of Python 3.10 for what holds null bytes
        line = getattr(error, "lineno", None)
        where = f"{spec.origin}:{line}" if line else spec.origin
        raise AppError(f"{spec.name} cannot be imported: {where}: {error.args[0]}") from None
    # Where comprehensions have no scope of their own (PEP 709), the table does not say what := binds in them.
    bound = {node.target.id for node in ast.walk(tree) if isinstance(node, ast.NamedExpr)}
    return Source(frozenset(_names(table, top=True) | bound), frozenset(_words(tree)))


def _names(table: SymbolTable, *, top: bool) -> set[str]:
    """The names that a module has once its statements and functions have run (those declared global in them)."""
    here = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if (symbol.is_assigned() or symbol.is_imported()) and (top or symbol.is_declared_global())
    }
    return here.union(*(_names(child, top=False) for child in table.get_children()))


def _words(tree: ast.Module) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name
