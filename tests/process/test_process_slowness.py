"""Slow requests that their worker does not log: when the master asks, and what it logs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkserver.log import LogFile
from forkserver.process import evidence
from forkserver.process.evidence import Evidence
from forkserver.process.scoreboard import InProgress
from forkserver.process.slowness import PATIENCE, SILENT, Slowness, steps_due

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
        self.slowness = Slowness(self.evidence)
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
        self.slowness.look({WORKER: requests}, now, after, self.file)
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
    assert [steps_due(running + PATIENCE, AFTER) for running in (0.0, 5.0, 5.1, 10.0, 10.1, 20.0, 20.1, 999.0)] == [
        *(0, 0, 1, 1, 2, 2, 3, 3)
    ]


def test_a_request_that_nobody_logs_is_logged_once_a_step(stage: Stage) -> None:
    slow = request(100.0)
    assert stage.look(107.0, slow) == ""
    assert stage.asked == 0
    assert stage.look(107.5, slow) == ""  # the answer is read at the next look
    assert stage.asked == 1
    told = stage.look(108.5, slow)
    assert "worker 3 (pid 4711): slow (1x): 'GET /slow HTTP/1.1' of 192.0.2.1 for 7.500 s\n    stack 1\n" in told
    assert told.count("\n") == 2
    assert "".join(stage.look(now, slow) for now in (109.0, 110.0, 112.0)) == ""
    assert stage.asked == 1
    stage.look(112.5, slow)
    assert "slow (2x): 'GET /slow HTTP/1.1' of 192.0.2.1 for 12.500 s\n    stack 2\n" in stage.look(113.0, slow)
    stage.look(123.0, slow)
    assert "slow (4x)" in stage.look(124.0, slow)
    assert "".join(stage.look(now, slow) for now in (200.0, 201.0, 999.0)) == ""


def test_what_its_worker_logs_is_left_to_it(stage: Stage) -> None:
    assert stage.look(108.0, request(100.0, steps=1)) == ""
    assert stage.look(113.0, request(100.0, steps=2)) == ""
    assert stage.asked == 0
    assert stage.look(123.0, request(100.0, steps=2)) == ""  # the third one is missing
    assert "slow (4x)" in stage.look(124.0, request(100.0, steps=2))


def test_the_next_request_at_a_desk_begins_anew(stage: Stage) -> None:
    stage.look(108.0, request(100.0))
    stage.look(109.0, request(108.5))
    assert stage.asked == 1
    stage.look(116.0, request(108.5))
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
