"""Which logs a generation opens."""

from __future__ import annotations

import pytest

from forkserver.apps import KINDS
from forkserver.config import parse
from forkserver.process.generation import Logs

FILE = "/srv/error.log"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (("stdout", "stderr", "stderr"), ("none", "none", "none")),
        (("stdout", FILE, "stderr"), ("none", FILE, FILE)),
        (("stderr", FILE, "stdout"), ("none", FILE, FILE)),
        (("/a", FILE, "/s"), ("/a", FILE, "/s")),
        (("syslog", "syslog", "stderr"), ("syslog", "syslog", "none")),
        (("none", "none", "syslog"), ("none", "none", "syslog")),
    ],
)
def test_a_standard_stream_is_none_in_the_background(given: tuple[str, str, str], meant: tuple[str, str, str]) -> None:
    text = "[log]\naccess = {}\nerror = {}\nslow = {}\n[/]\nredirect = /elsewhere\n".format(*given)
    config = parse(text, "server.ini", KINDS)
    assert Logs.wanted(config, background=True) == meant
    assert Logs.wanted(config, background=False) == given
