"""`forkserver` with a few kinds more, made for tests: `python -m tests.launch run FILE`."""

from __future__ import annotations

import sys
from collections import ChainMap

from forkserver.apps import KINDS
from forkserver.cli import main
from tests.kinds import TEST_KINDS

EVERY_KIND = ChainMap(TEST_KINDS, KINDS)  # type: ignore[arg-type]  # nobody writes to it

if __name__ == "__main__":
    sys.exit(main(kinds=EVERY_KIND))
