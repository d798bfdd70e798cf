"""What every worker is doing, in one piece of memory that all processes share.

One slot a seat, one writer a slot: the worker that sits there (the master only clears a slot before it gives the
seat away).  Status, death reports, time limits and connection limits read just this.  Knows the layout; knows
nothing of HTTP, and takes no lock: a reader may see a number from before and one from after, never half a number.
"""

from __future__ import annotations

import enum
import mmap
from dataclasses import dataclass

SEATS = 2048  # workers of all generations at one time: the most that can be configured, and as many that drain
LINE = 256  # bytes of a request line that are kept
BUCKETS = 8192  # of client addresses, for the limit of connections a client

_HALF = BUCKETS // 2
_WORDS = 8  # 64-bit numbers a slot
_TIMES = 4  # doubles a slot
_SLOT = 8 * (_WORDS + _TIMES) + LINE


class Word(enum.IntEnum):
    """The 64-bit numbers of a slot."""

    PID = 0
    GENERATION = 1
    CONNECTIONS = 2
    REQUESTS = 3
    SENT = 4  # bytes
    LINE_LENGTH = 5  # bytes; 0 when no request is in progress


class Time(enum.IntEnum):
    """The doubles of a slot, in seconds of the monotonic clock; 0 when there is none."""

    BORN = 0
    BEGAN = 1  # the request in progress
    DEADLINE = 2  # ... and when it must have ended


# The same as plain numbers, where a worker writes for every request: an index that is an enum costs twice as much.
_CONNECTIONS, _REQUESTS, _SENT, _LINE_LENGTH = map(int, (Word.CONNECTIONS, Word.REQUESTS, Word.SENT, Word.LINE_LENGTH))
_BEGAN, _DEADLINE = int(Time.BEGAN), int(Time.DEADLINE)


@dataclass(frozen=True, slots=True)
class Seat:
    """A reading of one slot."""

    seat: int
    pid: int
    generation: int
    connections: int
    requests: int
    sent: int
    born: float
    began: float
    deadline: float
    line: str


class Slot:
    """One worker's place to write."""

    def __init__(self, memory: memoryview, clients: memoryview) -> None:
        self.words = memory[: 8 * _WORDS].cast("Q")
        self.times = memory[8 * _WORDS : 8 * (_WORDS + _TIMES)].cast("d")
        self.line = memory[8 * (_WORDS + _TIMES) :]
        self.clients = clients

    def clear(self) -> None:
        self.words[:] = memoryview(bytes(8 * _WORDS)).cast("Q")
        self.times[:] = memoryview(bytes(8 * _TIMES)).cast("d")
        self.clients[:] = memoryview(bytes(4 * BUCKETS)).cast("I")

    def count(self, connections: int, requests: int, sent: int) -> None:
        """The figures as they are now; once a turn of a worker's loop."""
        words = self.words
        words[_CONNECTIONS] = connections
        words[_REQUESTS] = requests
        words[_SENT] = sent

    def begin(self, line: bytes, now: float, deadline: float) -> None:
        """A request is handed to an application.  The length is written last: until then nobody reads the line."""
        length = min(len(line), LINE)
        self.line[:length] = line[:length]
        times = self.times
        times[_BEGAN] = now
        times[_DEADLINE] = deadline
        self.words[_LINE_LENGTH] = length

    def end(self) -> None:
        """The application has answered."""
        self.words[_LINE_LENGTH] = 0
        self.times[_DEADLINE] = 0.0

    def read(self, seat: int) -> Seat:
        words, times = self.words, self.times
        return Seat(
            seat=seat,
            pid=words[Word.PID],
            generation=words[Word.GENERATION],
            connections=words[Word.CONNECTIONS],
            requests=words[Word.REQUESTS],
            sent=words[Word.SENT],
            born=times[Time.BORN],
            began=times[Time.BEGAN],
            deadline=times[Time.DEADLINE],
            line=bytes(self.line[: words[Word.LINE_LENGTH]]).decode("latin-1"),
        )


class Scoreboard:
    """All slots; made by the master before the first fork, inherited by all."""

    def __init__(self, seats: int = SEATS) -> None:
        shared = memoryview(mmap.mmap(-1, 8 + seats * (_SLOT + 4 * BUCKETS)))  # anonymous, mmap(2)
        self._used = shared[:8].cast("Q")  # written by the master: seats below this number may be taken
        memory = shared[8:]
        clients = memory[seats * _SLOT :].cast("I")
        self.slots = tuple(
            Slot(
                memory[seat * _SLOT : (seat + 1) * _SLOT],
                clients[seat * BUCKETS : (seat + 1) * BUCKETS],
            )
            for seat in range(seats)
        )

    def give(self, seat: int, generation: int, now: float) -> None:
        """The master gives a cleared seat to a worker that it is about to have forked."""
        slot = self.slots[seat]
        slot.clear()
        slot.words[Word.GENERATION] = generation
        slot.times[Time.BORN] = now
        self._used[0] = max(self._used[0], seat + 1)

    def hold(self, slot: Slot, client: int, change: int) -> int:
        """Count a client's connections at one slot; give how many all workers hold together.

        `client` is a number for the client's address.  It is counted in two buckets, one in each half of the table, and
        the emptier one counts: only who shares both with others is taken for more than it is.
        """
        one, other = client % _HALF, _HALF + (client >> 32) % _HALF
        slot.clients[one] += change
        slot.clients[other] += change
        slots = self.slots[: self._used[0]]
        return min(sum(slot.clients[bucket] for slot in slots) for bucket in (one, other))
