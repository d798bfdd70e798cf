"""The parts of the kind `cgi` that start nothing: heads, first lines, orders, options."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.apps import KINDS, AppError
from forkserver.apps.cgi import Cgi, CgiOptions
from forkserver.apps.cgi.head import BadHead, Said, parse, split, status_of
from forkserver.apps.cgi.shebang import Interpreter, named, python_of, trouble
from forkserver.apps.cgi.warmscript import COMPILED, Compiler
from forkserver.apps.cgi.zygote import EXECUTE, RUN, Order
from forkserver.config import ConfigError
from forkserver.config import parse as parse_config


@pytest.mark.parametrize(
    ("output", "head", "rest"),
    [
        (b"A: b\n\nbody", b"A: b", b"body"),
        (b"A: b\r\n\r\nbody", b"A: b", b"body"),
        (b"A: b\r\nC: d\n\n\n\n", b"A: b\r\nC: d", b"\n\n"),
        (b"\nbody", b"", b"body"),
        (b"\r\nbody", b"", b"body"),
    ],
)
def test_a_head_ends_with_an_empty_line(output: bytes, head: bytes, rest: bytes) -> None:
    assert split(output) == (head, rest)
    for size in range(len(output) - len(rest)):
        cut = split(output[:size])
        assert cut is None or cut == (head, output[len(output) - len(rest) : size])


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"Content-Type: a/b", Said(200, (("Content-Type", "a/b"),), None, "", redirects=False)),
        (b"status:404 Gone\r\nX: y", Said(404, (("X", "y"),), None, "", redirects=False)),
        (b"Location: /a?b", Said(200, (("Location", "/a?b"),), None, "/a?b", redirects=False)),
        (b"Location: /a\nStatus: 200", Said(200, (("Location", "/a"),), None, "/a", redirects=False)),
        (b"Location: /a#b", Said(302, (("Location", "/a#b"),), None, "", redirects=True)),
        (b"Location: a:b\nStatus: 307", Said(307, (("Location", "a:b"),), None, "", redirects=True)),
        (b"Content-Length: 5\nStatus: 200", Said(200, (), 5, "", redirects=False)),
    ],
)
def test_what_a_head_means(head: bytes, said: Said) -> None:
    assert parse(head) == said


@given(st.binary(max_size=200))
def test_whatever_is_written_is_a_head_or_none(output: bytes) -> None:
    try:
        said = parse(output)
    except BadHead:
        return
    assert 200 <= said.status <= 599
    assert all("\n" not in name + value and "\r" not in name + value for name, value in said.fields)


def test_a_status_line() -> None:
    assert status_of(b"HTTP/1.1 2") is None
    assert status_of(b"HTTP/1.1 299 Odd words\r\n") == 299
    assert status_of(b"HTTP/1.0 404\n") == 404
    for wrong in (b"HTTP/2.0 200 OK\n", b"HTTP/1.1 99\n", b"HTTP/1.1 100 Continue\n", b"\n"):
        with pytest.raises(BadHead):
            status_of(wrong)


@pytest.mark.parametrize(
    ("line", "interpreter"),
    [
        (b"#!/usr/bin/python3\nrest", ("/usr/bin/python3", ())),
        (b"#! /usr/bin/python3.12 \n", ("/usr/bin/python3.12", ())),
        (b"#!/usr/bin/python -u", ("/usr/bin/python", ("-u",))),
        (b"#!/usr/bin/python3 -Es\n", ("/usr/bin/python3", ("-Es",))),
        (b"#!/usr/bin/python3 -c pass\n", None),
        (b"#!/usr/bin/python3 -m x\n", None),
        (b"#!/usr/bin/python3 -u -B\n", None),  # the kernel would pass that as one word
        (b"#!/usr/bin/python3\r\n", None),
        (b"#!/usr/bin/python2\n", None),
        (b"#!/bin/sh\n", None),
        (b"#!\n", None),
        (b"\x7fELF", None),
        (b"", None),
    ],
)
def test_the_python_of_a_first_line(line: bytes, interpreter: tuple[str, tuple[str, ...]] | None) -> None:
    assert python_of(line, "/nowhere") == (interpreter and Interpreter(*interpreter))


def test_a_python_is_looked_for_along_the_path(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to(sys.executable)
    found = str(tmp_path / "python3")
    assert python_of(b"#!/usr/bin/env python3\n", str(tmp_path)) == Interpreter(found, ())
    assert python_of(b"#!/usr/bin/env -S python3 -u -B\n", str(tmp_path)) == Interpreter(found, ("-u", "-B"))
    assert python_of(b"#!/usr/bin/env A=b python3\n", str(tmp_path)) is None
    assert python_of(b"#!/usr/bin/env python3\n", "/nowhere") is None
    assert python_of(b"#!/usr/bin/env\n", str(tmp_path)) is None
    assert python_of(b"#!/usr/bin/env -S 'python3\n", str(tmp_path)) is None


def test_why_something_cannot_be_executed(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    assert trouble(b"echo") == "it begins with no #! line, nor is it a program of this system"
    assert trouble(b"#!/bin/sh\r\n") == "its first line ends with CR LF, and the CR is taken for a part of it"
    assert trouble(b"#!/no/where\n") == "its interpreter /no/where is not there"
    assert trouble(f"#!{tmp_path}/plain\n".encode()) == f"its interpreter {tmp_path}/plain is not executable"
    assert trouble(b"#!/bin/sh\n") == ""
    assert named(b"#!/bin/sh  -e  -u \n") == ("/bin/sh", "-e  -u")


WORDS = st.binary(max_size=20).map(lambda text: text.replace(b"\0", b""))
NAMES = st.binary(min_size=1, max_size=20).map(lambda text: text.replace(b"\0", b"").replace(b"=", b"") or b"A")


@given(st.sampled_from([RUN, EXECUTE]), WORDS, st.lists(WORDS), st.dictionaries(NAMES, WORDS), st.integers(0, 1 << 50))
def test_an_order_is_understood(
    manner: bytes, script: bytes, arguments: list[bytes], environ: dict[bytes, bytes], memory: int
) -> None:
    order = Order(manner, script, arguments, environ, memory)
    assert vars(Order.unpack(order.pack())) == vars(order)


def test_scripts_are_kept_compiled_and_that_is_bounded(tmp_path: Path) -> None:
    compiler = Compiler()
    script = tmp_path / "one.py"
    script.write_text("x = 1")
    first = compiler.get(bytes(script))
    assert first is not None
    assert compiler.get(bytes(script))[0] is first[0]  # type: ignore[index]
    script.write_text("x = 12")
    assert compiler.get(bytes(script))[0] is not first[0]  # type: ignore[index]
    for wrong in ("print(", "\0", "# coding: none\n"):
        script.write_text(wrong)
        assert compiler.get(bytes(script)) is None
    script.unlink()
    assert compiler.get(bytes(script)) is None
    for number in range(COMPILED + 5):
        (tmp_path / f"{number}.py").write_text("")
        assert compiler.get(bytes(tmp_path / f"{number}.py")) is not None
    assert len(compiler.kept) == COMPILED


def test_a_section(tmp_path: Path) -> None:
    config = parse_config("[/]\ncgi = .\nenv = A=b", str(tmp_path / "server.ini"), KINDS)
    options = config.mounts[0].options
    assert (options.cgi, options.warm, options.env) == (str(tmp_path), "auto", (("A", "b"),))
    with pytest.raises(ConfigError, match="neither a folder nor a script"):
        parse_config("[/]\ncgi = none", str(tmp_path / "server.ini"), KINDS)


def test_nothing_is_served_from_what_cannot_be_run(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(AppError, match="script is not executable"):
        Cgi(CgiOptions(cgi=str(script)), "").load()
    script.chmod(0o755)
    Cgi(CgiOptions(cgi=str(script)), "").load()
    Cgi(CgiOptions(cgi=str(tmp_path)), "").load()
    script.unlink()
    with pytest.raises(AppError, match="nothing to be run"):
        Cgi(CgiOptions(cgi=str(tmp_path / "script")), "").load()
