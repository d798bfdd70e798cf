"""What is remembered, for how long, and what makes it look again."""

from __future__ import annotations

import os
import threading

import pytest

from forkserver.apps import files, selection
from forkserver.apps.cache import Cache
from forkserver.apps.static import OVERHEAD

START = 5e9  # long after any file was made


@pytest.fixture
def looks(monkeypatch):
    """The names that were looked up in the file system."""
    names = []
    original = files.Root.find
    monkeypatch.setattr(files.Root, "find", lambda root, name: names.append(name) or original(root, name))
    return names


@pytest.fixture
def page(root):
    (root / "a.txt").write_bytes(b"old")
    return root / "a.txt"


def test_a_file_is_looked_up_once(ask, site, page, looks):
    app = site()
    looks.clear()
    for tick in range(50):
        assert ask(app, "GET", "/a.txt", now=START + tick / 10).body == b"old"
    assert looks == [b"a.txt"]


def test_within_a_second_it_is_not_even_looked_at(ask, site, page):
    app = site()
    ask(app, "GET", "/a.txt", now=START)
    page.write_bytes(b"new!")
    assert ask(app, "GET", "/a.txt", now=START + 0.9).body == b"old"
    assert ask(app, "GET", "/a.txt", now=START + 1).body == b"new!"


def test_a_clock_set_back_does_not_hold_it_for_ever(ask, site, page):
    app = site()
    ask(app, "GET", "/a.txt", now=START)
    page.write_bytes(b"new!")
    assert ask(app, "GET", "/a.txt", now=START - 3600).body == b"new!"


def rewrite(page):
    page.write_bytes(b"new")


def replace(page):
    (page.parent / "next").write_bytes(b"new")
    (page.parent / "next").rename(page)


def remove(page):
    page.unlink()


def make_fifo(page):
    page.unlink()
    os.mkfifo(page)


def lead_out(page):
    page.unlink()
    page.symlink_to("../secret.txt")


def add_neighbour(page):
    (page.parent / "a.txt.gz").write_bytes(b"new")


def refuse_reading(page):
    page.chmod(0)


