"""What proxies say of a request: whom it is believed of, how far, and what nobody can make of it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forkserver.http.forwarded import Believer, Passed, silenced
from forkserver.http.request import BadRequest, Ends, Head, Parser
from forkserver.http.trust import Trust

PEER = ("10.0.0.1", 40000)
ENDS = Ends(PEER, ("10.0.0.9", 8080))
TRUST = Trust(("10.0.0.0/8", "2001:db8:10::/48"))


def head_of(*lines: str, host: str = "inner.test", target: str = "/") -> Head:
    text = "\r\n".join([f"GET {target} HTTP/1.1", f"Host: {host}", *lines, "", ""])
    head = Parser().parse(text.encode("latin-1"))
    assert head
    return head


def heard(*lines: str, **more: str) -> Passed:
    return Believer(TRUST).hear(head_of(*lines, **more), ENDS)


def client(*lines: str) -> tuple[str, int]:
    ends = heard(*lines).ends
    return ends.peer if ends else PEER


def why(*lines: str) -> str:
    with pytest.raises(BadRequest) as refusal:
        heard(*lines)
    assert refusal.value.status == 400
    return refusal.value.why


# The walk from the right.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 0)),
        ("6.6.6.6, 192.0.2.1", ("192.0.2.1", 0)),  # what the client made up stands before it
        ("6.6.6.6, 192.0.2.1, 10.0.0.2", ("192.0.2.1", 0)),
        ("6.6.6.6,192.0.2.1,10.0.0.2 ,\t10.0.0.3", ("192.0.2.1", 0)),
        ("6.6.6.6, 10.0.0.3, 192.0.2.1", ("192.0.2.1", 0)),  # a trusted address out of an untrusted mouth
        ("10.0.0.3, 10.0.0.2", ("10.0.0.3", 0)),  # somebody inside asks
        ("192.0.2.1:4711", ("192.0.2.1", 4711)),
        ("192.0.2.1:_hidden", ("192.0.2.1", 0)),
        ("[2001:db8::1]:4711", ("2001:db8::1", 4711)),
        ("[2001:DB8::1]", ("2001:db8::1", 0)),
        ("2001:db8::1", ("2001:db8::1", 0)),
        ("2001:db8::1, 2001:db8:10::2", ("2001:db8::1", 0)),
        ("::ffff:192.0.2.1", ("192.0.2.1", 0)),
        ("192.0.2.1, , ,", ("192.0.2.1", 0)),
        # What is no address ends the walk at the proxy that said so.
        ("6.6.6.6, unknown", PEER),
        ("6.6.6.6, unknown, 10.0.0.2", ("10.0.0.2", 0)),
        ("6.6.6.6, 192.0.2.256", PEER),
        ("192.0.2.1:99999", PEER),
        ("192.0.2.1:", PEER),
        ("[192.0.2.1]", PEER),
        ("fe80::1%eth0", PEER),
        ("unix:", PEER),
        ("localhost", PEER),
        ("192.0.2.01", PEER),
        ("'192.0.2.1'", PEER),
        ("", PEER),
        (" , ", PEER),
    ],
)
def test_the_first_address_from_the_right_that_is_not_trusted(value: str, expected: tuple[str, int]) -> None:
    assert client(f"X-Forwarded-For: {value}") == expected


def test_several_fields_are_one_list() -> None:
    assert client("X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 10.0.0.2") == (
        "192.0.2.1",
        0,
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.1", ("192.0.2.1", 0)),
        ("For=192.0.2.1", ("192.0.2.1", 0)),
        ('for="192.0.2.1:4711"', ("192.0.2.1", 4711)),
        ('for="192.0.2.1:_obf.us-c_ated"', ("192.0.2.1", 0)),
        ('for="[2001:db8::1]:4711"', ("2001:db8::1", 4711)),
        ('for="\\1\\9\\2.0.2.1"', ("192.0.2.1", 0)),
        ("for=6.6.6.6, for=192.0.2.1;by=10.0.0.1, for=10.0.0.2", ("192.0.2.1", 0)),
        ('for="6.6.6.6, for=10.0.0.3", for=192.0.2.1', ("192.0.2.1", 0)),
        ("for=6.6.6.6 ,, for=192.0.2.1 , ", ("192.0.2.1", 0)),
        ("proto=http; for=192.0.2.1 ;by=_here; secret=x", ("192.0.2.1", 0)),
        (";;for=192.0.2.1;", ("192.0.2.1", 0)),
        ("for=unknown", PEER),
        ("for=_hidden", PEER),
        ('for="_hidden:_port"', PEER),
        ("for=6.6.6.6, for=unknown", PEER),
        ("for=6.6.6.6, proto=https", PEER),
        ("for=6.6.6.6, for=unknown, for=10.0.0.2", ("10.0.0.2", 0)),
        ('for="2001:db8::1"', PEER),  # without brackets a port could not be told from a group
        ('for="unix:"', PEER),
        ('for=""', PEER),
    ],
)
def test_the_standard_field_is_walked_alike(value: str, expected: tuple[str, int]) -> None:
    assert client(f"Forwarded: {value}") == expected


@pytest.mark.parametrize(
    "value",
    [
        'for="192.0.2.1',
        'for=", for=192.0.2.1',
        'for="a"b"',
        "for",
        "for=",
        "=192.0.2.1",
        "for =192.0.2.1",
        "for= 192.0.2.1",
        "for=192.0.2.1 proto=http",
        "for=[2001:db8::1]",
        "for=192.0.2.1:80",
        "for=192.0.2.1;for=192.0.2.2",
        "for=192.0.2.1;FOR=192.0.2.1",
        "for=\xe9",
        "for='192.0.2.1, 6.6.6.6'",
    ],
)
def test_a_list_whose_entries_cannot_be_told_apart_is_refused(value: str) -> None:
    assert "Forwarded" in why(f"Forwarded: {value}")
    assert "Forwarded" in why(f"Forwarded: {value}, for=192.0.2.1")


@pytest.mark.parametrize("value", [" " * 8000 + "x", 'for="' + "\\a" * 4000, "a=b;" * 2000 + '"', "a" * 8000 + "\xff"])
def test_long_nonsense_is_refused_as_well(value: str) -> None:
    assert why(f"Forwarded: a=b,{value}")


# Scheme, host and port.


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("X-Forwarded-Proto: https",), "https"),
        (("X-Forwarded-Proto: HTTPS",), "https"),
        (("X-Forwarded-Proto: http",), "http"),
        (("X-Forwarded-Proto: wss",), "https"),
        (("X-Forwarded-Proto: ws",), "http"),
        (("X-Forwarded-Proto: ",), "http"),
        (("X-Forwarded-For: 192.0.2.1",), "http"),
        # The entry that stands where the client does: our peer's own, not what the client made up.
        (("X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https, http"), "http"),
        (("X-Forwarded-For: 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: https, http"), "https"),
        (("X-Forwarded-For: 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: http, https, http"), "https"),
        (("X-Forwarded-For: 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: https"), "https"),
        (("X-Forwarded-Proto: https, http",), "http"),
        (("Forwarded: proto=https",), "https"),
        (('Forwarded: proto="HTTPS"',), "https"),
        (("Forwarded: for=192.0.2.1;proto=https, for=10.0.0.2;proto=http",), "https"),
        (("Forwarded: for=192.0.2.1, for=10.0.0.2;proto=https",), "https"),
        (("Forwarded: for=6.6.6.6;proto=https, for=192.0.2.1;proto=http",), "http"),
        (("Forwarded: for=6.6.6.6;proto=https, for=192.0.2.1",), "http"),
        (("Forwarded: for=192.0.2.1", "X-Forwarded-Proto: https"), "https"),
        (("Forwarded: for=192.0.2.1, for=10.0.0.2", "X-Forwarded-Proto: https, http"), "https"),
        (("Forwarded: proto=https", "X-Forwarded-Proto: https"), "https"),
    ],
)
def test_the_scheme_that_the_client_used(lines: tuple[str, ...], expected: str) -> None:
    assert heard(*lines).scheme == expected


@pytest.mark.parametrize(
    ("lines", "host", "field", "port"),
    [
        (("X-Forwarded-Host: Example.org",), "example.org", "Example.org", 80),
        (("X-Forwarded-Host: example.org:8443",), "example.org", "example.org:8443", 8443),
        (("X-Forwarded-Host: [2001:db8::1]:81",), "[2001:db8::1]", "[2001:db8::1]:81", 81),
        (("X-Forwarded-Host: example.org", "X-Forwarded-Proto: https"), "example.org", "example.org", 443),
        (
            ("X-Forwarded-Host: example.org", "X-Forwarded-Proto: https", "X-Forwarded-Port: 443"),
            "example.org",
            "example.org",
            443,
        ),
        (("X-Forwarded-Host: example.org", "X-Forwarded-Port: 8000"), "example.org", "example.org:8000", 8000),
        (("X-Forwarded-Host: example.org:", "X-Forwarded-Port: 8000"), "example.org", "example.org:8000", 8000),
        (("X-Forwarded-Host: forged, example.org",), "example.org", "example.org", 80),
        (
            ("X-Forwarded-For: 192.0.2.1, 10.0.0.2", "X-Forwarded-Host: forged, example.org, inner"),
            "example.org",
            "example.org",
            80,
        ),
        (("Forwarded: host=example.org",), "example.org", "example.org", 80),
        (('Forwarded: host="example.org:8443";proto=https',), "example.org", "example.org:8443", 8443),
        (("Forwarded: for=6.6.6.6;host=forged, for=192.0.2.1",), "inner.test", "inner.test", 8080),
        (("Forwarded: host=example.org", "X-Forwarded-Host: EXAMPLE.org:80"), "example.org", "example.org", 80),
        (("X-Forwarded-Port: 8000",), "inner.test", "inner.test", 8000),
        (("X-Forwarded-Proto: https",), "inner.test", "inner.test", 443),
        (("X-Forwarded-For: 192.0.2.1",), "inner.test", "inner.test", 8080),
    ],
)
def test_the_host_that_the_client_asked_for(lines: tuple[str, ...], host: str, field: str, port: int) -> None:
    told = heard(*lines)
    fields = told.head.fields
    assert (told.head.host, fields.host, fields.values["host"]) == (host, field, field)
    assert [value for name, value in fields.items if name == "host"] == [field]
    assert (told.ends or ENDS).local == ("10.0.0.9", port)
    assert (told.ends or ENDS).variables["SERVER_PORT"] == str(port)


def test_a_port_of_the_host_field_goes_with_the_scheme_that_is_told() -> None:
    for lines, port in (
        (("X-Forwarded-Proto: https",), 8443),
        (("X-Forwarded-Proto: https", "X-Forwarded-Port: 443"), 443),
        (("X-Forwarded-Host: example.org", "X-Forwarded-Proto: https"), 443),
        (("X-Forwarded-For: 192.0.2.1",), 8080),
    ):
        assert (heard(*lines, host="inner.test:8443").ends or ENDS).local[1] == port


def test_a_host_of_the_target_gives_way_as_well() -> None:
    told = heard("X-Forwarded-Host: example.org", target="http://inner.test/x")
    assert told.head.host == "example.org"
    assert (told.head.line.path, told.head.line.authority) == ("/x", None)
    assert told.head.line.text == "GET http://inner.test/x HTTP/1.1"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("X-Forwarded-Proto: ftp", "neither http nor https"),
        ("X-Forwarded-Proto: on", "neither http nor https"),
        ("X-Forwarded-Proto: https://", "neither http nor https"),
        ("Forwarded: proto=spdy", "neither http nor https"),
        ('Forwarded: proto=""', "neither http nor https"),
        ("X-Forwarded-Host: a b", "host is malformed"),
        ("X-Forwarded-Host: a/b", "host is malformed"),
        ("X-Forwarded-Host: user@a", "host is malformed"),
        ("X-Forwarded-Host: caf\xe9", "host is malformed"),
        ("X-Forwarded-Host: [::1", "host is malformed"),
        ("X-Forwarded-Host: [:::1]", "no IPv6 address"),
        ('Forwarded: host="a, b"', "host is malformed"),
        ('Forwarded: host=""', "host is malformed"),
        ("X-Forwarded-Port: 0", "port"),
        ("X-Forwarded-Port: 65536", "port"),
        ("X-Forwarded-Port: +80", "port"),
        ("X-Forwarded-Port: http", "port"),
    ],
)
def test_what_is_no_scheme_host_or_port_is_refused(line: str, reason: str) -> None:
    assert reason in why(line)


def test_nonsense_of_the_client_before_the_proxys_own_word_is_not_looked_at() -> None:
    told = heard(
        "X-Forwarded-For: <script>, 192.0.2.1",
        "X-Forwarded-Proto: gopher, https",
        "X-Forwarded-Host: a b, example.org",
        "X-Forwarded-Port: x, 443",
    )
    assert told.ends
    assert (told.scheme, told.head.host, told.ends.peer[0]) == ("https", "example.org", "192.0.2.1")


# Both families.


def test_the_standard_field_counts_and_the_others_fill_in() -> None:
    told = heard('Forwarded: for="192.0.2.1:4711"', "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https")
    assert told.ends
    assert (told.scheme, told.ends.peer) == ("https", ("192.0.2.1", 4711))
    assert client("Forwarded: proto=https", "X-Forwarded-For: 192.0.2.1") == ("192.0.2.1", 0)
    assert client("Forwarded: for=_hidden", "X-Forwarded-For: 192.0.2.1") == ("192.0.2.1", 0)
    assert client("Forwarded: for=192.0.2.1", "X-Forwarded-For: unknown") == ("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (("Forwarded: for=6.6.6.6", "X-Forwarded-For: 192.0.2.1"), "clients"),
        (("Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1, 6.6.6.6"), "clients"),
        (("Forwarded: proto=https", "X-Forwarded-Proto: http"), "schemes"),
        (("Forwarded: host=forged", "X-Forwarded-Host: example.org"), "hosts"),
    ],
)
def test_two_stories_are_refused(lines: tuple[str, ...], what: str) -> None:
    assert f"different {what}" in why(*lines)


# What becomes of the head.


def test_applications_see_the_fields_of_a_trusted_proxy_as_they_came() -> None:
    lines = (
        "X-Forwarded-For: 6.6.6.6, 192.0.2.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: example.org",
        "X-Forwarded-Prefix: /app",
        "X-Real-IP: 192.0.2.1",
        "Accept: */*",
    )
    items = heard(*lines).head.fields.items
    expected = [(name.lower(), value) for name, value in (line.split(": ") for line in lines)]
    assert list(items) == [("host", "example.org"), *expected]


def test_a_proxy_that_tells_nothing_new_changes_nothing() -> None:
    head = head_of("X-Forwarded-Server: edge")
    assert Believer(TRUST).hear(head, ENDS) == (head, None, "http")
    assert Believer(TRUST).hear(head_of("X-Forwarded-For: unknown"), ENDS).ends is None


def test_what_is_remembered_of_one_connection_says_nothing_of_another() -> None:
    believer, head = Believer(TRUST), head_of("X-Forwarded-Proto: https")
    for peer in (("10.0.0.1", 1), ("10.0.0.2", 2)):
        ends = believer.hear(head, Ends(peer, ("10.0.0.9", 8080))).ends
        assert ends
        assert (ends.peer, ends.local) == (peer, ("10.0.0.9", 443))


SPOKEN = (
    *("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-IP"),
    *("X-Forwarded-Prefix", "X-Forwarded-Proto-Version", "X-Forwarded-Ssl", "x-FORWARDED-server"),
)


@pytest.mark.parametrize("name", SPOKEN)
def test_from_others_nothing_of_it_is_left(name: str) -> None:
    head = head_of("Accept: a", f"{name}: 192.0.2.1", "Accept: b", f"{name}: nonsense")
    assert head.fields.forwarded
    left = silenced(head)
    assert left.fields.items == (("host", "inner.test"), ("accept", "a"), ("accept", "b"))
    assert left.fields.values == {"host": "inner.test", "accept": "a, b"}
    assert not left.fields.forwarded
    assert left._replace(fields=head.fields) == head


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X-Forwarded_For", "X_Real_IP"])
def test_an_underscore_does_not_make_it_another_field(name: str) -> None:
    assert head_of(f"{name}: 192.0.2.1").fields.items == (("host", "inner.test"),)
    with pytest.raises(BadRequest, match="underscore"):
        head_of(f"{name}: 192.0.2.1", f"{name.replace('_', '-')}: 192.0.2.2")


def test_other_fields_are_nobodys_business() -> None:
    for name in ("Forwarded-For", "X-Forwarded", "X-Real", "Via", "Client-IP", "From"):
        assert not head_of(f"{name}: 192.0.2.1").fields.forwarded


# Nothing that anybody sends does more than be refused, and no forgery reaches past an honest proxy.

PIECES = (
    *("for=", "proto=", "host=", '"', ",", ";", "=", "\\", "[", "]", ":", ".", " ", "unknown", "_x", "https", "\xe9"),
    *("10.0.0.2", "192.0.2.1", "2001:db8::1", "80"),
)
VALUES = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


NAMES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port")


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=6))
def test_only_bad_request_escapes(sent: list[tuple[str, str]]) -> None:
    with contextlib.suppress(BadRequest):
        told = heard(*(f"{name}: {value}" for name, value in sent))
        assert told.scheme in ("http", "https")
        assert told.ends is None or 0 <= told.ends.peer[1] <= 65535


@given(VALUES, st.sampled_from(("192.0.2.1", "2001:db8::1")))
def test_no_client_is_taken_for_another(forged: str, real: str) -> None:
    """An honest proxy appends whom it heard from to whatever was there."""
    assert client(f"X-Forwarded-For: {forged}, {real}") == (real, 0)
    node = f'"[{real}]"' if ":" in real else real
    with contextlib.suppress(BadRequest):
        assert client(f"Forwarded: {forged}, for={node}") == (real, 0)
