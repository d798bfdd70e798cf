"""What master, molds and workers say to each other, and the line it goes over."""

from __future__ import annotations

import contextlib
import json
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.process.messages import (
    KINDS,
    PACKET,
    TEXT,
    Born,
    Channel,
    Drain,
    Garbled,
    Hazards,
    Leaving,
    Loaded,
    Logs,
    Message,
    NotSpawned,
    Quit,
    Ready,
    Refused,
    Retiring,
    Spawn,
    decode,
    discard,
    encode,
)

SAMPLES = [
    Spawn(3),
    Drain(True),
    Drain(False),
    Quit(),
    Logs(),
    Loaded(),
    Hazards("1 thread (ticker)"),
    Refused("no\n  such module"),
    NotSpawned(2, "Cannot allocate memory"),
    Born(4711),
    Ready(),
    Retiring("500 requests answered"),
    Leaving(),
]


@pytest.mark.parametrize("message", SAMPLES, ids=repr)
def test_each_kind_comes_back_as_it_was_sent(message: Message) -> None:
    assert decode(encode(message)) == message


def test_the_samples_are_all_kinds_there_are() -> None:
    assert {type(message) for message in SAMPLES} == set(KINDS.values())


@given(st.text(max_size=TEXT))
def test_any_text_that_utf8_has_comes_back(text: str) -> None:
    sent = Refused(text)
    expected = text.encode("utf-8", "replace").decode()  # a lone surrogate is no text
    assert decode(encode(sent)) == Refused(expected)


@pytest.mark.parametrize("letter", ["a", "é", "字", "🙂", "\x00", '"', "\\", "\n", "\ud800"], ids=ascii)
def test_a_long_text_loses_its_middle_and_fits_a_packet(letter: str) -> None:
    packet = encode(Refused("first line" + letter * 200_000 + "last line"))
    assert len(packet) <= PACKET
    message = decode(packet)
    assert isinstance(message, Refused)
    assert message.why.startswith("first line")
    assert message.why.endswith("last line")
    assert "\n[…]\n" in message.why


GARBAGE = [
    b"",
    b"x",
    b"{}",
    b"[]",
    b"17",
    b'["Spawn"]',
    b'["Spawn", 1, 2]',
    b'["Spawn", "1"]',
    b'["Born", 1.5]',
    b'["Born", null]',
    b'["Born", true]',
    b'["Drain", 1]',
    b'["Nonsense"]',
    b'[["Ready"]]',
    b"\xff\xfe",
    b"[" * 60000,
]


@pytest.mark.parametrize("packet", GARBAGE, ids=lambda packet: repr(packet[:20]))
def test_what_is_no_message_is_refused(packet: bytes) -> None:
    with pytest.raises(Garbled):
        decode(packet)


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_nothing_else_escapes(packet: bytes) -> None:
    message: object = None
    with contextlib.suppress(Garbled):
        message = decode(packet)
    assert message is None or type(message) in KINDS.values()


def test_a_channel_carries_sentences_in_order_with_descriptors_beside_them() -> None:
    one, other = Channel.pair()
    reader, writer = os.pipe()
    try:
        assert one.send(Spawn(1), (writer, reader))
        assert one.send(Quit())
        heard = other.receive()
        assert heard is not None
        (first, (fresh_writer, fresh_reader)), second = heard
        assert (first, second) == (Spawn(1), (Quit(), ()))
        assert not os.get_inheritable(fresh_writer)
        os.write(fresh_writer, b"through")
        assert os.read(reader, 10) == b"through"
        os.close(fresh_writer)
        os.close(fresh_reader)
        assert other.receive() == []
    finally:
        os.close(reader)
        os.close(writer)
        one.close()
        other.close()


def test_the_last_words_come_before_the_end() -> None:
    one, other = Channel.pair()
    one.send(Born(7))
    one.close()
    assert other.receive() == [(Born(7), ())]
    assert other.receive() is None
    assert other.receive() is None
    assert not other.send(Quit())
    other.close()


def test_waiting_ends_with_a_word_and_with_the_end() -> None:
    one, other = Channel.pair()
    one.send(Ready())
    other.wait()
    assert other.receive() == [(Ready(), ())]
    one.close()
    other.wait()
    assert other.receive() is None
    other.close()


def test_one_that_never_listens_does_not_hold_up_the_speaker() -> None:
    one, other = Channel.pair()
    said = 0
    while one.send(Refused("x" * 5000)):
        said += 1
        assert said < 10_000
    assert said > 0
    heard = other.receive()
    assert heard is not None
    assert len(heard) == said
    one.close()
    other.close()


def test_garbage_on_a_channel_is_named() -> None:
    end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = Channel.adopt(theirs.detach())
    end.send(b"GET / HTTP/1.1\r\n")
    with pytest.raises(Garbled, match="GET /"):
        channel.receive()
    end.close()
    assert channel.receive() is None
    channel.close()


@pytest.mark.parametrize("packet", [b"GET / HTTP/1.1", b""], ids=["garbage", "nothing"])
def test_descriptors_beside_what_is_no_message_are_not_kept(packet: bytes) -> None:
    end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = Channel.adopt(theirs.detach())
    before = sorted(os.listdir("/proc/self/fd"))
    socket.send_fds(end, [encode(Ready())], [0, 0])
    socket.send_fds(end, [packet], [0])
    if packet:
        with pytest.raises(Garbled):
            channel.receive()
    else:
        heard = channel.receive()
        assert heard is not None
        ((message, beside),) = heard
        assert message == Ready()
        discard(*beside)
    assert sorted(os.listdir("/proc/self/fd")) == before
    end.close()
    channel.close()
