"""Slow requests that their worker does not log: when the master asks, and what it logs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkserver.log import LogFile
from forkserver.process import evidence
from forkserver.process.evidence import Evidence
from forkserver.process.scoreboard import LASTING, InProgress
from forkserver.process.slowness import ANSWER, NEVER, PATIENCE, SILENT, Slowness, steps_due

AFTER = 5.0
WORKER = (3, 4711)


def request(began: float, steps: int = 0, desk: int = 0, line: str = "GET /slow HTTP/1.1") -> InProgress:
    return InProgress(line, "192.0.2.1", began, 0.0, steps, desk)


class Stage:
    """One worker that writes a word into its notes whenever it is asked."""

    def __init__(self, file: LogFile) -> None:
        self.file, self.asked = file, 0
        self.evidence = Evidence()
        self.notes = os.memfd_create("notes")
        self.evidence.take(WORKER[0], (os.dup(self.notes),))
        self.noted: dict[InProgress, int] = {}  # by the worker itself, since it was read
        self.slowness = Slowness(self.evidence, lambda seat, request: self.noted.get(request, request.steps))
        self.next = NEVER
        self.talks = True

    def ask(self, pid: int) -> bool:
        assert pid == WORKER[1]
        self.asked += 1
        if self.talks:
            os.write(self.notes, b"stack %d\n" % self.asked)
        return self.talks

    def look(self, now: float, *requests: InProgress, after: float = AFTER) -> str:
        """The records of one look."""
        before = os.path.getsize(self.file.destination)
        self.next = self.slowness.look({WORKER: requests}, now, after, self.file)
        return Path(self.file.destination).read_text()[before:]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with LogFile(str(tmp_path / "slow.log")) as file:
        made = Stage(file)
        monkeypatch.setattr(evidence, "ask", made.ask)
        yield made
        made.evidence.let_go()
        os.close(made.notes)


def test_each_step_has_its_time() -> None:
    runnings = (0.0, 4.9, 5.0, 9.9, 10.0, 19.9, 20.0, 999.0)
    assert [steps_due(running + PATIENCE, AFTER) for running in runnings] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_request_that_nobody_logs_is_logged_once_a_step(stage: Stage) -> None:
    slow = request(100.0)
    assert stage.look(105.0, slow) == ""
    assert (stage.asked, stage.next) == (0, 105.5)
    assert stage.look(105.5, slow) == ""
    assert (stage.asked, stage.next) == (1, 105.5 + ANSWER)
    assert stage.look(105.6, slow) == ""  # the answer is not there yet
    told = stage.look(stage.next, slow)
    assert "worker 3 (pid 4711): slow (1x): 'GET /slow HTTP/1.1' of 192.0.2.1 for 5.500 s\n    stack 1\n" in told
    assert told.count("\n") == 2
    assert "".join(stage.look(now, slow) for now in (106.0, 107.0, 110.0)) == ""
    assert (stage.asked, stage.next) == (1, 110.5)
    stage.look(110.5, slow)
    assert "slow (2x): 'GET /slow HTTP/1.1' of 192.0.2.1 for 10.500 s\n    stack 2\n" in stage.look(stage.next, slow)
    assert stage.next == 120.5
    stage.look(121.0, slow)
    assert "slow (4x)" in stage.look(122.0, slow)
    assert stage.next == NEVER
    assert "".join(stage.look(now, slow) for now in (200.0, 201.0, 999.0)) == ""


def test_what_its_worker_logs_is_left_to_it(stage: Stage) -> None:
    assert stage.look(106.0, request(100.0, steps=1)) == ""
    assert stage.look(111.0, request(100.0, steps=2)) == ""
    assert stage.look(122.0, request(100.0, steps=LASTING)) == ""
    assert (stage.asked, stage.next) == (0, NEVER)
    assert stage.look(123.0, request(100.0, steps=2)) == ""  # the third one is missing
    assert "slow (4x)" in stage.look(124.0, request(100.0, steps=2))


@pytest.mark.parametrize("ended", [False, True])
def test_what_its_worker_logs_late_is_not_said_twice(stage: Stage, ended: bool) -> None:
    """Once the call has let go of the interpreter's lock, the worker may log it before the answer is read."""
    slow, other = request(100.0), request(100.1, desk=1, line="GET /other HTTP/1.1")
    stage.look(106.0, slow, other)
    stage.noted[slow] = 1
    told = stage.look(107.0, *([] if ended else [request(100.0, steps=1), other]))
    assert "slow (1x): 'GET /other HTTP/1.1'" in told
    assert "/slow" not in told
    stage.look(110.6, slow, other)
    stage.noted |= {slow: 2, other: 2}
    assert stage.look(111.0, slow, other) == ""


