"""Server-sent events (WHATWG HTML section 9.2.6), for EventSource in a browser.

Knows their text form; nothing of responses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LINES = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Event:
    """One event; an empty `name` stands for `message`, and an `id` comes back when the client has to connect anew."""

    data: str
    name: str = ""
    id: str = ""
    retry: int | None = None  # milliseconds after which a client whose connection was lost comes back

    def __post_init__(self) -> None:
        """ValueError for a name or an id that would end its line."""
        if any(letter in text for text in (self.name, self.id) for letter in "\r\n\0"):
            raise ValueError("the name and the id of an event are one line each")

    def encoded(self) -> bytes:
        """As it is sent."""
        lines = [f"event: {self.name}"] if self.name else []
        lines += [f"id: {self.id}"] if self.id else []
        lines += [f"retry: {self.retry:d}"] if self.retry is not None else []
        lines += [f"data: {line}" for line in _LINES.split(self.data)]
        return "\n".join([*lines, "", ""]).encode()


def encoded_events(events: Iterable[str | Event]) -> Iterator[bytes]:
    """Events as they come; a text is the data of one."""
    try:
        for event in events:
            yield (event if isinstance(event, Event) else Event(event)).encoded()
    finally:
        close = getattr(events, "close", None)
        if close is not None:
            close()
