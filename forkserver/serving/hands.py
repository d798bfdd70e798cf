"""A pool of threads for one stream: made when they are needed, never more than so many.

Knows jobs as callables that raise nothing; knows nothing of what they do.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Hands:
    """Jobs are given by one thread, the loop's."""

    def __init__(self, name: str, most: int) -> None:
        self.name, self.most = name, most
        self.count = 0  # threads
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def give(self, job: Callable[[], None], running: int) -> bool:
        """Have a job done, `running` being the number of jobs with this one.  False when there is nobody to do it.

        Where the system has no further thread, it is done once a thread is free.
        """
        if self.count < min(running, self.most):
            try:
                threading.Thread(target=self._live, name=f"{self.name} {self.count}", daemon=True).start()
                self.count += 1
            except RuntimeError:  # the system has no more
                if not self.count:
                    return False
        self._jobs.put(job)
        return True

    def _live(self) -> None:
        while True:
            self._jobs.get()()
