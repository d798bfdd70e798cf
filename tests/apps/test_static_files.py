"""Which file a path stands for, how it is described, and everything that stands for none."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import socket
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.apps import KINDS, AppError, selection, static
from forkserver.apps.static import Static, StaticOptions
from forkserver.http.response import http_date

TYPES = {
    "page.html": "text/html; charset=utf-8",
    "page.HTM": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "code.js": "text/javascript; charset=utf-8",
    "code.mjs": "text/javascript; charset=utf-8",
    "data.json": "application/json",
    "feed.xml": "application/xml",
    "drawing.svg": "image/svg+xml",
    "photo.jpg": "image/jpeg",
    "photo.webp": "image/webp",
    "photo.avif": "image/avif",
    "photo.jxl": "image/jxl",
    "module.wasm": "application/wasm",
    "letters.woff2": "font/woff2",
    "app.webmanifest": "application/manifest+json",
    "song.opus": "audio/ogg",
    "song.flac": "audio/flac",
    "read.md": "text/markdown; charset=utf-8",
    "all.tar.gz": "application/gzip",
    "data:,x.txt": "text/plain; charset=utf-8",
    "nothing.known": "application/octet-stream",
    "README": "application/octet-stream",
}


def test_the_table_of_kinds_knows_it():
    assert KINDS["static"] is Static


def test_a_file_is_given_with_its_description(ask, site, root):
    (root / "a.txt").write_bytes(b"hello")
    os.utime(root / "a.txt", ns=(0, 1_700_000_000_123_456_789))
    got = ask(site(), "GET", "/a.txt")
    assert (got.status, got.body) == (200, b"hello")
    assert got.fields == {
        "content-type": "text/plain; charset=utf-8",
        "last-modified": http_date(1_700_000_000),
        "etag": f'"{1_700_000_000_123_456_789:x}-5"',
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
    }


@pytest.mark.parametrize(("name", "kind"), TYPES.items())
def test_the_name_tells_the_type(ask, site, root, name, kind):
    (root / name).write_bytes(b"")
    assert ask(site(), "GET", "/" + name)["Content-Type"] == kind


def test_the_charset_can_be_another_or_none(ask, site, root):
    (root / "a.txt").write_bytes(b"")
    assert ask(site(charset="iso-8859-2"), "GET", "/a.txt")["Content-Type"] == "text/plain; charset=iso-8859-2"
    assert ask(site(charset=""), "GET", "/a.txt")["Content-Type"] == "text/plain"


def test_cache_control_is_that_of_the_options(ask, site, root):
    (root / "a.txt").write_bytes(b"")
    assert ask(site(cache_control="max-age=60"), "GET", "/a.txt")["Cache-Control"] == "max-age=60"


def test_a_date_to_come_is_given_as_now(ask, site, root):
    (root / "a.txt").write_bytes(b"")
    os.utime(root / "a.txt", (4e9, 4e9))
    assert ask(site(), "GET", "/a.txt", now=2e9)["Last-Modified"] == http_date(2_000_000_000)


def test_a_date_before_the_epoch_is_given_as_the_epoch(ask, site, root):
    (root / "a.txt").write_bytes(b"")
    os.utime(root / "a.txt", (-10, -10))
    assert ask(site(), "GET", "/a.txt")["Last-Modified"] == http_date(0)


def test_a_large_file_is_left_to_the_kernel(ask, site, root):
    content = os.urandom(131_073)
    (root / "large.bin").write_bytes(content)
    app = site()
    for _ in range(2):  # looked up, then remembered
        got = ask(app, "GET", "/large.bin")
        assert (got.status, got.body, got.from_file, got.still) == (200, content, True, None)


@pytest.mark.parametrize("length", [0, 10, 131_072, 131_073])
def test_head_describes_what_get_would_give(ask, site, root, length):
    (root / "a.bin").write_bytes(bytes(length))
    app = site()
    full, head = ask(app, "GET", "/a.bin"), ask(app, "HEAD", "/a.bin")
    assert head.fields == full.fields
    assert length == (len(head.body) if head.response.length is None else head.response.length)


def test_options_names_the_methods(ask, site):
    got = ask(site(), "OPTIONS", "/whatever")
    assert (got.status, got["Allow"], got.body) == (204, "GET, HEAD, OPTIONS", b"")


@pytest.mark.parametrize("name", ["space and +.txt", "größe.txt", "100%.txt", "a;b?c#d.txt", "%2e%2e", "a...", "a..b"])
def test_a_name_may_hold_what_it_likes(ask, site, root, name):
    (root / name).write_bytes(b"here")
    encoded = "".join(f"%{octet:02X}" for octet in name.encode())
    assert ask(site(), "GET", "/" + encoded).body == b"here"


def test_a_name_need_not_be_utf8(ask, site, root):
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.txt")).write_bytes(b"latin")
    assert ask(site(), "GET", "/caf%E9.txt").body == b"latin"


NOWHERE = [
    "/../secret.txt",
    "/..",
    "/sub/../../secret.txt",
    "/sub/..",
    "/./a.txt",
    "/%2e%2e/secret.txt",
    "/.%2e/secret.txt",
    "/%2E./secret.txt",
    "/sub/%2e%2e/%2e%2e/secret.txt",
    "/%252e%252e/secret.txt",
    "/%25252e%25252e/secret.txt",
    "/..%2fsecret.txt",
    "/..%2Fsecret.txt",
    "/sub%2fb.txt",
    "/sub%2Fb.txt",
    "/%2fetc/passwd",
    "/..%5csecret.txt",
    "/..\\secret.txt",
    "/sub\\b.txt",
    "/a.txt%00",
    "/a.txt%00.html",
    "/%00",
    "/a.txt%0a",
    "/%0d%0aSet-Cookie:x=y",
    "/%7f",
    "/%c0%ae%c0%ae/secret.txt",
    "/%e0%80%ae%e0%80%ae/secret.txt",
    "/..%c0%afsecret.txt",
    "/%u002e%u002e/secret.txt",
    "/..;/secret.txt",
    "/.../secret.txt",
    "/....//secret.txt",
    "//../secret.txt",
    "/a.txt/",
    "/a.txt/.",
    "/a.txt/b",
    "/.hidden",
    "/.git/config",
    "/sub/.hidden",
    "/%2ehidden",
    "/.well-known/.hidden",
    "/.well-known-not/x",
    "/" + "n" * 256,
    "/" + "d/" * 3000,
    "/nothing",
    "/sub",
    "/sub/",
    "/",
]


@pytest.fixture
def furnished(root):
    """A folder with something behind each door that must stay shut."""
    (root / "a.txt").write_text("a")
    for folder in ("sub", ".git", ".well-known", ".well-known-not"):
        (root / folder).mkdir()
    for name in (
        "sub/b.txt",
        ".hidden",
        ".git/config",
        "sub/.hidden",
        ".well-known/.hidden",
        ".well-known-not/x",
    ):
        (root / name).write_text("secret")
    (root / ".well-known/security.txt").write_text("open")
    return root


@pytest.mark.parametrize("target", NOWHERE)
@pytest.mark.parametrize("symlinks", ["inside", "all", "none"])
def test_a_path_never_leaves_its_root(ask, site, furnished, target, symlinks):
    got = ask(site(symlinks=symlinks), "GET", target)
    assert got.status == 404
    assert b"secret" not in got.body


@pytest.mark.parametrize("target", ["/../secret.txt", "/sub/..", "/./a.txt", "/..", "/."])
def test_dots_lead_nowhere_even_where_hidden_names_are_served(ask, site, furnished, target):
    assert ask(site(hidden=True), "GET", target).status == 404


def test_hidden_names_are_served_where_that_is_wanted(ask, site, furnished):
    assert ask(site(hidden=True), "GET", "/.git/config").body == b"secret"


def test_well_known_things_are_always_served(ask, site, furnished):
    assert ask(site(), "GET", "/.well-known/security.txt").body == b"open"


LINKS = {  # name: (target, followed inside, followed all, followed none)
    "to-file": ("a.txt", True, True, False),
    "to-folder-file/b.txt": (None, True, True, False),
    "to-out": ("../secret.txt", False, True, False),
    "to-out-absolute": ("{outside}/secret.txt", False, True, False),
    "to-parent/secret.txt": (None, False, True, False),
    "chain": ("to-out", False, True, False),
    "to-hidden": (".hidden", False, True, False),
    "to-git/config": (None, False, True, False),
    "loop": ("loop", False, False, False),
    "to-nothing": ("gone", False, False, False),
    "to-null": ("/dev/null", False, False, False),
    "to-zero": ("/dev/zero", False, False, False),
    "to-sibling": ("../root-two/x", False, True, False),
}


@pytest.fixture
def linked(furnished):
    """The same folder with links to all sides."""
    (furnished.parent / "root-two").mkdir()
    (furnished.parent / "root-two" / "x").write_text("next door")
    for name, (target, *_) in LINKS.items():
        if target is not None:
            (furnished / name).symlink_to(target.format(outside=furnished.parent))
    (furnished / "to-folder-file").symlink_to("sub")
    (furnished / "to-parent").symlink_to("..")
    (furnished / "to-git").symlink_to(".git")
    return furnished


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("policy", ["inside", "all", "none"])
def test_links_are_followed_as_the_option_says(ask, site, linked, name, policy):
    followed = dict(zip(("inside", "all", "none"), LINKS[name][1:], strict=True))[policy]
    assert ask(site(symlinks=policy), "GET", "/" + name).status == (200 if followed else 404)


def test_the_root_itself_may_be_a_link_that_is_swapped(ask, tmp_path):
    for release in ("one", "two"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "index.html").write_text(release)
    (tmp_path / "current").symlink_to("one")
    app = Static(StaticOptions(static=str(tmp_path / "current"), symlinks="none"), "")
    app.load()
    first = ask(app, "GET", "/", now=5e9)
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "current")
    assert first.still is not None
    assert not first.still()
    assert (first.body, ask(app, "GET", "/", now=5e9 + 1).body) == (b"one", b"two")


@pytest.mark.parametrize("hidden", [False, True])
def test_a_fifo_is_never_opened(ask, site, root, monkeypatch, hidden):
    os.mkfifo(root / "pipe")
    (root / "x.css").write_text("")
    os.mkfifo(root / "x.css.gz")
    (root / "index.html").symlink_to("pipe")
    opened = []
    original = os.open

    def noted(path, flags, *rest, **named):
        descriptor = original(path, flags, *rest, **named)
        if not flags & os.O_PATH:
            opened.append(os.fstat(descriptor).st_ino)
        return descriptor

    monkeypatch.setattr(os, "open", noted)
    app = site(hidden=hidden, listing=True)
    assert ask(app, "GET", "/pipe").status == 404
    assert b"pipe" not in ask(app, "GET", "/").body
    assert ask(app, "GET", "/x.css", accept_encoding="gzip").status == 200
    assert opened  # the folder, for its listing, and the style sheet
    assert not {(root / "pipe").stat().st_ino, (root / "x.css.gz").stat().st_ino} & set(opened)


def test_a_socket_is_no_file(ask, site, root, monkeypatch):
    monkeypatch.chdir(root)  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
        assert ask(site(), "GET", "/s").status == 404


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO, errno.EILSEQ, errno.ESTALE])
def test_what_may_not_be_read_is_not_there(ask, site, root, monkeypatch, number):
    (root / "a.txt").write_text("a")
    app = site()
    original = os.open

    def refuse(path, flags, *rest, **named):
        if not flags & os.O_PATH:
            raise OSError(number, os.strerror(number))
        return original(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", refuse)
    assert ask(app, "GET", "/a.txt").status == 404


@pytest.mark.parametrize("allowed", range(3))
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
@pytest.mark.parametrize("length", [10, 200_000])
def test_without_descriptors_the_client_is_put_off(ask, site, root, monkeypatch, allowed, number, length):
    (root / "a.txt").write_bytes(bytes(length))
    app, left = site(), iter(range(allowed))
    before = len(os.listdir("/proc/self/fd"))
    original = os.open

    def refuse(*given, **named):
        if next(left, None) is None:
            raise OSError(number, os.strerror(number))
        return original(*given, **named)

    monkeypatch.setattr(os, "open", refuse)
    got = ask(app, "GET", "/a.txt")
    monkeypatch.undo()
    assert (got.status, got["Retry-After"]) == (503, "1")
    assert len(os.listdir("/proc/self/fd")) == before
    assert ask(app, "GET", "/a.txt").status == 200


def test_other_trouble_is_told(ask, site, root, monkeypatch):
    (root / "a.txt").write_text("a")
    app = site()

    def fail(*given):
        raise OSError(errno.EIO, "the disk is ill")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(OSError, match="the disk is ill"):
        ask(app, "GET", "/a.txt")


def test_no_descriptor_is_left_behind(ask, site, linked):
    app = site(listing=True)
    before = len(os.listdir("/proc/self/fd"))
    for target in [*NOWHERE, *("/" + name for name in LINKS), "/a.txt", "/sub", "/sub/", "/"]:
        ask(app, "GET", target, accept_encoding="gzip")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A site that holds nothing but hidden things, beside others that are not its own."""
    around = tmp_path_factory.mktemp("around")
    for name in ("secret", "root/.secret", "root/.git/secret", "root-two/secret"):
        (around / name).parent.mkdir(parents=True, exist_ok=True)
        (around / name).write_text("secret")
    (around / "root" / "link").symlink_to("..")
    app = Static(StaticOptions(static=str(around / "root"), listing=True), "")
    app.load()
    return app


