"""All applications in one worker, which has one thread."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Start
from tests.sites.hosting import DJANGO, FLASK, WEBPY, Host
from tests.sites.visitor import Visitor

ALONE = """
[server]
listen = 127.0.0.1:0
workers = 1
threads = 1
trusted = 127.0.0.1
"""
PROXIED = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.test")


def test_three_frameworks_in_one_process(start: Start, tmp_path: Path) -> None:
    """Each answers below its own prefix, whoever was asked before; one visitor has a session with each of them.

    What a trusted proxy says of the client is in the links that they make.
    """
    hosts = {f"/{site.code}": Host(site, tmp_path / site.code) for site in (DJANGO, FLASK, WEBPY)}
    for host in hosts.values():
        host.folder.mkdir()
        host.prepare()
    daemon = start(ALONE + "".join(host.section(mount) for mount, host in hosts.items()))
    visitor = Visitor(daemon.connect, daemon.port)
    pids = set()
    for count in (1, 2, 3):
        for mount, host in hosts.items():
            assert f"first edition, visit {count}" in visitor.get(f"{mount}/").text
            facts = visitor.get(host.path("facts", mount)).json
            assert (facts["SCRIPT_NAME"], facts["index"]) == (mount, f"{mount}/")
            assert (facts["multithread"], facts["multiprocess"]) == (False, True)
            pids.add(facts["pid"])
    assert list(pids) == daemon.workers()
    for mount, host in hosts.items():
        path = host.path("facts", mount)
        facts = visitor.get(path, *PROXIED).json
        assert (facts["REMOTE_ADDR"], facts["absolute"]) == ("192.0.2.7", f"https://shop.test{path}")
    assert visitor.connections == 1
    visitor.close()
