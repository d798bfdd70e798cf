"""What a section of the kind `wsgi` can say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.apps import KINDS
from forkserver.apps.targets import Target, parse_target
from forkserver.apps.variables import variables, variables_text
from forkserver.apps.wsgi import Wsgi
from forkserver.config import ConfigError, describe, parse


def options_of(text):
    return parse(f"[/shop]\n{text}", "server.ini", KINDS, environ={}).mounts[0].options


def complaint_about(text):
    with pytest.raises(ConfigError) as caught:
        options_of(text)
    (complaint,) = caught.value.complaints
    return complaint


def test_the_table_of_kinds_knows_it():
    assert KINDS["wsgi"] is Wsgi
    assert Wsgi.methods is None
    assert Wsgi.reads_body
    assert Wsgi.blocking


def test_alone():
    options = options_of("wsgi = shop")
    assert (options.wsgi, options.path, options.env, options.validate) == ("shop", (), (), False)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("shop", Target("shop", "application", False)),
        ("shop.wsgi", Target("shop.wsgi", "application", False)),
        ("shop:app", Target("shop", "app", False)),
        ("shop.wsgi:site.main.app", Target("shop.wsgi", "site.main.app", False)),
        ("shop:create_app()", Target("shop", "create_app", True)),
        ("shop:Site.make()", Target("shop", "Site.make", True)),
        ("_größe2:_app", Target("_größe2", "_app", False)),
    ],
)
def test_a_target(text, target):
    assert parse_target(text) == target


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", ""),
        ("shop:", ""),
        (":app", ""),
        ("shop.:app", ""),
        ("shop:app.", ""),
        ("2shop", ""),
        ("shop app", ""),
        ("shop()", ""),
        ("shop:a:b", ""),
        ("shop:app();x", "a factory is called without arguments"),
        ("shop:make('live')", "a factory is called without arguments"),
        ("/srv/shop/wsgi.py", "a module is named as in an import, wsgi:application, and path tells its folder"),
        ("wsgi.py:app", "a module is named as in an import, wsgi:app,"),
    ],
)
def test_what_is_no_target_is_told_with_its_line(text, hint):
    complaint = complaint_about(f"wsgi = {text}")
    assert complaint.startswith("server.ini:2: [/shop] wsgi: ")
    assert "is not written as module:attribute" in complaint
    assert hint in complaint


def test_folders_are_relative_to_the_file(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    monkeypatch.chdir(tmp_path)
    assert options_of(f"wsgi = a\npath = one, {tmp_path}").path == (f"{tmp_path}/one", str(tmp_path))
    assert "3: [/shop] path: no such folder: " in complaint_about("wsgi = a\npath = two")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1", {"A": "1"}),
        ("A=1, b_2=x y", {"A": "1", "b_2": "x y"}),
        ("A=1\n  B = 2=3\n  C=", {"A": "1", "B": "2=3", "C": ""}),
        (r"HOSTS=a\,b, DEEP=\\,", {"HOSTS": "a,b", "DEEP": r"\,"}),
        ("", {}),
    ],
)
def test_variables(text, found):
    assert dict(options_of(f"wsgi = a\nenv = {text}").env) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A", '"A" is not written as NAME=VALUE'),
        ("=1", '"=1" is not written as NAME=VALUE'),
        ("2A=1", '"2A=1" is not written as NAME=VALUE'),
        ("A-B=1", '"A-B=1" is not written as NAME=VALUE'),
        ("A=1, A=1", "A is given twice"),
        ("HOSTS=a,b", r'"b" is not written as NAME=VALUE; a comma that belongs to a value is written \,'),
    ],
)
def test_what_are_no_variables(text, why):
    assert complaint_about(f"wsgi = a\nenv = {text}") == f"server.ini:3: [/shop] env: {why}"


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True),
        st.text(alphabet="aB1 ,=\\;#$", max_size=10).map(str.strip),
        max_size=4,
    )
)
def test_variables_are_written_as_they_are_read(found):
    text = variables_text(tuple(found.items()))
    assert dict(variables(text, ".")) == found


def test_a_section_is_shown_as_it_is_read(tmp_path):
    text = f"[/shop]\nwsgi = shop:make()\npath = {tmp_path}\nenv = A=1, B=x\\,y\nvalidate = yes\n"
    config = parse(text, "server.ini", KINDS, environ={})
    again = parse(describe.show(config), "server.ini", KINDS, environ={})
    assert again == config


def test_other_options_are_misspelt():
    assert "unknown option; did you mean validate?" in complaint_about("wsgi = a\nvalidated = yes")
    assert "must be given" not in complaint_about("wsgi = a\nchdir = /srv")
