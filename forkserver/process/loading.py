"""How applications are loaded, be it in a mold or in a worker, and what is done where a fork shares too much.

Knows how a failure is told; knows nothing of what is loaded.
"""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from forkserver.process import signals
from forkserver.process.program import CannotLoad, Program

if TYPE_CHECKING:
    from forkserver.config import Config

LOAD_LIMIT = 120.0  # seconds for the applications to load


def load(program: Program, config: Config) -> Any:
    """What the program loads; CannotLoad, with a traceback where the program has no better words."""
    return _guarded(lambda: program.load(config))


def prepare(program: Program, config: Config, loaded: Any) -> None:
    """The same of what each worker loads by itself."""
    _guarded(lambda: program.prepare(config, loaded))


def _guarded(work: Callable[[], Any]) -> Any:
    """What a signal means is not for applications to say: handlers that they set while loading are taken back."""
    before = signals.handlers()
    try:
        return work()
    except CannotLoad:
        raise
    except (Exception, SystemExit):  # the applications' trouble, of whatever kind: nothing is served with them
        raise CannotLoad(traceback.format_exc()) from None
    finally:
        if changed := signals.put_back(before):
            names = ", ".join(number.name for number in changed)
            print(f"forkserver: an application handles {names} by itself; that is taken back", file=sys.stderr)


def reseed() -> None:
    """In a worker: let it draw random numbers of its own, as each fork has the state of what was loaded before."""
    random.seed()
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
