"""What the kinds of streams have in common: a section that names something of its user's.

Knows how it is named; what it is, is known to its kind.
"""

from __future__ import annotations

from typing import Any, ClassVar

from forkserver.apps.foreseeing import foresee
from forkserver.apps.targets import parse_target


class Named:
    """What one section names."""

    kind: ClassVar[str]  # the option that names it
    attribute: ClassVar[str]  # that a module alone stands for
    transports = ("tcp", "udp")

    def __init__(self, options: Any, transport: str, place: str) -> None:
        """See StreamApp."""
        self.options, self.transport, self.place = options, transport, place
        self.target = parse_target(getattr(options, self.kind), self.attribute)
        self.name = self.target.name

    def check(self) -> None:
        """Raises AppError when there is none by what can be seen without running it."""
        foresee(self.target, self.options.path)
