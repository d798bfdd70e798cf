"""One request in the hands of an application that may take its time.

It is what the application is given, and where its answer gathers; the thread that runs the application writes it, and
whoever leads the loop reads it.  Knows pieces and their order; knows nothing of threads and sockets but through its
crew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Protocol

from forkserver.http.request import Asked, Request
from forkserver.http.response import Response, has_body
from forkserver.serving.outbox import Outbox

if TYPE_CHECKING:
    from forkserver.serving.connection import Connection
    from forkserver.serving.routing import Mount
    from forkserver.serving.spool import Spool


class Stage(Protocol):
    """The crew as a call needs it."""

    def outbox(self) -> Outbox: ...

    def given(self, call: Call) -> None: ...

    def wait_for_room(self, call: Call) -> None: ...

    def extended(self, call: Call, seconds: float) -> float: ...


class Call(Request):
    """A request, and what its application has made of it so far; times are of the monotonic clock."""

    # One dictionary an instance, and these for what it does not have: nearly every call ends without touching them.
    response: Response | None = None  # as soon as the application has said it
    box: Outbox | None = None  # where the pieces of its body wait
    bare: bool = False  # ... of which nobody wants any (HEAD, 204, 304)
    whole: bool = False  # all of the body is there
    error: BaseException | None = None  # what it failed with instead
    over: bool = False  # its thread is done with it
    gone: bool = False  # nobody waits for the answer any more
    expired: bool = False  # it has had its time
    hopeless: bool = False  # ... and does not even react to being told
    told: bool = False  # the log has been told so
    noticed: bool = False  # the loop will look at it
    thread: int = 0  # its identifier, while it runs
    member: int = -1  # the number of its thread in the crew
    queued: float = 0.0  # since when it waits for a thread, or did
    began: float = 0.0  # 0.0 while it waits for a thread
    renewed: float = 0.0  # when the application last gave something of its answer, or the client took something
    stream: bool = False  # its answer goes on and on
    deadline: float = 0.0
    steps: int = 0  # times it was noted to be slow
    spool: Spool | None = None  # its body, when the connection has no use for that any more

    def __init__(  # noqa: PLR0917 - by name it would cost twice as much
        self, asked: Asked, body: bytes | BinaryIO, now: float, connection: Connection, mount: Mount, stage: Stage
    ) -> None:
        self.asked, self.ends, self.body, self.now = asked, connection.ends, body, now
        self.connection, self.mount, self.stage = connection, mount, stage

    # What an application may do with it.

    def begin(self, response: Response) -> Callable[[bytes], None]:
        """See Request.  RuntimeError the second time."""
        if self.response is not None:
            raise RuntimeError("the answer has begun already")
        self.open(response)
        self.bare = not has_body(self.head.line.method, response.status)
        return self.put

    def extend(self, seconds: float = 0.0) -> float:
        """See Request."""
        return self.stage.extended(self, seconds)

    # What its thread does with it.

    def open(self, response: Response) -> None:
        """From now on pieces of the response's body can be put."""
        if self.box is None:
            self.box = self.stage.outbox()
            if self.gone:  # whoever left before this had nothing to close
                self.box.close()
        self.response = response

    def put(self, piece: bytes) -> None:
        """One piece of the body; waits for the client when there is too much of it already.

        Where there is no body it is dropped, and renews no time.
        TypeError for what is not bytes, ConnectionAbortedError when the client has left.
        """
        if not isinstance(piece, bytes):
            raise TypeError(f"a piece of a body is bytes, not {type(piece).__name__}")
        box = self.box
        assert box is not None
        if piece and not self.bare:
            while not box.put(piece):
                self.stage.wait_for_room(self)
            self.stage.given(self)

    def failed(self, error: BaseException) -> None:
        """The application gave up, or was made to; once the answer is whole that is nothing to the client."""
        if not self.whole:
            self.error = error

    # What the loop does with it.

    def __iter__(self) -> Call:
        return self

    def __next__(self) -> bytes:
        """What there is of the body; b"" when there is nothing at present.  Raises what the application raised."""
        box, whole = self.box, self.whole  # in this order: what came before the end is there
        assert box is not None
        if portion := box.take():
            return portion
        if self.error is not None:
            raise self.error
        if whole:
            raise StopIteration
        return b""
