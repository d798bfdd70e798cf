"""Ready replies: kept from the second time on, true or forgotten, and never too many."""

from __future__ import annotations

from collections.abc import Callable

from forkserver.serving.replies import ENTRIES, LARGEST, LONGEST, NOTED, Ready, Replies
from tests.serving.fakes import Stage, head_of, text

ASK = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


def ready(still: Callable[[], bool] = lambda: True) -> Ready:
    return Ready(
        head=head_of(),
        status=200,
        fields=(),
        before=b"HEAD ",
        after=b" REST\r\n\r\n",
        body=b"body",
        still=still,
        keep=True,
    )


def test_what_is_kept_is_bounded_in_number_and_size() -> None:
    replies = Replies()
    for number in range(3 * ENTRIES):
        replies.keep(b"%d" % number, ready())
    assert len(replies.memo) + len(replies.memo.old) <= 2 * ENTRIES
    for number in range(2000):
        large = ready()
        large.body = bytes(LARGEST)
        replies.keep(b"large %d" % number, large)
    kept = [*replies.memo.values(), *replies.memo.old.values()]
    assert sum(len(one.body) for one in kept) <= 32 << 20


def test_a_refreshed_reply_has_the_date() -> None:
    replies, one = Replies(), ready()
    assert replies.refresh(ASK, one, 7, b"DATE")
    assert (one.second, one.wire) == (7, b"HEAD DATE REST\r\n\r\nbody")


def test_lines_are_kept_for_a_second() -> None:
    replies, one = Replies(), ready()
    replies.note(one, "192.0.2.1", "a line\n")
    assert one.lines == {"192.0.2.1": "a line\n"}
    replies.forget_lines()
    assert one.lines == {}


def test_long_lines_and_very_many_are_not_kept() -> None:
    replies, one = Replies(), ready()
    replies.note(one, "192.0.2.1", "x" * (LONGEST + 1))
    assert one.lines == {}
    for number in range(NOTED + 1):
        replies.note(one, str(number), "a line\n")
    assert len(one.lines) == NOTED


def test_what_is_not_true_any_more_is_forgotten() -> None:
    replies, one = Replies(), ready(lambda: False)
    replies.keep(ASK, one)
    assert not replies.refresh(ASK, one, 7, b"DATE")
    assert replies.memo.get(ASK) is None


def test_nothing_is_ready_once_all_is_to_be_forgotten() -> None:
    replies = Replies()
    replies.keep(ASK, ready())
    replies.forget()
    assert replies.memo.get(ASK) is None
    replies.keep(ASK, ready())
    assert replies.memo.get(ASK) is None


def test_the_rest_of_a_reply_that_is_half_out() -> None:
    one = ready()
    Replies().refresh(ASK, one, 7, b"DATE")
    reply = one.reply(10)
    assert b"".join(bytes(part) for part in reply.parts if isinstance(part, memoryview)) == one.wire[10:]
    assert reply.head_size == len(one.wire) - len(b"body")
    assert reply.keep
    assert not one.reply(len(one.wire)).parts


def kept(stage: Stage, data: bytes = ASK, times: int = 3) -> Ready | None:
    for _ in range(times):
        assert stage.ask(data)
    return stage.delivery.replies.memo.get(data)


def test_a_still_answer_is_kept_with_all_that_is_sent() -> None:
    with Stage(text(b"a body", still=lambda: True)) as stage:
        one = kept(stage)
        assert one
        assert one.body == b"a body"
        date = stage.talk.clock.date
        assert stage.delivery.replies.refresh(ASK, one, 1, date)
        assert one.wire == stage.ask()


def test_what_is_not_kept() -> None:
    with Stage(text(b"not said to be still")) as stage:
        assert kept(stage) is None
    with Stage(text(iter([b"a", b"b"]), length=2, still=lambda: True)) as stage:
        assert kept(stage, times=1) is None
    with Stage(text(bytes(LARGEST + 1), still=lambda: True)) as stage:
        assert kept(stage) is None
    with Stage(text(b"asked once only", still=lambda: True)) as stage:
        assert kept(stage, times=1) is None
    with Stage(text(b"to a body", still=lambda: True)) as stage:
        assert kept(stage, b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx") is None
    with Stage(text(b"in parts", still=lambda: True)) as stage:
        stage.delivery.leaving = True
        stage.ask()
        assert stage.delivery.replies.memo.get(ASK) is None


def test_other_hosts_are_other_requests() -> None:
    with Stage(lambda request: text(request.head.host.encode(), still=lambda: True)(request)) as stage:
        one = kept(stage, ASK)
        two = kept(stage, ASK.replace(b"test", b"rest"))
        assert one
        assert two
        assert (one.body, two.body) == (b"test", b"rest")
