"""The guestbook as `serve --demo` mounts it, used by a person: two workers, and a reload in the middle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from forkserver import onthespot
from tests.daemons import ROOT, Daemon

from .chromium import Chromium

pytestmark = pytest.mark.browser

NAMES = "[...document.querySelectorAll('section h2')].map(e => e.innerText)"
PICTURE = "document.querySelector('article img')"
WIDTH = f"{PICTURE}.scrollIntoView(), {PICTURE}.decode().then(() => {PICTURE}.naturalWidth)"  # it is loaded when seen


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    mounts = "\n".join(onthespot.demo())
    daemon = Daemon(tmp_path, f"[server]\nlisten = 127.0.0.1:0\nworkers = 2\n{mounts}\n")
    try:
        yield daemon.start()
    finally:
        daemon.stop()
        print(daemon.errors.rest())


def sign(browser: Chromium, name: str, text: str) -> None:
    browser.type("#name", name)
    browser.type("#text", text)


def reload(daemon: Daemon) -> None:
    """All workers are other ones afterwards."""
    before = set(daemon.workers())
    assert daemon.reload()["ok"]
    while set(daemon.workers()) & before:  # each answer comes from the master
        pass


def test_a_person_signs_changes_and_deletes(daemon: Daemon, tmp_path: Path) -> None:
    daemon.settled(2)
    with Chromium(tmp_path) as browser:
        browser.visit(f"http://127.0.0.1:{daemon.port}/guestbook")
        assert browser.value("location.pathname") == "/guestbook/"
        sign(browser, "Ann", "A picture of a mountain.\nWhat do you think?")
        browser.choose("#picture", ROOT / "conf/site/test.jpg")
        browser.click("#write button")
        assert browser.value("location.pathname") == "/guestbook/"
        assert "Your entry is in the book" in browser.value("document.querySelector('[role=status]').innerText")
        assert browser.value(NAMES) == ["Ann"]
        assert browser.value(WIDTH) > 0
        browser.screenshot(tmp_path / "signed.png")

        reload(daemon)
        browser.reload()
        assert browser.value(NAMES) == ["Ann"]
        browser.click("article .links a")
        browser.value("document.querySelector('#text').value = ''")
        browser.type("#text", "It is <b>beautiful</b>.")
        browser.click("#change button")
        assert browser.value("document.querySelector('.text').innerText") == "It is <b>beautiful</b>."
        assert browser.value(WIDTH) > 0  # the picture stays

        browser.click("article .links a")
        browser.value("document.querySelector('details').open = true")
        browser.screenshot(tmp_path / "own.png")
        browser.click("#delete button")
        assert browser.value(NAMES) == []
        assert os.listdir(tmp_path / "forkserver/guestbook/pictures") == []


def test_what_is_wrong_is_seen_beside_its_field(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "no.jpg").write_bytes(b"no picture at all")
    with Chromium(tmp_path) as browser:
        browser.visit(f"http://127.0.0.1:{daemon.port}/guestbook/")
        sign(browser, "Bob", "Look at this.")
        browser.choose("#picture", tmp_path / "no.jpg")
        browser.click("#write button")
        assert "not a JPEG" in browser.value("document.querySelector('#picture-wrong').innerText")
        assert browser.value("document.querySelector('#text').value") == "Look at this."
        browser.screenshot(tmp_path / "wrong.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone_by_day_and_by_night(daemon: Daemon, tmp_path: Path, scheme: str) -> None:
    screen = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    with Chromium(tmp_path) as browser:
        browser.call("Emulation.setDeviceMetricsOverride", **screen)
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.visit(f"http://127.0.0.1:{daemon.port}/guestbook/")
        sign(browser, "W" * 60, "x" * 300)
        browser.click("#write button")
        browser.screenshot(tmp_path / f"{scheme}.png")
        assert browser.value("document.documentElement.scrollWidth") <= 360
        colour = browser.value("getComputedStyle(document.body).backgroundColor")
        assert colour == {"light": "rgb(246, 244, 239)", "dark": "rgb(23, 22, 20)"}[scheme]


def test_the_demo_page_is_there_too(daemon: Daemon, tmp_path: Path) -> None:
    with Chromium(tmp_path) as browser:
        browser.visit(f"http://127.0.0.1:{daemon.port}/")
        assert "forkserver" in browser.value("document.title")
