"""A web.py application, driven over the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sites.common import EVERYWHERE, Suite
from tests.sites.conftest import lives
from tests.sites.hosting import PREFIX, Host


class TestWebPy(Suite):
    apology = "The guest book is closed."
    broken = "the ink is dry"
    broken_stream = "the ink ran out"

    @pytest.fixture
    def host(self, webpy_host: Host) -> Iterator[Host]:
        yield from lives(webpy_host)

    @EVERYWHERE
    def test_a_form(self, host: Host, mount: str) -> None:
        """What is wrong comes back with the form; what is right is in the book."""
        text = f"Greetings from {mount or 'the root'}"
        visitor, page = host.logged_in(mount)
        again = visitor.submit(page, "form", text="x" * 80)
        assert "Too long" in again.text
        page = visitor.follow(visitor.submit(again, "form", text=text))
        assert page.path == f"{mount}/"
        assert f"{text} (Ada)" in page.listed
        assert f"{text} (Ada)" in host.visitor().get("/").listed  # by whichever worker

    def test_a_form_without_its_token_is_refused(self, host: Host) -> None:
        visitor, page = host.logged_in()
        assert visitor.submit(page, "form", text="Forgery", token="0" * 64).status == 403
        assert "Forgery" not in visitor.get("/").text

    def test_a_form_for_members_sends_others_to_the_log_in(self, host: Host) -> None:
        visitor = host.visitor()
        page = visitor.submit(visitor.get(f"{PREFIX}/"), "form", text="who am I?")
        assert visitor.follow(page).path == f"{PREFIX}/login"

    def test_a_method_that_a_page_does_not_take(self, host: Host) -> None:
        assert host.visitor().get("/logout").status == 405
