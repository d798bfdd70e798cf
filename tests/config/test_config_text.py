"""The grammar of the file: comments, lines that go on, variables; and what breaks it."""

from __future__ import annotations

import pytest
from fakekinds import KINDS, made, refused
from hypothesis import given
from hypothesis import strategies as st

from forkserver.config import parse
from forkserver.config.ini import expand, written


def redirect(line, environ=None):
    """What the option of a mount becomes when it is written so."""
    config = made(f"[/]\n{line}\n", environ=environ)
    return config.mounts[0].options.redirect


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("redirect = /new", "/new"),
        ("redirect=/new", "/new"),
        ("redirect\t=\t/new\t", "/new"),
        ("redirect = a=b", "a=b"),
        ("redirect = /new ; moved", "/new"),
        ("redirect = /new\t# moved", "/new"),
        ("redirect = /new#part;x", "/new#part;x"),
        (r"redirect = a \# b \; c", "a # b ; c"),
        (r"redirect = a \\# b", r"a \# b"),
        (r"redirect = \n a\b", r"\n a\b"),
        ("redirect =\n  one ; first\n\n# not now\n  ; nor now\n\ttwo", "one two"),
        ("redirect = ", ""),
    ],
)
def test_values(line, value):
    assert redirect(line) == value


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("${HERE}/x", "there/x"),
        ("${HERE:-else}", "there"),
        ("${GONE:-else where}", "else where"),
        ("${GONE:-}x", "x"),
        ("${EMPTY:-else}", "else"),
        ("${EMPTY}x", "x"),
        ("$${HERE}", "${HERE}"),
        ("$HERE $$", "$HERE $$"),
        ("${SPACED}", "a # b"),
    ],
)
def test_variables(line, value):
    environ = {"HERE": "there", "EMPTY": "", "SPACED": "  a # b "}
    assert redirect(f"redirect = {line}", environ) == value


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("${GONE}", "GONE is not set in the environment; ${GONE:-default} would do without it"),
        ("${", "${ begins ${NAME} or ${NAME:-default without braces}; a literal ${ is $${"),
        ("${9}", "${ begins ${NAME} or ${NAME:-default without braces}; a literal ${ is $${"),
        ("${A:-${B}}", "${ begins ${NAME} or ${NAME:-default without braces}; a literal ${ is $${"),
        ("${BAD}", "BAD of the environment holds characters that do not belong in text"),
    ],
)
def test_wrong_variables(line, reason):
    text = f"[/]\n\nredirect = {line}\n"
    assert refused(text, environ={"BAD": "a\x00b"}) == [f"server.ini:3: [/] redirect: {reason}"]


def test_the_environment_is_the_process_s_own_unless_given(monkeypatch):
    monkeypatch.setenv("WHERE_TO", "/there")
    assert parse("[/]\nredirect = ${WHERE_TO}\n", "x.ini", KINDS).mounts[0].options.redirect == "/there"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("listen = :80\n", "1: listen: stands before any [section]"),
        ("[log]\nlevel: info\n", "2: [log]: neither [section] nor key = value"),
        ("[log]\n= info\n", "2: [log]: neither [section] nor key = value"),
        ("  [log]\n", "1: an indented line, with no value above it to go on; begin it at the margin"),
        ("[log]\n level = info\n", ("2: [log]: an indented line, with no value above it to go on; "
         "begin it at the margin")),
        ("[log\n", "1: a section is written [name], on a line of its own"),
        ("[]\n", "1: a section is written [name], on a line of its own"),
        ("[log] level = info\n", "1: a section is written [name], on a line of its own"),
        ("[log]\nlevel = in\x00fo\n", "2: [log]: a character that does not belong in text: U+0000"),
        ("[log]\rlevel = info\n", "1: a character that does not belong in text: U+000D"),
        ("[log]\nformat = %h\n  level = info\n", ("3: [log] level: indented, it belongs to the value of "
         "format; begin it at the margin")),
    ],
)  # fmt: skip
def test_broken_lines(text, complaint):
    assert refused(text) == [f"server.ini:{complaint}"]


def test_what_follows_a_broken_section_is_not_complained_of():
    assert refused("[limits]\nbody = 1\n[log\nlevle = x\n") == [
        "server.ini:3: a section is written [name], on a line of its own"
    ]


def test_a_byte_order_mark_and_carriage_returns_are_accepted():
    assert made("\ufeff[log]\r\nlevel = error\r\n").log.level == "error"


def test_an_empty_text_is_a_configuration_of_defaults():
    assert made("") == made("# nothing\n[server]\n")


@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" #;\\${}"), max_size=30))
def test_what_is_written_is_read_back(value):
    expected = value.strip(" ")
    assert redirect(f"redirect = {written(expected)}") == expected


def test_expand_leaves_other_lines_alone():
    assert expand("a\n${X}\nb", {"X": " c \n\n d"}) == "a\nc\nd\nb"
