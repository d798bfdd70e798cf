"""How requests share a connection: one after the other, many at once, cut anywhere, and when it ends."""

from __future__ import annotations

import pytest

from tests.wire.hosts import Host, Kind
from tests.wire.talk import Talk, chunked, request

NOWHERE = "/nowhere"  # where nothing is mounted


def test_keep_alive_is_the_rule_of_http_1_1(host: Host, kind: Kind) -> None:
    with host.talk() as talk:
        answers = [talk.ask(request("GET", kind.good)) for _ in range(5)]
        assert {answer.status for answer in answers} == {200}
        assert all("connection" not in answer.fields for answer in answers)


def test_connection_close_is_obeyed(host: Host, kind: Kind) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("GET", kind.good, "Connection: close"))
        assert (answer.status, answer.fields["connection"]) == (200, "close")
        assert talk.ended()


def test_http_1_0_ends_with_its_answer(host: Host, kind: Kind) -> None:
    with host.talk() as talk:
        answer = talk.ask(request("GET", kind.good, version="1.0", host=None))
        assert (answer.status, answer.fields["connection"], answer.framing) == (200, "close", "length")
        assert talk.ended()


def test_http_1_0_may_ask_to_stay(host: Host, kind: Kind) -> None:
    with host.talk() as talk:
        for _ in range(3):
            answer = talk.ask(request("GET", kind.good, "Connection: keep-alive", version="1.0"))
            assert (answer.status, answer.fields["connection"], answer.framing) == (200, "keep-alive", "length")
        assert talk.ask(request("GET", kind.good)).status == 200  # and go on in 1.1
        assert talk.ask(request("GET", kind.good, version="1.0")).fields["connection"] == "close"
        assert talk.ended()


def test_pipelined_requests_are_answered_in_order(host: Host, kind: Kind) -> None:
    etag = ""
    if kind.validated:
        with host.talk() as talk:
            etag = talk.ask(request("GET", kind.good)).fields["etag"]
    round_of_four = [
        (request("GET", kind.good), "GET", 200),
        (request("HEAD", kind.good), "HEAD", 200),
        (request("GET", NOWHERE), "GET", 404),
        (request("GET", kind.good, f"If-None-Match: {etag}"), "GET", 304)
        if etag
        else (request("OPTIONS", "*"), "", 204),
    ]
    asked = round_of_four * 25
    with host.talk() as talk:
        talk.send(b"".join(data for data, _, _ in asked))
        assert [talk.reply(method).status for _, method, _ in asked] == [status for _, _, status in asked]


def test_pipelined_large_answers_come_whole_and_in_order(host: Host) -> None:
    with host.talk() as talk:
        talk.send((request("GET", "/static/large.bin") + request("GET", "/static/small.txt")) * 4)
        sizes = [len(talk.reply().body) for _ in range(8)]
        assert sizes == [1 << 20, 6] * 4


def test_nothing_after_connection_close_is_answered(host: Host, kind: Kind) -> None:
    with host.talk() as talk:
        talk.send(request("GET", kind.good, "Connection: close") + request("GET", kind.good) * 3)
        assert talk.reply().status == 200
        assert talk.ended()


def conversation(kind: Kind) -> tuple[bytes, list[int]]:
    """Requests of several shapes, and the statuses they get."""
    asked = [(request("GET", kind.good), 200), (request("GET", NOWHERE, "X-Long: " + "x" * 40), 404)]
    if kind.back:
        asked.append((request("POST", kind.back, body=b"12345"), 200))
        parts = chunked(b"12345678", 3, ";a=b", "T: v\r\n")
        asked.append((request("POST", kind.back, "Transfer-Encoding: chunked") + parts, 200))
    asked.append((b"\r\n" + request("GET", kind.good), 200))
    return b"".join(data for data, _ in asked), [status for _, status in asked]


def test_requests_may_come_byte_by_byte(host: Host, kind: Kind) -> None:
    data, statuses = conversation(kind)
    with host.talk() as talk:
        talk.send_in_pieces(data)
        assert [talk.reply().status for _ in statuses] == statuses


def test_requests_may_be_cut_anywhere(host: Host, kind: Kind) -> None:
    data, statuses = conversation(kind)
    with host.talk() as talk:
        for cut in range(1, len(data)):
            talk.send(data[:cut])
            talk.send(data[cut:])
            assert [talk.reply().status for _ in statuses] == statuses, cut


def test_trailing_garbage_is_refused_after_the_answer(host: Host, kind: Kind) -> None:
    with host.talk() as talk:
        talk.send(request("GET", kind.good) + b"\x16\x03\x01 and so on\r\n\r\n")
        assert talk.reply().status == 200
        assert talk.reply().status == 400
        assert talk.ended()


def test_a_client_that_has_said_everything_is_answered_whole(host: Host) -> None:
    with host.talk() as talk:
        talk.send(request("GET", "/static/large.bin"))
        talk.sock.shutdown(1)
        assert len(talk.reply().body) == 1 << 20
        assert talk.ended()


@pytest.mark.parametrize("amount", [1, 10, 40])
def test_a_client_that_leaves_in_the_middle_disturbs_nobody(host: Host, kind: Kind, amount: int) -> None:
    with host.talk() as other:
        assert other.ask(request("GET", kind.good)).status == 200
        with host.talk() as talk:
            talk.send(request("GET", kind.good)[:amount])
        assert other.ask(request("GET", kind.good)).status == 200


def test_connections_do_not_mix(host: Host) -> None:
    talks: list[Talk] = [host.talk() for _ in range(20)]
    for number, talk in enumerate(talks):
        talk.send(request("POST", "/echo?back", f"Content-Length: {len(str(number))}"))
    for number, talk in reversed(list(enumerate(talks))):
        talk.send(str(number).encode())
    for number, talk in enumerate(talks):
        with talk:
            assert talk.reply().body == str(number).encode()
