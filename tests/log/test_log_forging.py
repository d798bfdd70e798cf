"""Whatever a client sends, a line stays one line, and its parts stay where they are."""

from __future__ import annotations

import json
import re
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from forkserver.log import error as log
from forkserver.log.format import compile_format

from .facts import exchange, head

wire = st.text(st.characters(max_codepoint=0xFF))  # latin-1
anything = st.text(st.characters())  # surrogates too

QUOTED = r'"((?:[^"\\]|\\.)*)"'
COMBINED = re.compile(rf"192\.0\.2\.7 - - \[[^]]*\] {QUOTED} 200 2326 {QUOTED} {QUOTED}\n")
FORGERY = 'x" 200 1\n192.0.2.9 - - [10/Oct/2000:13:55:36 -0700] "GET /'


def restored(escaped: str) -> str:
    """What a reader of an Apache log makes of an escaped text."""
    named = {"b": "\b", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}
    return re.sub(r"\\(?:x(..)|(.))", lambda found: chr(int(found[1], 16)) if found[1] else named[found[2]], escaped)


@given(wire, wire, wire)
@example(FORGERY, FORGERY, FORGERY)
@example("\r\n", "\x85", "\\")
def test_combined_reads_back(line, referer, agent):
    rendered = compile_format("combined").render(exchange(head=head(referer=referer, user_agent=agent), line=line))
    parts = COMBINED.fullmatch(rendered)
    assert parts is not None
    assert tuple(map(restored, parts.groups())) == (line or "-", referer, agent)


EVERYTHING = compile_format("%h %u %r %m %U %q %V %v %{Referer}i %{Cookie}i %{X-Made}o %{%n%A%t}t")


@given(wire, wire, anything)
@example(FORGERY, FORGERY, FORGERY)
def test_any_letter_gives_printable_ascii(text, other, name):
    facts = exchange(
        head=head(target=text, query=other, path=text, referer=other, cookie=text),
        line=text,
        user=name,
        server_name=name,
        peer=other,
        fields=(("X-Made", name),),
    )
    rendered = EVERYTHING.render(facts)
    assert rendered.isascii()
    assert rendered.endswith("\n")
    assert rendered[:-1].isprintable()


@given(wire, wire, wire)
@example("\x7f", "\n", '"')
def test_json_reads_back(line, target, agent):
    for facts in (exchange(head=head(target=target, user_agent=agent)), exchange(head=None, line=line)):
        rendered = compile_format("json").render(facts)
        assert rendered.isascii()
        assert rendered[:-1].isprintable()
        record = json.loads(rendered)
        if facts.head is None:
            assert record["line"] == line
        else:
            assert (record["target"], record["user_agent"]) == (target, agent)


@given(anything)
@example("a\n2000-10-10T13:55:36.000+00:00 [error] master[1]: forged")
@example("\x1b[2J\x7f\x9b\u2028\u202e\ud800\r\n")
def test_error_log_text_is_one_line(text):
    safe = log.safe(text)
    assert len(safe.splitlines()) <= 1
    assert not {unicodedata.category(character) for character in safe} & {"Cc", "Cs", "Zl", "Zp"}
    safe.encode()
