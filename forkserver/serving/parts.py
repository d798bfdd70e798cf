"""What one worker is made of, put together.

Knows which part needs which other one; what any of them does is known to itself, and how they are driven to
`worker.py`.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Collection
from typing import TYPE_CHECKING

from forkserver.config.options import Limits
from forkserver.http.trust import NOBODY, Trust
from forkserver.log.format import AccessFormat
from forkserver.serving.calls import Calls
from forkserver.serving.clock import Clock
from forkserver.serving.connection import Connection
from forkserver.serving.connections import Connections
from forkserver.serving.conversation import Conversations
from forkserver.serving.crew import Crew
from forkserver.serving.delivery import Delivery
from forkserver.serving.ledger import Ledger
from forkserver.serving.outside import Figures, Orders
from forkserver.serving.routing import Site
from forkserver.serving.tenure import Tenure
from forkserver.serving.upkeep import Upkeep
from forkserver.serving.watch import Watch

if TYPE_CHECKING:
    from forkserver.log import ErrorLog, LineWriter


class Parts:
    """Everything one worker process has."""

    def __init__(
        self,
        *,
        site: Site,
        limits: Limits,
        listeners: list[socket.socket],
        orders: Orders,
        figures: Figures,
        log: ErrorLog,
        access: LineWriter | None,
        access_format: AccessFormat,
        server: str,
        threads: int = 1,
        slow: ErrorLog | None = None,
        slow_after: float = 0.0,
        trust: Trust = NOBODY,
        proxied: Collection[socket.socket] = (),
    ) -> None:
        """`server` is the value of the Server field, "" for none; without `access` no access log is written.

        `proxied` are those of the listeners where connections begin with the PROXY protocol.
        Calls that take longer than `slow_after` seconds (0: any time) are told to `slow`.
        """
        self.limits, self.orders, self.figures, self.log = limits, orders, figures, log
        self.epoll = select.epoll()
        self.clock = Clock()
        self.ledger = Ledger(access, access_format)
        self.connections = Connections(
            epoll=self.epoll,
            listeners=listeners,
            limits=limits,
            clock=self.clock,
            clients=figures,
            log=log,
            trust=trust,
            proxied=proxied,
        )
        self.delivery = Delivery(
            clock=self.clock, ledger=self.ledger, log=log, server=server, close=self.connections.close
        )
        self.replies = self.delivery.replies
        self.tenure = Tenure(limits, orders, self.ledger, self.clock, log)
        self.calls: Calls | None = None
        if any(app.blocking for app in site.apps()):
            crew = Crew(threads, limits, figures)
            self.calls = Calls(
                crew=crew,
                watch=Watch(crew, limits, slow_after, slow),
                clock=self.clock,
                delivery=self.delivery,
                log=log,
                resume=self._resume,
                give_up=self.tenure.retire,
            )
        self.talk = Conversations(
            site=site,
            limits=limits,
            clock=self.clock,
            delivery=self.delivery,
            progress=figures.desk(0),
            log=log,
            calls=self.calls,
            trust=trust,
        )
        self.connections.turn_away = self.talk.turn_away
        self.talk.introduce = self.connections.introduce
        self.upkeep = Upkeep(
            connections=self.connections,
            talk=self.talk,
            tenure=self.tenure,
            orders=orders,
            limits=limits,
            read=self.read,
        )

    def _resume(self, connection: Connection) -> None:
        """Go on with a connection whose reply has moved without our socket's doing."""
        raise NotImplementedError

    def read(self, connection: Connection) -> None:
        """Do what a connection's state is for, as if its socket were ready."""
        raise NotImplementedError