SEGMENTS = ["..", ".", "", "secret", ".secret", ".git", "link", "root", "root-two", "\\", "\0", "%2e%2e", "\xc0\xae"]


@given(st.lists(st.one_of(st.sampled_from(SEGMENTS), st.text(st.characters(max_codepoint=255), max_size=4))))
def test_no_path_finds_the_secret(guarded, request_for, segments):
    path = "/" + "/".join(segments)
    request = request_for("GET", "/" + quote("/".join(segments), encoding="latin-1"))
    assert request.path == path
    response = guarded.respond(request)
    assert response.status in (200, 301, 404)
    assert b"secret" not in response.body


def test_a_link_that_flips_while_it_is_asked_for_gives_nothing_away(ask, site, furnished):
    app, done = site(memory=0), threading.Event()

    def flip():
        for turn in itertools.cycle(("a.txt", "../secret.txt")):
            (furnished / "next").symlink_to(turn)
            (furnished / "next").rename(furnished / "flip.txt")
            if done.is_set():
                return

    flipper = threading.Thread(target=flip)
    flipper.start()
    bodies = {ask(app, "GET", "/flip.txt").body for _ in range(500)}
    done.set()
    flipper.join()
    assert b"secret" not in bodies


def test_a_folder_that_goes_away_meanwhile_is_missing(ask, site, furnished, monkeypatch):
    app, original = site(), selection.represent

    def late(manner, place, *rest):
        shutil.rmtree(furnished / "sub")
        return original(manner, place, *rest)

    monkeypatch.setattr(static, "represent", late)
    assert ask(app, "GET", "/sub/b.txt").status == 404


def test_a_missing_folder_is_told_when_loading(tmp_path):
    with pytest.raises(AppError, match="gone"):
        Static(StaticOptions(static=str(tmp_path / "gone")), "").load()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AppError, match="file"):
        Static(StaticOptions(static=str(tmp_path / "file")), "").load()


def test_a_folder_that_may_not_be_entered_is_told_when_loading(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *given, **named: False)
    with pytest.raises(AppError, match="no right"):
        Static(StaticOptions(static=str(tmp_path)), "").load()


@pytest.mark.parametrize("name", ["../index.html", "sub/index.html", "..", ".index.html", "a\\b"])
def test_an_index_is_the_plain_name_of_a_file(tmp_path, name):
    with pytest.raises(AppError, match="index"):
        Static(StaticOptions(static=str(tmp_path), index=(name,)), "").load()
