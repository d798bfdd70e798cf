"""What each letter gives, what a format may look like, and what is refused."""

from __future__ import annotations

import json
import os
import time

import pytest

from forkserver.log import dates, letters
from forkserver.log.format import compile_format

from .facts import exchange, head


@pytest.fixture(autouse=True)
def _seven_hours_west(monkeypatch):
    monkeypatch.setenv("TZ", "WEST7")
    renew_zone()
    yield
    monkeypatch.undo()
    renew_zone()


def renew_zone():
    time.tzset()
    for made in (dates.common_date, dates.iso_ends, letters.strftime):
        made.cache_clear()


BROWSER = head(referer="http://ref.example/", user_agent="Agent/1.0")

EVERY_LETTER = {
    "%h": "192.0.2.7",
    "%a": "192.0.2.7",
    "%l%s": "-200",
    "%u": "-",
    "%t": "[10/Oct/2000:13:55:36 -0700]",
    "%{%Y-%m-%d}t": "2000-10-10",
    "%{begin:%H.%M}t": "13.55",
    "%{end:%S}t": "37",
    "%{sec}t": "971211336",
    "%{msec}t": "971211336250",
    "%{usec}t": "971211336250000",
    "%{msec_frac}t": "250",
    "%{usec_frac}t": "250000",
    "%{end:msec_frac}t": "484",
    "%r": "GET /a%20b?c=d HTTP/1.1",
    "%m": "GET",
    "%U": "/a b",
    "%q": "?c=d",
    "%H": "HTTP/1.1",
    "%s": "200",
    "%>s": "200",
    "%<s": "200",
    "%b": "2326",
    "%B": "2326",
    "%D": "1234567",
    "%T": "1",
    "%{s}T": "1",
    "%{ms}T": "1234",
    "%{us}T": "1234567",
    "%{Referer}i": "http://ref.example/",
    "%{USER-AGENT}i": "Agent/1.0",
    "%{Accept}i": "-",
    "%{content-type}o": "text/html",
    "%{Set-Cookie}o": "a=1, b=2",
    "%{ETag}o": "-",
    "%p": "8443",
    "%{canonical}p": "8443",
    "%{local}p": "8443",
    "%{remote}p": "50123",
    "%P": str(os.getpid()),
    "%{pid}P": str(os.getpid()),
    "%v": "site.example",
    "%V": "www.example.org",
    "%X": "+",
    "%I": "311",
    "%O": "2500",
    "%h%%": "192.0.2.7%",
    r"%s\t\"\\": '200\t"\\',
    "%200,204h": "192.0.2.7",
    "%404h": "-",
    "%!200,204h": "-",
    "%!404{Referer}i": "http://ref.example/",
    "%s%404%": "200-",
}


@pytest.mark.parametrize("text", EVERY_LETTER)
def test_letter(text):
    assert compile_format(text).render(exchange(head=BROWSER)) == EVERY_LETTER[text] + "\n"


OTHER_FACTS = [
    ("%b %B", {"body_sent": 0}, "- 0"),
    ("%u", {"user": "ann"}, "ann"),
    ("%X", {"keep": False}, "-"),
    ("%X", {"aborted": True}, "X"),
    ("%D", {"ended": 0.0}, "0"),
    ("%r", {"line": ""}, "-"),
    ("%q|", {"head": head(target="/x", query="")}, "|"),
    ("%U", {"head": head(path="/caf\xc3\xa9")}, r"/caf\xc3\xa9"),
    ("%{Referer}i|", {"head": head(referer="")}, "|"),
    ("%v", {"server_name": "\u4e2d"}, r"\xe4\xb8\xad"),
]


@pytest.mark.parametrize(("text", "changes", "line"), OTHER_FACTS)
def test_letter_with_other_facts(text, changes, line):
    assert compile_format(text).render(exchange(**changes)) == line + "\n"


def test_every_letter_of_the_table_is_tested():
    assert all(any("%" + name in text for text in EVERY_LETTER) for name in letters.LETTERS)


