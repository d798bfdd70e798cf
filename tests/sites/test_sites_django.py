"""A Django project, driven over the wire."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.sites.common import EVERYWHERE, Suite, assert_the_kernel_sends
from tests.sites.conftest import lives
from tests.sites.hosting import PREFIX, Host


class TestDjango(Suite):
    apology = "The shop is out of order."
    broken = "the till is jammed"
    broken_stream = "the conveyor is jammed"

    @pytest.fixture
    def host(self, django_host: Host) -> Iterator[Host]:
        yield from lives(django_host)

    @EVERYWHERE
    def test_a_form(self, host: Host, mount: str) -> None:
        """What is wrong comes back with the form; what is right is in the database, and the next page says so."""
        name = f"Teapot of {mount or 'the house'}"
        visitor, _ = host.logged_in(mount)
        form = visitor.get(f"{mount}/add/")
        again = visitor.submit(form, "form", name=name, price="-1")
        assert again.status == 200
        assert "greater than or equal to 0" in again.text
        page = visitor.follow(visitor.submit(again, "form", name=name, price="12.50"))
        assert f"<li>{name}: 12.50</li>" in page.text
        assert f"{name} is in the catalogue." in page.text
        assert "is in the catalogue" not in visitor.get(f"{mount}/").text  # a message is shown once
        assert f"{name}: 12.50" in host.visitor().get("/").listed  # by whichever worker

    def test_a_form_without_its_token_is_refused(self, host: Host) -> None:
        visitor, _ = host.logged_in()
        form = visitor.get("/add/")
        page = visitor.submit(form, "form", name="Forgery", price="1", csrfmiddlewaretoken="0" * 64)
        assert page.status == 403
        host.daemon.errors.wait_for("Forbidden .*CSRF.*/add/")
        assert "Forgery" not in visitor.get("/").text

    @EVERYWHERE
    def test_a_page_for_members_sends_others_to_the_log_in_and_back(self, host: Host, mount: str) -> None:
        visitor = host.visitor()
        page = visitor.follow(visitor.get(f"{mount}/add/"))
        assert page.path == f"{mount}/accounts/login/?next={mount}/add/"
        name, password = host.site.credentials
        given = {name: host.site.name, password: host.site.password}
        assert visitor.follow(visitor.submit(page, "login", **given)).path == f"{mount}/add/"

    def test_static_files_come_without_the_application(self, host: Host) -> None:
        """The link that the template makes leads to the file that collectstatic has put there."""
        visitor = host.visitor()
        (link,) = re.findall(r'href="(/static/[^"]+)"', visitor.get(f"{PREFIX}/").text)
        assert re.fullmatch(r"/static/catalogue/style\.[0-9a-f]{12}\.css", link)
        page = visitor.get(link)
        assert (page.status, page.field["content-type"]) == (200, "text/css; charset=utf-8")
        assert page.field["cache-control"] == "max-age=31536000"
        again = visitor.get(link, f"If-None-Match: {page.field['etag']}")
        assert (again.status, again.reply.body) == (304, b"")

    @EVERYWHERE
    def test_the_admin(self, host: Host, mount: str) -> None:
        name = f"Kettle of {mount or 'the house'}"
        visitor, _ = host.logged_in(mount)
        page = visitor.get(f"{mount}/admin/catalogue/product/add/")
        page = visitor.follow(visitor.submit(page, "product_form", name=name, price="30"))
        assert page.path == f"{mount}/admin/catalogue/product/"
        assert "was added successfully" in page.text
        assert re.search(rf'<a href="{mount}/admin/catalogue/product/\d+/change/[^"]*">{name}</a>', page.text)

    def test_a_download_is_named(self, host: Host) -> None:
        page = host.visitor().head("/download/file.bin")
        assert page.field["content-disposition"] == 'attachment; filename="file.bin"'

    def test_a_file_is_sent_by_the_kernel(self, host: Host) -> None:
        assert_the_kernel_sends(host, "/download/huge.bin")
