"""Django's admin, used by a person: log-in, a new object, the list, log-out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sites.hosting import DJANGO, Host, running

from .chromium import Chromium

pytestmark = pytest.mark.browser

ROWS = "[...document.querySelectorAll('#result_list .field-name')].map(cell => cell.innerText)"
RESOURCES = "performance.getEntriesByType('resource').map(e => [new URL(e.name).pathname, e.responseStatus])"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with running(DJANGO, tmp_path) as host:
        yield host


def test_a_person_adds_a_product(host: Host, tmp_path: Path) -> None:
    with Chromium(tmp_path) as browser:
        browser.visit(f"http://127.0.0.1:{host.daemon.port}/admin/")
        assert browser.value("location.pathname") == "/admin/login/"
        browser.type("#id_username", host.site.name)
        browser.type("#id_password", host.site.password)
        browser.click("#login-form [type=submit]")
        assert browser.value("location.pathname") == "/admin/"
        browser.screenshot(tmp_path / "admin.png")

        browser.click(".model-product .addlink")
        browser.type("#id_name", "Tea cosy")
        browser.type("#id_price", "7.25")
        browser.click("[name=_save]")
        assert browser.value("location.pathname") == "/admin/catalogue/product/"
        assert "was added successfully" in browser.value("document.querySelector('.success').innerText")
        assert browser.value(ROWS) == ["Tea cosy"]
        browser.screenshot(tmp_path / "list.png")

        browser.type("#searchbar", "samovar")
        browser.click("#changelist-search [type=submit]")
        assert browser.value(ROWS) == []

        browser.click("#logout-form button")
        assert browser.value("document.querySelector('#logout-form')") is None


def test_the_admin_looks_as_it_should(host: Host, tmp_path: Path) -> None:
    """Its style sheets and scripts come from the folder that collectstatic has filled, and are in use."""
    with Chromium(tmp_path) as browser:
        browser.visit(f"http://127.0.0.1:{host.daemon.port}/admin/")
        brought = browser.value(RESOURCES)
        browser.screenshot(tmp_path / "login.png")
        assert len(brought) > 3
        assert all(path.startswith("/static/admin/") for path, _ in brought)
        assert {status for _, status in brought} == {200}
        assert browser.value("getComputedStyle(document.querySelector('#header')).display") == "flex"
