"""Addresses to listen at: every spelling, and what the writer of a wrong one is told."""

from __future__ import annotations

import pytest

from forkserver.config.addresses import Address, addresses


def texts(text):
    return [str(address) for address in addresses(text, "/etc")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1:8080", "tcp4", host="127.0.0.1", port=8080)),
        ("[::1]:80", Address("[::1]:80", "tcp6", host="::1", port=80)),
        ("[0:0::1]:080", Address("[::1]:80", "tcp6", host="::1", port=80)),
        ("[fe80::1%lo]:80", Address("[fe80::1%lo]:80", "tcp6", host="fe80::1%lo", port=80)),
        ("unix:/run/x.sock", Address("unix:/run/x.sock", "unix", path="/run/x.sock")),
        ("unix:x.sock", Address("unix:/etc/x.sock", "unix", path="/etc/x.sock")),
        ("systemd:web", Address("systemd:web", "systemd", name="web")),
    ],
)
def test_one_address(text, expected):
    assert addresses(text, "/etc") == (expected,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":8080", ["0.0.0.0:8080", "[::]:8080"]),
        ("localhost:81", ["127.0.0.1:81", "[::1]:81"]),
        ("127.0.0.1:1, 127.0.0.1:2\n[::1]:1", ["127.0.0.1:1", "127.0.0.1:2", "[::1]:1"]),
        ("0.0.0.0:0, 127.0.0.1:0", ["0.0.0.0:0", "127.0.0.1:0"]),
        ("0.0.0.0:80, 127.0.0.1:81, [::1]:80", ["0.0.0.0:80", "127.0.0.1:81", "[::1]:80"]),
    ],
)
def test_several_addresses(text, expected):
    assert texts(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "an address is expected, such as :8080 or 127.0.0.1:8080"),
        ("8080", '"8080" is not an address; did you mean :8080?'),
        ("127.0.0.1", '"127.0.0.1" is not an address; a port is missing, as in 127.0.0.1:8080'),
        ("[::1]", '"[::1]" is not an address; a port is missing, as in [::1]:8080'),
        ("::1:8080", '"::1:8080" is not an address; IPv6 stands in brackets, as [::1]:8080'),
        ("http://a:80", '"http://a:80" is not an address; write it without the scheme, as 127.0.0.1:8080'),
        ("127.0.0.1:http", ('"127.0.0.1:http" is not an address; write :8080, 127.0.0.1:8080, [::1]:8080, '
         "unix:PATH or systemd:NAME")),
        ("*:80", "for every address of this machine, write :80"),
        ("127.0.0.1:65536", '"127.0.0.1:65536": a port is at most 65535'),
        ("www.example.org:80", ('"www.example.org" is not an IP address; names are not looked up; '
         "give the address itself, or localhost")),
        ("127.0.0.256:80", ('"127.0.0.256" is not an IP address; names are not looked up; '
         "give the address itself, or localhost")),
        ("[127.0.0.1]:80", "only IPv6 stands in brackets; write 127.0.0.1:80"),
        ("[::ffff:127.0.0.1]:80", "write 127.0.0.1:80"),
        ("unix:", "one path is expected, on one line"),
        ("systemd:", "systemd: lacks the name of a socket, as in systemd:web"),
        ("systemd:a:b", "systemd:a:b is not the name of a socket, as in systemd:web"),
        ("127.0.0.1:80 proxi", '"proxi" is no word that may follow an address, as proxy may; did you mean proxy?'),
        ("127.0.0.1:80 ssl", '"ssl" is no word that may follow an address, as proxy may'),
        ("unix:/run/a b", '"b" is no word that may follow an address, as proxy may'),
        ("proxy", '"proxy" is not an address; a port is missing, as in proxy:8080'),
        ("127.0.0.1:80, 127.0.0.1:80 proxy", "127.0.0.1:80 is given twice"),
        ("127.0.0.1:80, 127.0.0.1:80", "127.0.0.1:80 is given twice"),
        (":80, [::]:80", "[::]:80 is given twice"),
        ("127.0.0.1:80, :80", "0.0.0.0:80 contains 127.0.0.1:80 already; keep one of them"),
        ("[::]:80, [::1]:80", "[::]:80 contains [::1]:80 already; keep one of them"),
        ("unix:/run/a, unix:/run/./a", "unix:/run/a is given twice"),
    ],
)  # fmt: skip
def test_wrong_addresses(text, reason):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        addresses(text, "/etc")
    assert str(caught.value) == reason


def test_the_path_of_a_unix_socket_fits_the_kernel():
    assert len(addresses("unix:/" + "a" * 106, "/")[0].path) == 107
    with pytest.raises(ValueError, match="at most 107 bytes"):
        addresses("unix:/" + "a" * 107, "/")
    with pytest.raises(ValueError, match="at most 107 bytes"):
        addresses("unix:/" + "ä" * 60, "/")


def test_only_the_second_half_of_a_short_form_may_be_missing():
    assert [address.optional for address in addresses(":8080, [::1]:9090", ".")] == [False, True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:80 proxy", ["127.0.0.1:80 proxy"]),
        ("127.0.0.1:80\tproxy  proxy", ["127.0.0.1:80 proxy"]),
        (":80 proxy, 127.0.0.1:81", ["0.0.0.0:80 proxy", "[::]:80 proxy", "127.0.0.1:81"]),
        ("unix:x.sock proxy\nsystemd:web proxy", ["unix:/etc/x.sock proxy", "systemd:web proxy"]),
    ],
)
def test_a_word_after_the_address_says_what_is_spoken_there(text, expected):
    found = addresses(text, "/etc")
    assert [str(address) for address in found] == expected
    assert addresses(", ".join(expected), "/") == found
    assert [address.proxy for address in found] == [one.endswith(" proxy") for one in expected]


def test_what_is_spoken_there_makes_another_address_of_the_same_socket():
    plain, proxied = addresses("127.0.0.1:80", "/")[0], addresses("127.0.0.1:80 proxy", "/")[0]
    assert plain != proxied
    assert plain.text == proxied.text
