"""A Flask application, driven over the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sites.common import EVERYWHERE, Suite, assert_the_kernel_sends
from tests.sites.conftest import lives
from tests.sites.hosting import FILE, PREFIX, Host


class TestFlask(Suite):
    apology = "The pencil broke."
    broken = "the pencil broke"
    broken_stream = "the pencil broke in the middle"

    @pytest.fixture
    def host(self, flask_host: Host) -> Iterator[Host]:
        yield from lives(flask_host)

    @EVERYWHERE
    def test_a_form(self, host: Host, mount: str) -> None:
        text = f"Grüße aus {mount or 'der Wurzel'}"
        visitor, page = host.logged_in(mount)
        page = visitor.follow(visitor.submit(page, "form", text=text))
        assert page.path == f"{mount}/"
        assert "Noted." in page.text
        assert f"{text} (Ada)" in page.listed
        assert "Noted." not in visitor.get(f"{mount}/").text  # a message is shown once
        assert f"{text} (Ada)" in host.visitor().get("/").listed  # by whichever worker

    def test_a_form_without_its_token_is_refused(self, host: Host) -> None:
        visitor, page = host.logged_in()
        assert visitor.submit(page, "form", text="Forgery", token="0" * 64).status == 403
        assert "Forgery" not in visitor.get("/").text

    def test_a_form_for_members_sends_others_to_the_log_in(self, host: Host) -> None:
        visitor = host.visitor()
        page = visitor.submit(visitor.get(f"{PREFIX}/"), "form", text="who am I?")
        assert visitor.follow(page).path == f"{PREFIX}/login"

    def test_a_download_in_parts(self, host: Host) -> None:
        """Flask reads Range and the validators by itself."""
        visitor = host.visitor()
        part = visitor.get("/download/file.bin", "Range: bytes=1000-1099")
        assert (part.status, part.field["content-range"]) == (206, f"bytes 1000-1099/{len(FILE)}")
        assert part.reply.body == FILE[1000:1100]
        last = visitor.get("/download/file.bin", "Range: bytes=-5", f"If-Range: {part.field['etag']}")
        assert (last.status, last.reply.body) == (206, FILE[-5:])
        beyond = visitor.get("/download/file.bin", f"Range: bytes={len(FILE)}-")
        assert beyond.status == 416
        same = visitor.get("/download/file.bin", f"If-None-Match: {part.field['etag']}")
        assert (same.status, same.reply.body) == (304, b"")
        assert visitor.connections == 1

    def test_static_files_come_from_the_application_or_without_it(self, host: Host) -> None:
        """At the root a mount of its own has them, below the prefix Flask does."""
        visitor = host.visitor()
        served, flask = visitor.get("/static/style.css"), visitor.get(f"{PREFIX}/static/style.css")
        assert f'href="{PREFIX}/static/style.css"' in visitor.get(f"{PREFIX}/").text
        assert (served.status, flask.status) == (200, 200)
        assert served.reply.body == flask.reply.body
        assert served.field["etag"] != flask.field["etag"]

    def test_a_method_that_a_page_does_not_take(self, host: Host) -> None:
        page = host.visitor().get("/logout")
        assert (page.status, set(page.field["allow"].split(", "))) == (405, {"OPTIONS", "POST"})

    def test_a_file_is_sent_by_the_kernel(self, host: Host) -> None:
        assert_the_kernel_sends(host, "/download/huge.bin")
