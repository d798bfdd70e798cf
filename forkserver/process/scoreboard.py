"""What every worker is doing, in one piece of memory that all processes share.

One slot a seat, and in it one desk for each request that may be in progress.  One writer a slot, the worker that sits
there, and one thread a desk (the master only clears a slot before it gives the seat away).  Status, death reports,
time limits and connection limits read just this.  Knows the layout; knows nothing of HTTP, and takes no lock: a reader
may see a number from before and one from after, never half a number.
"""

from __future__ import annotations

import enum
import mmap
import struct
from dataclasses import dataclass

SEATS = 2048  # workers of all generations at one time: the most that can be configured, and as many that drain
DESKS = 65  # of a worker: one for each of 64 threads at most, and one for its loop
LINE = 256  # bytes of a request line that are kept
CLIENT = 48  # bytes of a client's address that are kept: more than IPv6 with its zone takes
LASTING = 1 << 16  # in place of the number of steps: it is no sign of trouble that the request lasts
BUCKETS = 8192  # of client addresses, for the limit of connections a client

_HALF = BUCKETS // 2
_WORDS = 6  # 64-bit numbers a slot, beside its desks
_TIMES = 1  # doubles
# One desk: line, client, began, deadline, steps, length of the line.  The length comes last, and packing begins with
# zeros: nobody takes a half-written record for a request.
_DESK = struct.Struct(f"={LINE}s{CLIENT}sddQQ")
_HEAD = 8 * (_WORDS + _TIMES)
_SLOT = _HEAD + DESKS * _DESK.size


class Word(enum.IntEnum):
    """The 64-bit numbers of a slot."""

    PID = 0
    GENERATION = 1
    CONNECTIONS = 2
    REQUESTS = 3
    SENT = 4  # bytes
    DESKS = 5  # those below this number may be in use; the others need not be looked at


# The same as plain numbers, where a worker writes for every request: an index that is an enum costs twice as much.
_CONNECTIONS, _REQUESTS, _SENT = map(int, (Word.CONNECTIONS, Word.REQUESTS, Word.SENT))
_BORN = 0  # seconds of the monotonic clock
_STRIDE = _DESK.size // 8  # a desk in 64-bit words, and where in it its numbers stand
_BEGAN, _DEADLINE, _STEPS, _LENGTH = range(_STRIDE - 4, _STRIDE)


@dataclass(frozen=True, slots=True)
class InProgress:
    """A reading of one desk; times are of the monotonic clock."""

    line: str
    client: str
    began: float
    deadline: float  # 0 when there is none
    steps: int  # how often the worker itself has noted that it is slow; LASTING and more: it need not be
    desk: int

    @property
    def lasts(self) -> bool:
        """Whether its reply goes on and on, in a thread that is not one of those for calls."""
        return self.steps >= LASTING


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
    in_progress: tuple[InProgress, ...]  # the longest first


class Desk:
    """Where one thread of a worker notes the request that it has in hand."""

    __slots__ = ("_memory", "_numbers", "_pack", "_times")

    def __init__(self, memory: memoryview) -> None:
        self._memory, self._pack = memory, _DESK.pack_into
        self._numbers, self._times = memory.cast("Q"), memory.cast("d")

    def begin(self, line: bytes, client: str, now: float, deadline: float) -> None:
        """A request is handed to an application; `deadline` 0: it may take for ever."""
        self._pack(self._memory, 0, line, client.encode(), now, deadline, 0, len(line))

    def end(self) -> None:
        """The application has answered."""
        self._numbers[_LENGTH] = 0

    def extend(self, deadline: float) -> None:
        """The request in hand may take longer, or less long, than was said."""
        self._times[_DEADLINE] = deadline

    def lasts(self) -> None:
        """The reply to the request in hand goes on and on: nobody needs to note that it is slow."""
        self._numbers[_STEPS] = LASTING

    def note(self, steps: int) -> None:
        """So many times by now the worker itself has written to the slow log that the request in hand is slow."""
        self._numbers[_STEPS] = steps


class Slot:
    """One worker's place to write."""

    def __init__(self, memory: memoryview, clients: memoryview) -> None:
        self.words = memory[: 8 * _WORDS].cast("Q")
        self.times = memory[8 * _WORDS : _HEAD].cast("d")
        self.desks = memory[_HEAD:]
        self._numbers = self.desks.cast("Q")
        self.clients = clients

    def clear(self) -> None:
        used = _DESK.size * min(self.words[Word.DESKS], DESKS)
        self.desks[:used] = bytes(used)
        self.words[:] = memoryview(bytes(8 * _WORDS)).cast("Q")
        self.times[:] = memoryview(bytes(8 * _TIMES)).cast("d")
        self.clients[:] = memoryview(bytes(4 * BUCKETS)).cast("I")

    def count(self, connections: int, requests: int, sent: int) -> None:
        """The figures as they are now; once a turn of a worker's loop."""
        words = self.words
        words[_CONNECTIONS] = connections
        words[_REQUESTS] = requests
        words[_SENT] = sent

    def desk(self, number: int) -> Desk:
        """A desk to write at, from now on looked at by readers; IndexError when there are not so many."""
        if not 0 <= number < DESKS:
            raise IndexError(f"no desk {number}: there are {DESKS}")
        self.words[Word.DESKS] = max(self.words[Word.DESKS], number + 1)
        return Desk(self.desks[number * _DESK.size : (number + 1) * _DESK.size])

    def read(self, seat: int) -> Seat:
        words = self.words
        return Seat(
            seat=seat,
            pid=words[Word.PID],
            generation=words[Word.GENERATION],
            connections=words[Word.CONNECTIONS],
            requests=words[Word.REQUESTS],
            sent=words[Word.SENT],
            born=self.times[_BORN],
            in_progress=self.in_progress(),
        )

    def in_progress(self) -> tuple[InProgress, ...]:
        """The requests in hand, the longest first; cheap when there is none."""
        numbers = self._numbers
        used = min(self.words[Word.DESKS], DESKS)
        busy = [number for number in range(used) if numbers[number * _STRIDE + _LENGTH]]
        return tuple(sorted(map(self._read_desk, busy), key=lambda request: request.began)) if busy else ()

    def last(self) -> InProgress | None:
        """The request that an application was handed last, answered or not; None before the first one."""
        requests = map(self._read_desk, range(min(self.words[Word.DESKS], DESKS)))
        return max((one for one in requests if one.began), key=lambda one: one.began, default=None)

    def noted(self, request: InProgress) -> int:
        """How often the worker has noted by now that a request read earlier is slow, even if it has ended meanwhile.

        What was said of it stays on its desk until another begins there.
        """
        there = self._read_desk(request.desk)
        return there.steps if there.began == request.began else 0

    def _read_desk(self, number: int) -> InProgress:
        line, client, began, deadline, steps, length = _DESK.unpack_from(self.desks, number * _DESK.size)
        return InProgress(
            line=(line[:length] if length else line.rstrip(b"\0")).decode("latin-1"),  # it stays when it is answered
            client=client.rstrip(b"\0").decode("utf-8", "replace"),
            began=began,
            deadline=deadline,
            steps=steps,
            desk=number,
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
        slot.times[_BORN] = now
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
