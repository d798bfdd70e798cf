"""From a host and a path to the application mounted there.

Knows prefixes; knows nothing of what is mounted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forkserver.apps.app import App
from forkserver.http.request import Head
from forkserver.serving.pace import Pace

if TYPE_CHECKING:
    from forkserver.policy import Policy

_SLASHES = re.compile("//+")
EVERY = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})  # of an application that takes any


@dataclass(frozen=True, slots=True)
class Mount:
    """An application bound to a URL prefix, on one host or on all."""

    host: str  # lower case, without port; "" for every host that has no mounts of its own
    prefix: str  # "" or "/shop"
    app: App
    pace: Pace = field(default_factory=Pace, compare=False)  # of a blocking application
    policy: Policy | None = None  # what holds here, whatever is mounted


class Site:
    """All mounts: the longest prefix wins, and a host that is named has only its own."""

    def __init__(self, mounts: Iterable[Mount]) -> None:
        self.hosts: dict[str, list[Mount]] = {}
        for mount in sorted(mounts, key=lambda mount: len(mount.prefix), reverse=True):
            self.hosts.setdefault(mount.host, []).append(mount)
        everywhere = self.hosts.setdefault("", [])
        # What OPTIONS * is told (RFC 9110 section 9.3.7).
        self.methods = sorted({"OPTIONS"}.union(*(app.methods or EVERY for app in self.apps())))
        self._everywhere = everywhere

    def find(self, head: Head) -> Mount | None:
        """The mount for a request; None when nothing is mounted there.

        A prefix ends at a slash: /shop holds /shop and /shop/a, not /shopping.  Nothing is mounted at //shop, which a
        folder at / would take for the same: what is said of /shop could be got round.
        """
        path = head.line.path
        mount = self._holder(head, path)
        if "//" in path and self._holder(head, _SLASHES.sub("/", path)) is not mount:
            return None
        return mount

    def _holder(self, head: Head, path: str) -> Mount | None:
        for mount in self.hosts.get(head.host, self._everywhere):
            prefix = mount.prefix
            if path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == "/"):
                return mount
        return None

    def mounts(self) -> list[Mount]:
        return [mount for of_host in self.hosts.values() for mount in of_host]

    def apps(self) -> list[App]:
        return [mount.app for mount in self.mounts()]
