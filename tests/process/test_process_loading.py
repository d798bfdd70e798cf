"""Loading what may fail in any way, and random numbers after a fork."""

from __future__ import annotations

import random
import sys
from types import ModuleType
from typing import Any

import pytest

from forkserver.process.loading import load, reseed
from forkserver.process.program import CannotLoad


class FakeProgram:
    """Loads to what it was made of: a value, or something to raise."""

    def __init__(self, made_of: Any) -> None:
        self.made_of = made_of

    def load(self, config: Any) -> Any:
        if isinstance(self.made_of, BaseException):
            raise self.made_of
        return self.made_of


def loaded(made_of: Any) -> Any:
    return load(FakeProgram(made_of), None)  # type: ignore[arg-type]  # a fake


def test_what_is_loaded_is_given() -> None:
    assert loaded("a site") == "a site"


def test_the_programs_own_words_stay() -> None:
    with pytest.raises(CannotLoad, match=r"^no such folder$"):
        loaded(CannotLoad("no such folder"))


@pytest.mark.parametrize("error", [ValueError("seven"), SystemExit("seven")], ids=repr)
def test_anything_else_is_told_with_its_traceback(error: BaseException) -> None:
    with pytest.raises(CannotLoad, match=r"(?s)^Traceback .*: seven\n$"):
        loaded(error)


def test_an_interruption_is_no_failure() -> None:
    with pytest.raises(KeyboardInterrupt):
        loaded(KeyboardInterrupt())


def test_reseeding_ends_a_sequence() -> None:
    random.seed(4)
    expected = random.Random(4).random()
    reseed()
    assert random.random() != expected


def test_numpy_is_reseeded_where_it_was_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[bool] = []
    module = ModuleType("numpy.random")
    module.seed = lambda: seeded.append(True)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "numpy.random", module)
    reseed()
    assert seeded == [True]
    monkeypatch.delitem(sys.modules, "numpy.random")
    reseed()
    assert seeded == [True]
