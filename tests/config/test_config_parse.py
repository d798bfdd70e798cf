"""From text to Config: what is right, and each complaint with its line and its suggestion."""

from __future__ import annotations

import pytest
from fakekinds import Folder, Redirect, made, refused
from hypothesis import given
from hypothesis import strategies as st

from forkserver.config import Mount, section_of
from forkserver.config.options import Limits, Log, Server


def test_a_small_site(tmp_path):
    (tmp_path / "www").mkdir()
    name = str(tmp_path / "server.ini")
    config = made("[server]\nlisten = :80\n\n[/]\nstatic = www\n\n[/old/]\nredirect = /new\ncode = 302\n", name)
    assert config.path == name
    assert [str(address) for address in config.server.listen] == ["0.0.0.0:80", "[::]:80"]
    assert config.log == Log()
    assert config.limits == Limits()
    assert config.mounts == (
        Mount("", "", "static", Folder.Options(str(tmp_path / "www"))),
        Mount("", "/old", "redirect", Redirect.Options("/new", 302)),
    )
    assert [mount.origin for mount in config.mounts] == [f"{name}:4", f"{name}:7"]
    assert config.origins["server", "listen"] == f"{name}:2"
    assert config.origins["/old", "code"] == f"{name}:9"


def test_mounts_stand_in_order_of_host_and_prefix():
    config = made("[B.example.org/]\nredirect = /\n[/b]\nredirect = /\n[/a/b/]\nredirect = /\n[/]\nredirect = /\n")
    assert [(mount.host, mount.prefix) for mount in config.mounts] == [
        ("", ""),
        ("", "/a/b"),
        ("", "/b"),
        ("b.example.org", ""),
    ]
    assert [section_of(mount) for mount in config.mounts] == ["/", "/a/b", "/b", "b.example.org/"]


def test_a_prefix_is_compared_with_the_bytes_of_a_request():
    mount = made("[/日本]\nredirect = /\n").mounts[0]
    assert mount.prefix == "/日本".encode().decode("latin-1")
    assert section_of(mount) == "/日本"


def test_two_configurations_that_serve_the_same_are_equal():
    one = made("[/]\nredirect = /a\n[/b]\nredirect = /\n", "one.ini")
    other = made("\n[limits]\nbody = 16M\n[/b]\nredirect = /\n[/]\nredirect = /a\n", "other.ini")
    assert one == other
    assert one != made("[/]\nredirect = /b\n")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[servr]\n", "1: [servr]: unknown section; did you mean server?"),
        ("[Log]\n", "1: [Log]: unknown section; did you mean log?"),
        ("[shop]\n", "1: [shop]: unknown section; the name of a mount begins with / or HOST/, as [/shop]"),
        ("[tcp 0.0.0.0:70]\nhandler = x\n", "1: [tcp 0.0.0.0:70]: streams are not available in this version"),
        ("[udp /x]\n", "1: [udp /x]: streams are not available in this version"),
        ("[log]\n[server]\n[log]\n", "3: [log]: opened already at server.ini:1"),
        ("[log]\nlevl = info\n", "2: [log] levl: unknown option; did you mean level?"),
        ("[log]\nLevel = info\n", "2: [log] Level: unknown option; did you mean level?"),
        ("[limits]\nheader-timeout = 1s\n", ("2: [limits] header-timeout: unknown option; "
         "did you mean header_timeout?")),
        ("[log]\nqqq = 1\n", "2: [log] qqq: unknown option"),
        ("[log]\nlevel = info\nlevel = info\n", "3: [log] level: given already at server.ini:2"),
        ("[log]\nlevel = inof\n", ('2: [log] level: "inof" is none of debug, info, warning, error; '
         "did you mean info?")),
        ("[limits]\nidle_timeout = 75\n", ('2: [limits] idle_timeout: "75" has no unit; write 75s, '
         "or one of ms, m and h")),
        ("[server]\nuser = nobody-at-all\n", "2: [server] user: unknown user: nobody-at-all"),
        ("[server]\nlisten = :80, 0.0.0.0:80\n", "2: [server] listen: 0.0.0.0:80 is given twice"),
        ("[server]\nworkers = 2\n 3\n", ('2: [server] workers: "2 3" is neither auto nor a whole number '
         "from 1 to 1024, nor MIN-MAX")),
        ("[/]\nstatic = /no/such/place\n", "2: [/] static: no such folder: /no/such/place"),
        ("[/]\n", "1: [/]: nothing is mounted here; give one of paired, redirect, static"),
        ("[/]\nindex = x\n", "1: [/]: nothing is mounted here; give one of paired, redirect, static"),
        ("[/]\nstatc = /\n", "2: [/] statc: unknown option; did you mean static?"),
        ("[/]\nstatic = /\nredirect = /\n", ("1: [/]: static and redirect exclude each other; "
         "a section mounts one thing")),
        ("[/]\nstatic = /\nindx = x\n", "3: [/] indx: unknown option; did you mean index?"),
        ("[/]\nstatic = /\ncode = 301\n", "3: [/] code: unknown option"),
        ("[/]\npaired = x\n", "1: [/] partner: must be given, paired needs it"),
        ("[/]\nredirect = /\ncode = 304\n", "1: [/]: 304 leads nowhere"),
        ("[/a]\nredirect = /\n[/a/]\nredirect = /\n", ("3: [/a/]: something is mounted there already, "
         "at server.ini:1")),
        ("[A/]\nredirect = /\n[a/]\nredirect = /\n", ("3: [a/]: something is mounted there already, "
         "at server.ini:1")),
        ("[a:80/b]\n", "1: [a:80/b]: a host stands without its port: a/b"),
        ("[*.a.org/]\n", '1: [*.a.org/]: "*.a.org" is not a host\'s name'),
        ("[a..b/]\n", '1: [a..b/]: "a..b" is not a host\'s name'),
        ("[//]\n", ("1: [//]: a prefix has no part that is empty, . or .., or that begins or ends "
         "with white space")),
        ("[/a/../b]\n", ("1: [/a/../b]: a prefix has no part that is empty, . or .., or that begins or ends "
         "with white space")),
        ("[/a*]\n", "1: [/a*]: a prefix is written plainly, without *"),
        ("[/a%20b]\n", "1: [/a%20b]: a prefix is written plainly, without %"),
    ],
)  # fmt: skip
def test_complaints(text, complaint):
    assert refused(text) == [f"server.ini:{complaint}"]