def test_a_request_that_could_not_be_parsed():
    broken = exchange(head=None, line="GET\x00/ HTTP", status=400)
    line = compile_format('%m %U %q %H %V %{Host}i %s "%r"').render(broken)
    assert line == '- -  - site.example - 400 "GET\\x00/ HTTP"\n'


def test_common_and_combined():
    common = '192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /a%20b?c=d HTTP/1.1" 200 2326'
    assert compile_format("common").render(exchange()) == common + "\n"
    combined = compile_format("combined").render(exchange(head=BROWSER))
    assert combined == common + ' "http://ref.example/" "Agent/1.0"\n'


def test_json():
    line = compile_format("json").render(exchange(head=BROWSER))
    assert json.loads(line) == {
        "time": "2000-10-10T13:55:36.250-07:00",
        "peer": "192.0.2.7",
        "method": "GET",
        "target": "/a%20b?c=d",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes": 2326,
        "duration_us": 1234567,
        "referer": "http://ref.example/",
        "user_agent": "Agent/1.0",
        "host": "www.example.org",
        "pid": os.getpid(),
    }


def test_json_of_a_request_that_could_not_be_parsed():
    record = json.loads(compile_format("json").render(exchange(head=None, line="bad\x7f", status=400)))
    assert record["line"] == "bad\x7f"
    assert [record[name] for name in ("method", "target", "protocol", "referer", "host")] == [None] * 5


@pytest.mark.parametrize(
    ("zone", "date"),
    [
        ("EAST-5:30", "[11/Oct/2000:02:25:36 +0530]"),
        ("UTC0", "[10/Oct/2000:20:55:36 +0000]"),
        ("NEWF3:30", "[10/Oct/2000:17:25:36 -0330]"),
    ],
)
def test_zones(monkeypatch, zone, date):
    monkeypatch.setenv("TZ", zone)
    renew_zone()
    assert compile_format("%t").render(exchange()) == date + "\n"


@pytest.mark.parametrize(
    ("text", "repeatable", "timed"),
    [
        ("common", True, False),
        ("combined", True, False),
        ("json", False, True),
        ("%h %P %{%H:%M}t %{sec}t", True, False),
        ("%h %D", False, True),
        ("%h %T", False, True),
        ("%h %404{us}T", False, True),
        ("%h %{end:%S}t", False, True),
        ("%h %{msec_frac}t", False, False),
        ("%h %{remote}p", False, False),
        ("%h %p", False, False),
        ("%h %v", False, False),
        ("%h %X", False, False),
        ("%h %I", False, False),
        ("%h %O", False, False),
    ],
)
def test_what_is_said_of_a_format(text, repeatable, timed):
    compiled = compile_format(text)
    assert (compiled.repeatable, compiled.timed) == (repeatable, timed)


def test_formats_compare_and_print_as_written():
    assert compile_format("%h %D") == compile_format("%h %D")
    assert compile_format("%h") != compile_format("%a")
    assert str(compile_format("combined")) == "combined"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("%h %y", r"'%y' at position 4: unknown; known are .*%\{ms\}T.*%\{Name\}i"),
        ("%{Referer}x", r"'%\{Referer\}x' at position 1: unknown"),
        ("%{min}T", r"'%\{min\}T' at position 1: unknown"),
        ("%i", "'%i' at position 1: unknown"),
        ("%h %", "'%' at position 4: no whole value"),
        ("%h %{Referer", "no whole value"),
        ("%{}i", "no whole value"),
        ("%h \\", "no whole value"),
        (r"%h\n", r"after a backslash"),
        ("%h\nx", "printable ASCII"),
        ("%h \x7f", "printable ASCII"),
        ("%h \xe9", "printable ASCII"),
        ("combind", "common, combined, json"),
        ("", "common, combined, json"),
        ("%{\ud800}t", "no whole value"),
    ],
)
def test_what_is_refused(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        compile_format(text)