CHANGES = {
    rewrite: (200, b"new"),
    replace: (200, b"new"),
    remove: (404, None),
    make_fifo: (404, None),
    lead_out: (404, None),
    add_neighbour: (200, b"new"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("length", [3, 200_000])
def test_a_change_is_noticed_a_second_later(ask, site, page, change, length):
    page.write_bytes(b"o" * length)
    app = site()
    before = ask(app, "HEAD", "/a.txt", accept_encoding="gzip", now=START)
    assert before.still is not None
    assert before.still()
    change(page)
    after = ask(app, "GET", "/a.txt", accept_encoding="gzip", now=START + 1)
    status, body = CHANGES[change]
    assert not before.still()
    assert after.status == status
    assert body is None or after.body == body


def test_changed_rights_are_noticed(ask, site, page):
    got = ask(site(), "GET", "/a.txt", now=START)
    refuse_reading(page)
    assert not got.still()


def test_an_index_that_appears_is_noticed(ask, site, root):
    (root / "b.html").write_text("second")
    app = site(index=("a.html", "b.html"))
    got = ask(app, "GET", "/", now=START)
    (root / "a.html").write_text("first")
    assert not got.still()
    assert (got.body, ask(app, "GET", "/", now=START + 1).body) == (b"second", b"first")


def test_a_stale_neighbour_made_fresh_in_its_place_is_noticed(ask, site, page):
    neighbour = page.parent / "a.txt.gz"
    neighbour.write_bytes(b"packed")
    os.utime(neighbour, (1, 1))
    app = site()
    assert ask(app, "GET", "/a.txt", accept_encoding="gzip", now=START).body == b"old"
    os.utime(neighbour, (4e9, 4e9))
    assert ask(app, "GET", "/a.txt", accept_encoding="gzip", now=START + 1).body == b"packed"


@pytest.mark.parametrize("condition", [{}, {"if_none_match": "*"}, {"range": "bytes=0-0"}, {"range": "bytes=0-0,2-2"}])
def test_replies_from_memory_say_whether_they_still_hold(ask, site, page, condition):
    got = ask(site(), "GET", "/a.txt", now=START, **condition)
    assert got.still()
    page.write_bytes(b"other")
    assert not got.still()


def test_other_replies_do_not(ask, site, page):
    page.write_bytes(bytes(200_000))
    for target, fields in [
        ("/a.txt", {}),
        ("/a.txt", {"if_match": '"x"'}),
        ("/a.txt", {"range": "bytes=0-0"}),
    ]:
        assert ask(site(), "GET", target, now=START, **fields).still is None


def test_what_is_missing_is_so_until_it_comes(ask, site, root):
    got = ask(site(), "GET", "/later.txt", now=START)
    assert got.status == 404
    assert got.still()
    (root / "later.txt").write_text("here")
    assert not got.still()


def test_what_has_only_just_changed_is_not_remembered(ask, site, page, looks):
    app, now = site(), page.stat().st_ctime
    looks.clear()
    for shift in (-3, 0, 1, 1.5):
        assert ask(app, "GET", "/a.txt", now=now + shift).still is None
    assert len(looks) == 4


def test_memory_is_bounded(ask, site, root, looks):
    for number in range(10):
        (root / str(number)).write_bytes(bytes(10_000))
    app = site(memory=5 * (10_000 + len("/0") + OVERHEAD))
    looks.clear()
    for number in range(10):
        ask(app, "GET", f"/{number}", now=START)
    assert len(looks) == 10
    for number in (9, 8, 7, 6, 5):
        ask(app, "GET", f"/{number}", now=START)
    assert len(looks) == 10
    ask(app, "GET", "/0", now=START)
    assert len(looks) == 11


def test_without_memory_nothing_is_remembered(ask, site, page, looks):
    app = site(memory=0)
    looks.clear()
    for _ in range(3):
        assert ask(app, "GET", "/a.txt", now=START).body == b"old"
    assert len(looks) == 3


def test_a_file_that_changes_while_it_is_read_is_read_again(ask, site, page, monkeypatch):
    original, left = os.pread, iter([b"first!", b"second"])

    def disturbed(descriptor, length, offset):
        got = original(descriptor, length, offset)
        text = next(left, None)
        if text:
            page.write_bytes(text)
        return got

    monkeypatch.setattr(os, "pread", disturbed)
    assert ask(site(), "GET", "/a.txt", now=START).body == b"second"


def test_a_file_that_never_rests_puts_the_client_off(ask, site, page, monkeypatch):
    original = os.pread

    def disturbed(descriptor, length, offset):
        got = original(descriptor, length, offset)
        page.write_bytes(got + b"!")
        return got

    monkeypatch.setattr(os, "pread", disturbed)
    got = ask(site(), "GET", "/a.txt", now=START)
    assert (got.status, got["Retry-After"]) == (503, "1")


def test_a_large_file_that_changes_is_described_as_it_is_sent(ask, site, page):
    app = site()
    page.write_bytes(b"a" * 200_000)
    first = ask(app, "GET", "/a.txt", now=START)
    page.write_bytes(b"b" * 300_000)
    second = ask(app, "GET", "/a.txt", now=START)  # within the second: found out when it is opened
    assert (first.body, second.body) == (b"a" * 200_000, b"b" * 300_000)
    assert first["ETag"] != second["ETag"]


def test_closing_forgets(ask, site, page, looks):
    app = site()
    ask(app, "GET", "/a.txt", now=START)
    looks.clear()
    app.close()
    ask(app, "GET", "/a.txt", now=START)
    assert looks == [b"a.txt"]


def test_the_limit_of_small_files_is_exact(ask, site, page):
    for length, from_file in ((selection.SMALL, False), (selection.SMALL + 1, True)):
        page.write_bytes(bytes(length))
        assert ask(site(), "GET", "/a.txt").from_file is from_file


def test_a_cache_lets_the_least_used_go():
    cache = Cache[str, int](30)
    for key in "abc":
        cache.put(key, ord(key), 10)
    cache.touch("a")
    cache.touch("unknown")
    cache.put("d", 0, 10)
    assert [cache.get(key) for key in "abcd"] == [97, None, 99, 0]
    assert cache.used == 30


def test_a_cache_counts_what_is_replaced_and_dropped():
    cache = Cache[str, int](30)
    cache.put("a", 1, 30)
    cache.put("a", 2, 5)
    assert (cache.get("a"), cache.used) == (2, 5)
    cache.put("a", 3, 31)
    assert (cache.get("a"), cache.used) == (None, 0)
    cache.put("b", 1, 1)
    cache.drop("b")
    cache.drop("b")
    assert cache.used == 0


def test_a_cache_holds_its_bound_among_threads():
    cache = Cache[int, int](100)

    def work(start):
        for number in range(start, start + 500):
            cache.put(number % 50, number, 1 + number % 9)
            cache.touch(number % 7)
            cache.drop(number % 11)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 400, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 <= cache.used <= 100
    cache.clear()
    assert cache.used == 0


def test_one_file_is_remembered_under_one_name(ask, site, page, looks):
    app = site()
    assert ask(app, "GET", "/a.txt", now=START).status == 200
    once = len(looks)
    for path in ("//a.txt", "////a.txt"):
        assert ask(app, "GET", path, now=START).status == 200
    assert len(looks) == once
