"""A site of Twisted Web and two protocols, as somebody would write them for twistd."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import protocol, reactor, task
from twisted.protocols import basic
from twisted.web import resource, server


class Page(resource.Resource):
    """Answers at once, later, or not at all."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def render_GET(self, request: Any) -> Any:
        if request.path == b"/raise":
            raise ValueError("asked to raise")
        if request.path == b"/later":
            task.deferLater(reactor, 0.05, self.finish, request)
            return server.NOT_DONE_YET
        return b"pid %d" % os.getpid()

    def finish(self, request: Any) -> None:
        request.write(b"later")
        request.finish()


site = server.Site(Page())


class Echo(basic.LineReceiver):
    delimiter = b"\n"

    def connectionMade(self) -> None:
        if self.transport.getPeer().__class__.__name__ == "IPv4Address":
            self.sendLine(self.transport.getPeer().host.encode())

    def lineReceived(self, line: bytes) -> None:
        if line == b"raise":
            raise ValueError("asked to raise")
        if line == b"abort":
            self.transport.abortConnection()
        if line == b"stop":
            reactor.stop()
        self.sendLine(line)


echo = protocol.Factory.forProtocol(Echo)


class Nobody(protocol.Factory):
    """Wants no connection."""

    def buildProtocol(self, address: Any) -> None:
        return None


def nobody() -> Nobody:
    return Nobody()


class Shout(protocol.DatagramProtocol):
    def datagramReceived(self, data: bytes, address: Any) -> None:
        self.transport.write(data.upper(), address)


shout = Shout()
