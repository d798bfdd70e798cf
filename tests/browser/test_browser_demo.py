"""The shipped configuration and its site, as shipped but for the port, seen by a real browser."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .chromium import Chromium

pytestmark = pytest.mark.browser

CONF = Path(__file__).parents[2] / "conf"
FORKSERVER = [sys.executable, "-m", "forkserver"]
REQUEST = re.compile(r'"(\w+) (\S+) HTTP/1\.1" (\d+)')


@contextlib.contextmanager
def serving(config: Path) -> Iterator[str]:
    """Run the daemon until the block ends; the address where it listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind("")  # a name that the kernel chooses, unix(7)
        notices.settimeout(30)
        name = "@" + notices.getsockname()[1:].decode()
        with subprocess.Popen([*FORKSERVER, "run", config], env={**os.environ, "NOTIFY_SOCKET": name}) as daemon:
            try:
                while b"READY=1" not in notices.recv(4096):
                    pass
                status = subprocess.check_output([*FORKSERVER, "status", config, "--json"], timeout=30)
                yield json.loads(status)["listening"][0]
            finally:
                daemon.send_signal(signal.SIGTERM)
                daemon.wait(30)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The shipped configuration in a folder of its own, at a port that the kernel chooses."""
    shutil.copytree(CONF, tmp_path / "conf")
    (tmp_path / "var/log").mkdir(parents=True)
    config = tmp_path / "conf/server.ini"
    shipped = config.read_text()
    assert "127.0.0.1:8080" in shipped
    config.write_text(shipped.replace("127.0.0.1:8080", "127.0.0.1:0"))
    return tmp_path


def test_the_page_and_its_picture_are_two_requests(site: Path) -> None:
    """The browser could decode the picture; the access log has these two and nothing else."""
    with Chromium(site) as browser, serving(site / "conf/server.ini") as address:
        browser.visit(f"http://{address}/")
        browser.screenshot(site / "page.png")
        print(f"screenshot: {site / 'page.png'}")
        assert "forkserver" in browser.value("document.title")
        assert browser.value("document.images.length") == 1
        assert browser.value("document.images[0].naturalWidth") > 0
        assert browser.value("performance.getEntriesByType('resource').map(e => e.responseStatus)") == [200]
    lines = (site / "var/log/access.log").read_text().splitlines()
    assert [REQUEST.findall(line) for line in lines] == [[("GET", "/", "200")], [("GET", "/test.jpg", "200")]]
    assert all("Chrome/" in line for line in lines)


def test_a_page_asked_for_again_is_not_sent_again(site: Path) -> None:
    """The browser comes back with the validators that it was given, and is told that nothing changed."""
    with Chromium(site) as browser, serving(site / "conf/server.ini") as address:
        browser.visit(f"http://{address}/")
        browser.reload()
        assert browser.value("document.images[0].naturalWidth") > 0
    answers = REQUEST.findall((site / "var/log/access.log").read_text())
    assert answers[:2] == [("GET", "/", "200"), ("GET", "/test.jpg", "200")]
    assert ("GET", "/", "304") in answers[2:]
    assert {status for _, _, status in answers[2:]} == {"304"}


def test_the_page_fits_a_telephone(site: Path) -> None:
    """Nothing is wider than a narrow screen."""
    with Chromium(site) as browser, serving(site / "conf/server.ini") as address:
        browser.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
        browser.visit(f"http://{address}/")
        browser.screenshot(site / "telephone.png")
        print(f"screenshot: {site / 'telephone.png'}")
        assert browser.value("document.documentElement.scrollWidth") <= 360
        assert browser.value("document.images[0].naturalWidth") > 360
