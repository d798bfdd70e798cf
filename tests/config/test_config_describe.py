"""A configuration told to a person: shown, compared, and the reference of all options."""

from __future__ import annotations

from fakekinds import KINDS, made
from hypothesis import given
from hypothesis import strategies as st

from forkserver.config.describe import diff, reference, rows, show


def test_what_is_shown_says_where_it_came_from():
    lines = show(made("[limits]\nbody = 4M\n[/a]\nredirect = /b\n", "conf/server.ini")).split("\n")
    assert lines[0].endswith("/conf/server.ini")
    assert "body = 4M                   ; conf/server.ini:2" in lines
    assert "header_timeout = 10s        ; default" in lines
    assert lines[lines.index("[/a]") + 1 :] == [
        "redirect = /b  ; conf/server.ini:4",
        "code = 301     ; default",
        "",
    ]


def test_what_is_shown_can_be_parsed_again():
    text = (
        "[server]\nworkers = 2 - 8\nlisten = :0, localhost:81, unix:x.sock, systemd:web\n"
        "include = *.nowhere\npid = x.pid\n"
        '[log]\nformat = %h \\; "%r" \\# x\naccess = ./none\n[limits]\nbody_timeout = 1.5ms\nbody = 3\n'
        "[/]\nredirect = $${A} ${B:-c}\n[a.org/日本]\nstatic = /\nindex = a,b\nlisting = yes\n"
    )
    config = made(text)
    assert made(show(config), "elsewhere/other.ini") == config


TEXTS = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"], include_characters="#;\\${} "), max_size=40)


@given(st.integers(0, 1 << 40), st.integers(1, 10**9), TEXTS, TEXTS)
def test_any_values_are_shown_so_that_they_can_be_parsed_again(size, milliseconds, here, there):
    environ = {"HERE": here, "THERE": there}
    limits = f"[limits]\nbody = {size}\nheader_timeout = {milliseconds}ms\n"
    config = made(f"{limits}[/]\nstatic = /\nindex = ${{HERE}}\n[/x]\nredirect = ${{THERE}}\n", environ=environ)
    assert made(show(config)) == config


def test_no_difference():
    one = made("[/]\nredirect = /a\n", "one.ini")
    assert diff(one, made("\n\n[/]\nredirect = /a\n", "other.ini")) == []


def test_differences_and_what_needs_a_restart():
    old = made("[server]\npid = /run/a\n[/]\nredirect = /a\n[/gone]\nredirect = /\n[/x]\nstatic = /\n")
    new = made(
        "[server]\nlisten = :80\ncontrol = /run/c\n[limits]\nbody = 8k\n[log]\nformat = json\n"
        "[/]\nredirect = /b\ncode = 307\n[/x]\nredirect = /\n[a.org/]\nstatic = /\n"
    )
    assert diff(old, new) == [
        "[server] listen: 127.0.0.1:8080 -> 0.0.0.0:80, [::]:80",
        '[server] control: "" -> /run/c (needs a restart)',
        '[server] pid: /run/a -> "" (needs a restart)',
        "[log] format: combined -> json",
        "[limits] body: 16M -> 8k",
        "[/] redirect: /a -> /b",
        "[/] code: 301 -> 307",
        "[/gone]: removed, redirect = /",
        "[/x]: static = / -> redirect = /",
        "[a.org/]: added, static = /",
    ]


def test_the_reference_holds_every_option():
    every = rows(KINDS)
    assert len({(row.section, row.key) for row in every}) == len(every)
    text = reference(KINDS)
    for row in every:
        assert f"\n{row.key} =" in text
        assert row.help.split()[0] in text
    assert "\n[/static]\n\n# Folder to serve.\nstatic = ; must be given\n" in text


def test_the_reference_is_a_configuration_of_defaults():
    assert made(reference({})) == made("")


def test_options_that_need_a_restart_say_so():
    assert [row.key for row in rows({}) if row.restart] == ["control", "pid"]
