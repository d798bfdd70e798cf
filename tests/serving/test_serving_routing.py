"""Which mount answers for a host and a path."""

from __future__ import annotations

import pytest

from forkserver.http.response import Response
from forkserver.serving.routing import Mount, Site
from tests.serving.fakes import FakeApp, head_of

MOUNTS = [("", ""), ("", "/shop"), ("", "/shop/admin"), ("blog.test", "/a"), ("other.test", "")]


def app(methods: frozenset[str] | None = None) -> FakeApp:
    made = FakeApp(lambda request: Response(200))
    made.methods = methods  # type: ignore[assignment]  # an attribute of the kind, elsewhere
    return made


SITE = Site(Mount(host, prefix, app()) for host, prefix in MOUNTS)


@pytest.mark.parametrize(
    ("host", "target", "found"),
    [
        ("test", "/", ("", "")),
        ("test", "/shop", ("", "/shop")),
        ("test", "/shop/", ("", "/shop")),
        ("test", "/shop?a=/shop/admin", ("", "/shop")),
        ("test", "/shopping", ("", "")),
        ("test", "/shop/administrator", ("", "/shop")),
        ("test", "/shop/admin/x", ("", "/shop/admin")),
        ("test", "/Shop", ("", "")),
        ("test", "/%73hop/x", ("", "/shop")),
        ("test", "//shop", None),  # a folder at / would show what is in its folder shop
        ("test", "/shop//admin/x", None),
        ("test", "/%2Fshop", None),
        ("test", "//shopping", ("", "")),
        ("test", "/shop//x", ("", "/shop")),
        ("test", "/shop/http://other.test/", ("", "/shop")),
        ("other.test", "//shop", ("other.test", "")),
        ("blog.test", "/a/b", ("blog.test", "/a")),
        ("BLOG.test:8080", "/a", ("blog.test", "/a")),
        ("blog.test", "/shop", None),  # a host that is named has its own mounts only
        ("blog.test", "/", None),
        ("other.test", "/shop", ("other.test", "")),
        ("www.blog.test", "/a", ("", "")),
    ],
)
def test_the_longest_prefix_of_the_host_wins(host: str, target: str, found: tuple[str, str] | None) -> None:
    mount = SITE.find(head_of(target=target, host=host))
    assert (mount and (mount.host, mount.prefix)) == found


def test_the_order_of_mounts_does_not_matter() -> None:
    turned = Site(Mount(host, prefix, app()) for host, prefix in reversed(MOUNTS))
    for target in ("/", "/shop/x", "/shop/admin"):
        first, second = SITE.find(head_of(target=target)), turned.find(head_of(target=target))
        assert first
        assert second
        assert first.prefix == second.prefix


def test_nothing_mounted() -> None:
    assert Site([]).find(head_of()) is None
    assert Site([]).methods == ["OPTIONS"]


def test_the_methods_of_all() -> None:
    assert Site([Mount("", "", app(frozenset({"GET", "BREW"})))]).methods == ["BREW", "GET", "OPTIONS"]
    assert "PATCH" in Site([Mount("", "", app())]).methods


def test_all_applications() -> None:
    assert len(SITE.apps()) == len(MOUNTS)
