"""A pool of threads: made when needed, and no more than so many."""

from __future__ import annotations

import queue
import threading

import pytest

from forkserver.serving.hands import Hands

PATIENCE = 20.0


def test_threads_are_made_when_they_are_needed_and_used_again() -> None:
    hands = Hands("test", 2)
    names: queue.SimpleQueue[str] = queue.SimpleQueue()
    gate = threading.Semaphore(0)

    def job() -> None:
        names.put(threading.current_thread().name)
        gate.acquire()

    assert hands.give(job, 1)
    first = names.get(timeout=PATIENCE)
    assert hands.give(job, 2)
    second = names.get(timeout=PATIENCE)
    assert {first, second} == {"test 0", "test 1"}
    assert hands.give(job, 3)  # waits for one of the two
    assert hands.count == 2
    with pytest.raises(queue.Empty):
        names.get_nowait()
    gate.release()
    assert names.get(timeout=PATIENCE) in {first, second}
    gate.release(2)


def test_a_system_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands("test", 2)
    done = threading.Event()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert not hands.give(done.set, 1)
    assert hands.give(lambda: None, 1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert hands.give(done.set, 2)  # by the thread that is there
        assert done.wait(PATIENCE)
    assert hands.count == 1