def test_what_is_due_while_an_answer_is_awaited_has_its_own(stage: Stage) -> None:
    one, other = request(100.0), request(100.1, desk=1)
    stage.look(105.5, one, other)
    stage.look(105.6, one, other)
    assert (stage.asked, stage.next) == (1, 105.5 + ANSWER)
    stage.look(105.7, one, other)
    assert stage.asked == 2
    assert "for 5.600 s" in stage.look(106.0, one, other)


def test_the_next_request_at_a_desk_begins_anew(stage: Stage) -> None:
    stage.look(106.0, request(100.0))
    stage.look(107.0, request(106.5))
    assert stage.asked == 1
    stage.look(112.0, request(106.5))
    assert stage.asked == 2


def test_several_requests_share_a_record(stage: Stage) -> None:
    one, other, third = request(100.0), request(101.0, desk=4, line="GET /other HTTP/1.1"), request(107.0, desk=5)
    stage.look(109.0, one, other, third)
    assert stage.asked == 1
    told = stage.look(110.0, one, other, third).split("\n")
    assert "slow (1x): 'GET /slow HTTP/1.1' of 192.0.2.1 for 9.000 s" in told[0]
    assert told[1:] == ["    serving 'GET /other HTTP/1.1' of 192.0.2.1 for 8.0 s", "    stack 1", ""]


def test_one_that_has_ended_meanwhile_is_logged_all_the_same(stage: Stage) -> None:
    stage.look(108.0, request(100.0))
    assert "slow (1x)" in stage.look(109.0)


def test_one_whose_worker_has_ended_meanwhile_is_not(stage: Stage) -> None:
    """Its death is reported, with what it wrote."""
    stage.look(108.0, request(100.0))
    stage.slowness.look({(3, 4712): ()}, 109.0, AFTER, stage.file)
    assert Path(stage.file.destination).read_text() == ""
    assert stage.evidence.notes[3].fresh() == "stack 1\n"


def test_one_that_does_not_answer_is_logged_without_a_stack(stage: Stage) -> None:
    stage.talks = False
    stage.look(108.0, request(100.0))
    assert stage.look(109.0, request(100.0)).endswith(f"for 8.000 s\n    {SILENT}\n")


def test_what_was_written_before_is_not_the_answer(stage: Stage) -> None:
    os.write(stage.notes, b"something old\n")
    stage.look(108.0, request(100.0))
    assert "something old" not in stage.look(109.0, request(100.0))


def test_without_a_time_or_a_log_nobody_is_asked(stage: Stage) -> None:
    assert stage.look(999.0, request(100.0), after=0.0) == ""
    with LogFile("none") as nowhere:
        stage.slowness.look({WORKER: (request(100.0),)}, 999.0, AFTER, nowhere)
    assert stage.asked == 0


def test_without_notes_nobody_is_asked(stage: Stage) -> None:
    stage.evidence.let_go()
    assert stage.look(108.0, request(100.0)) == ""
    assert stage.look(109.0, request(100.0)) == ""
    assert stage.asked == 0