def test_every_complaint_is_made_at_once_line_by_line():
    text = "[/]\nstatc = /x\n[limts]\n[server]\nworkers = many\nlisten = 80\n[log]\nlevel info\n"
    assert refused(text) == [
        "server.ini:2: [/] statc: unknown option; did you mean static?",
        "server.ini:3: [limts]: unknown section; did you mean limits?",
        'server.ini:5: [server] workers: "many" is neither auto nor a whole number from 1 to 1024, nor MIN-MAX',
        'server.ini:6: [server] listen: "80" is not an address; did you mean :80?',
        "server.ini:8: [log]: neither [section] nor key = value",
    ]


def test_a_value_of_several_lines_stays_one_complaint():
    assert refused("[server]\nuser = a\n b\n") == ["server.ini:2: [server] user: unknown user: a b"]


LINES = st.sampled_from(
    [
        *("[server]", "[log]", "[limits]", "[/]", "[/a]", "[a.org/]", "[", "]", "[x", "[tcp x]"),
        *("listen = :0", "listen = :0, localhost:0", " unix:x", "workers = 1", "workers = x", "level = info"),
        *("format = %h %%", "format = %", "access = none", "body = 1k", "body = k", "include = *.nowhere"),
        *("static = /", "redirect = ${A}", "redirect = ${A:-b} # c", "code = 302", "paired = 1", "= 1", "x"),
    ]
)


@given(st.lists(st.one_of(LINES, st.text(max_size=20)), max_size=12))
def test_any_text_is_parsed_or_refused_with_lines(lines):
    for complaint in refused("\n".join(lines)):
        assert complaint.startswith("server.ini:")


@given(st.text(max_size=60))
def test_any_value_is_accepted_or_refused_with_lines(value):
    keys = ("listen", "workers", "user", "group", "control", "backlog", "server_header")
    for complaint in refused("[server]\n" + "".join(f"{key} = {value}\n" for key in keys)):
        assert complaint.startswith("server.ini:")


def test_the_sections_are_those_of_the_declarations():
    config = made("")
    assert (config.server, config.log, config.limits) == (Server(), Log(), Limits())


def test_a_kind_of_a_later_version_is_named_once():
    (complaint,) = refused("[/shop]\nstatus = yes\n")
    assert "2: [/shop] status: this version cannot serve status; it knows " in complaint
