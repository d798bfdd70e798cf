"""The shipped configuration and its site, as shipped but for the port, seen by a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import Daemon
from tests.typed import ROOT

from .chromium import Chromium

pytestmark = pytest.mark.browser


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A server with the shipped files, in a folder of its own."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shipped = (tmp_path / "conf/server.ini").read_text()
    assert "127.0.0.1:8080" in shipped
    config = re.sub("(?m)^control .*$", "", shipped).replace("127.0.0.1:8080", "127.0.0.1:0")
    daemon = Daemon(tmp_path / "conf", config)
    try:
        yield daemon.start()
    finally:
        daemon.stop()


def logged(daemon: Daemon) -> list[tuple[str, str, int]]:
    """Method, target and status of each request, once the server has stopped."""
    assert daemon.stop() == 0
    lines = (daemon.folder.parent / "var/log/access.log").read_text().splitlines()
    found = [re.search(r'"(\w+) (\S+) HTTP/1\.1" (\d+) .*Chrome/', line) for line in lines]
    assert all(found), lines
    return [(one[1], one[2], int(one[3])) for one in found if one]


def test_the_page_and_its_picture_are_two_requests(daemon: Daemon, tmp_path: Path) -> None:
    """The browser could decode the picture; the access log has these two and nothing else."""
    with Chromium(tmp_path) as browser:
        browser.visit(f"http://127.0.0.1:{daemon.port}/")
        browser.screenshot(tmp_path / "page.png")
        assert "forkserver" in browser.value("document.title")
        assert browser.value("document.images.length") == 1
        assert browser.value("document.images[0].naturalWidth") > 0
        assert browser.value("performance.getEntriesByType('resource').map(e => e.responseStatus)") == [200]
    assert logged(daemon) == [("GET", "/", 200), ("GET", "/test.jpg", 200)]


def test_a_page_asked_for_again_is_not_sent_again(daemon: Daemon, tmp_path: Path) -> None:
    """The browser comes back with the validators that it was given, and is told that nothing changed."""
    with Chromium(tmp_path) as browser:
        browser.visit(f"http://127.0.0.1:{daemon.port}/")
        browser.reload()
        assert browser.value("document.images[0].naturalWidth") > 0
    first, second, *again = logged(daemon)
    assert [first, second] == [("GET", "/", 200), ("GET", "/test.jpg", 200)]
    assert ("GET", "/", 304) in again
    assert {status for _, _, status in again} == {304}


def test_the_page_fits_a_telephone(daemon: Daemon, tmp_path: Path) -> None:
    """Nothing is wider than a narrow screen."""
    screen = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    with Chromium(tmp_path) as browser:
        browser.call("Emulation.setDeviceMetricsOverride", **screen)
        browser.visit(f"http://127.0.0.1:{daemon.port}/")
        browser.screenshot(tmp_path / "telephone.png")
        assert browser.value("document.documentElement.scrollWidth") <= 360
        assert browser.value("document.images[0].naturalWidth") > 360
