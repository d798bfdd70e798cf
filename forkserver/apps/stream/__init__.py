"""What can be served at an address of its own, without HTTP: one file a kind, one interface (`app.py`)."""

from forkserver.apps.stream.app import Host, StreamApp
from forkserver.apps.stream.handler import Handler
from forkserver.apps.stream.protocol import Protocol

__all__ = ["Handler", "Host", "Protocol", "StreamApp"]
