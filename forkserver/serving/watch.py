"""Whoever watches the crew of one worker: that the loop is led, and that no call takes for ever.

Runs in a thread of its own that runs no application.  Knows times and what is to happen at them; how a lead is taken
and a timeout raised is known to `crew.py`.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING

from forkserver.config.options import Limits
from forkserver.log.slow import slow_record
from forkserver.serving.call import Call
from forkserver.serving.crew import Crew
from forkserver.serving.deadlines import NEVER

if TYPE_CHECKING:
    from forkserver.log import ErrorLog

TICK = 0.005  # seconds; a call that is there at two looks in a row loses its thread the lead
CALM = 20  # looks without a call, after which there is none for a while
LONGEST = 60.0  # seconds of such a rest
ALONE = 0.25  # seconds between two looks where there is nobody to take the lead
STREAM = 0.25  # seconds after which a reply that has begun and is not at its end is one that may never be
REPLACED = 60.0  # seconds in which the master has another worker in our place, having been told
STEPS = (1, 2, 4)  # times `slow_after` at which a call is noted to be slow


class Watch:
    """Looks at the crew again and again, as long as it has calls."""

    def __init__(self, crew: Crew, limits: Limits, slow_after: float, slow: ErrorLog | None) -> None:
        """`slow_after` in seconds, 0 for never."""
        self.crew, self.limits, self.slow_after, self.slow = crew, limits, slow_after, slow

    def run(self) -> None:
        """Return when the crew has ended."""
        crew = self.crew
        tick = TICK if crew.threads > 1 else ALONE
        seen: Call | None = None
        calm = 0
        while not crew.ended:
            call = crew.call
            if call is None:
                calm += 1
            elif call is seen and crew.threads > 1:
                self._depose(call)
            else:
                calm = 0
            seen = call
            now = time.monotonic()
            if call is not None or crew.running:
                self._look(now)
            if calm > CALM:
                self._rest()
                calm = 0
            else:
                time.sleep(tick)

    def _rest(self) -> None:
        """Sleep until something is due or somebody begins a call; what began before we said so is looked at first."""
        crew = self.crew
        crew.resting = True
        now = time.monotonic()
        due = self._look(now)
        if crew.call is None and not crew.ended:
            crew.alarm.acquire(timeout=min(max(due - now, 0.0), LONGEST))
        crew.resting = False

    def _depose(self, call: Call) -> None:
        if not self.crew.spare:
            self.crew.add_thread()
        self.crew.depose(call)

    def _look(self, now: float) -> float:
        """Do what is due for the calls that run; give when the next thing will be."""
        crew = self.crew
        calls = list(crew.running.values())
        if crew.threads == 1 and (call := crew.call) is not None:
            calls.append(call)
        return min((self._look_at(call, now) for call in calls), default=NEVER)

    def _look_at(self, call: Call, now: float) -> float:
        goes_on = call.box and call.box.given and not call.stream and now - call.began > STREAM
        if goes_on and self.crew.set_apart(call):
            self.crew.desk_of(call).lasts()  # it is no sign of trouble that it lasts
        steps = list(self._steps(call))
        while steps and now >= steps[0]:
            self._slow(call)
            steps.pop(0)
        if now - call.began <= STREAM:
            steps.append(call.began + STREAM)
        if not call.expired and now >= call.deadline:
            self.crew.expire(call)
        ending = call.deadline + self.limits.kill_timeout / 2
        if self.crew.threads == 1:  # nobody would hear of it: the master finds out
            return min([NEVER if call.expired else call.deadline, *steps])
        if call.expired and not call.hopeless and now >= ending:
            call.hopeless = True
            if self.crew.call is not call:  # there is somebody to ask for our replacement; else the master kills us
                self.crew.desk_of(call).extend(now + REPLACED + self.limits.graceful_timeout)
                self.crew.notice(call)
        if call.hopeless:
            return NEVER
        return min([ending if call.expired else call.deadline, *steps])

    def _steps(self, call: Call) -> Iterator[float]:
        """When it is to be noted as slow, from now on."""
        if self.slow_after and self.slow:
            since = max(call.began, call.renewed)
            yield from (since + times * self.slow_after for times in STEPS[call.steps :])

    def _slow(self, call: Call) -> None:
        """Note it once more, with the stack of its thread at this moment; the call itself does not notice."""
        times = STEPS[call.steps]
        call.steps += 1
        frame = sys._current_frames().get(call.thread or self.crew.leader_thread)
        stack = "".join(traceback.format_stack(frame)) if frame else ""
        assert self.slow is not None
        record = slow_record(
            call.head.line.text,
            call.peer[0],
            step=times,
            running=time.monotonic() - call.began,
            queued=call.began - call.queued if call.queued else 0.0,
            mount=call.mount.host + (call.mount.prefix or "/"),
            stack=stack,
        )
        self.slow.warning(record, lines=True)
        if not call.stream:
            self.crew.desk_of(call).note(call.steps)
