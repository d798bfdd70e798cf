"""What an application has to say of its trouble, as lines for the error log: `wsgi.errors` (PEP 3333), `stderr`.

Knows lines and who says them; nothing of where the lines of a log go.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable

LONGEST_LINE = 8192  # characters of a line without an end that are kept waiting for it


def to_stderr(text: str) -> None:
    """The sink of who has no other."""
    print(text, file=sys.stderr, flush=True)


class Errors:
    """A text stream that hands whole lines to a log, all at once what one call has ended, with a name before them.

    Several threads may write: each has its own line until that is whole.
    """

    def __init__(self, name: str, sink: Callable[[str], None]) -> None:
        self._name, self._sink = name, sink
        self._mine = threading.local()

    def write(self, text: str) -> int:
        """TypeError for what is not str."""
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes str, not {type(text).__name__}")
        whole, end, rest = (getattr(self._mine, "begun", "") + text).rpartition("\n")
        self._mine.begun = rest
        if end:
            self._say(whole)
        if len(rest) > LONGEST_LINE:
            self.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        """What is not a whole line by now is taken for one."""
        begun, self._mine.begun = getattr(self._mine, "begun", ""), ""
        self._say(begun)

    def _say(self, text: str) -> None:
        if text.strip():
            self._sink(f"{self._name}: {text}")
