"""What a proxy says of the request that it passes on: who asks, and for what (RFC 7239, and the X-Forwarded-… fields).

Knows these fields and how far they can be believed; knows nothing of connections and mounts.

Proxies append: the last entry of a list was written by our peer, and tells whom the peer heard it from.  If that one
is trusted as well, it wrote the entry before, and so on.  The first address that is not trusted is the client, and what
stands before it is the client's own word, which anybody can forge.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from forkserver.http.fields import check_authority, speaks_for_others
from forkserver.http.grammar import BadRequest
from forkserver.http.memo import Memo
from forkserver.http.request import Ends, Head, host_of
from forkserver.http.trust import Trust, spelled

# RFC 7239 section 4:  forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] ), in a list;
# forwarded-pair = token "=" ( token / quoted-string ).  With `match`: one pair, if any, and what ends it.  White space
# at a semicolon is not in the standard, but is in wide use and means nothing.
WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
STEP = re.compile(
    rf"[ \t]*(?:({WORD})=(?:({WORD})|\"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)\")[ \t]*)?([;,]|\Z)"
)
ESCAPED = re.compile(r"\\(.)")

# RFC 7239 section 6:  node = nodename [ ":" node-port ].  What names no address ("unknown", "_hidden") matches nothing.
NODE = re.compile(r"(?:([0-9.]{7,15})|\[(?=[^\]]*:)([0-9A-Fa-f:.]{2,45})\])(?::(?:([0-9]{1,5})|_[0-9A-Za-z._-]+))?")
BARE_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")  # without brackets it has no port; in X-Forwarded-For alone
PORT = re.compile(r"[0-9]{1,5}")
HIGHEST_PORT = 65535

NAMES = ("forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port")
SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}  # Traefik names WebSocket's own
DEFAULT_PORTS = {"http": 80, "https": 443}

Node = tuple[str, int]


Told = tuple[str, ...]  # the values of NAMES, "" for what is not there


class Passed(NamedTuple):
    """A request as it reached the first of the trusted proxies."""

    head: Head  # with the host that the client asked for
    ends: Ends | None  # None where those of the connection hold
    scheme: str  # "http" or "https"


class Story(NamedTuple):
    """What one family of fields tells; None for what it does not."""

    client: Node | None = None
    scheme: str | None = None
    host: str | None = None  # `host[:port]`
    port: int | None = None
    depth: int = 1  # how many trusted proxies the request came through, so far as is known


NOTHING = Story()


def silenced(head: Head) -> Head:
    """The same head without the fields that its sender has no right to."""
    items = tuple([item for item in head.fields.items if not speaks_for_others(item[0])])
    values = {name: value for name, value in head.fields.values.items() if not speaks_for_others(name)}
    return head._replace(fields=head.fields._replace(items=items, values=values, forwarded=False))


class Believer:
    """Hears what trusted peers say, and remembers what it made of it: a client mostly comes again."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self._stories: Memo[Told, Story] = Memo(1024, 256 << 10, lambda told, _: sum(map(len, told)))

    def hear(self, head: Head, ends: Ends) -> Passed:
        """The request of this head, as the trusted peer at the other end of `ends` tells of it.

        Each of client, scheme and host is taken from Forwarded, or from X-Forwarded-… where that leaves it open.  The
        fields themselves stay, for applications that read them.

        Raises BadRequest 400 where both tell different things: a proxy that writes one of them lets its clients write
        the other, and nobody here can know which is which.  Likewise for a Forwarded that breaks its grammar, since it
        cannot be told where a forged entry ends, and for a scheme, host or port that is none.  An entry that names no
        address is no error: the walk ends there, be it what a client made up or a proxy's own "unknown".
        """
        value = head.fields.values.get
        told = tuple([value(name, "") for name in NAMES])
        story = self._stories.find(told)
        if story is None:
            standard = _standard(told[0], self.trust) if told[0] else NOTHING
            story = _agreed(standard, _customary(told, self.trust, standard.depth))
            self._stories.put(told, story)
        return _retold(head, ends, story)


def _standard(value: str, trust: Trust) -> Story:
    """The story of Forwarded, all its lines together."""
    nearest = [element for element in _elements(value) if element][::-1]
    client, depth = _walk((_node(element.get("for", "")) for element in nearest), trust)
    outermost = nearest[:depth][::-1]
    scheme = next((element["proto"] for element in outermost if "proto" in element), None)
    host = next((element["host"] for element in outermost if "host" in element), None)
    return Story(client, _scheme(scheme), _host(host), None, depth)


def _customary(told: Told, trust: Trust, depth: int) -> Story:
    """The story of X-Forwarded-…; `depth` holds where X-Forwarded-For tells none."""
    client = None
    if addresses := _listed(told[1]):
        client, depth = _walk((_node(one) or _bare_node(one) for one in reversed(addresses)), trust)
    scheme, host, port = (_entry(value, depth) for value in told[2:])
    return Story(client, _scheme(scheme), _host(host), _port(port), depth)


def _agreed(one: Story, other: Story) -> Story:
    """Both stories in one."""
    if one.client and other.client and one.client[0] != other.client[0]:
        raise BadRequest(400, "Forwarded and X-Forwarded-For name different clients")
    if one.scheme and other.scheme and one.scheme != other.scheme:
        raise BadRequest(400, "Forwarded and X-Forwarded-Proto name different schemes")
    if one.host and other.host and host_of(one.host) != host_of(other.host):
        raise BadRequest(400, "Forwarded and X-Forwarded-Host name different hosts")
    return Story(one.client or other.client, one.scheme or other.scheme, one.host or other.host, other.port)


def _retold(head: Head, ends: Ends, story: Story) -> Passed:
    """The request as the story has it; where it tells no port, that of the host holds, or the usual one."""
    scheme, host, port = story.scheme or "http", story.host, story.port
    usual = DEFAULT_PORTS[scheme]
    authority = host or head.fields.host or ""
    named = authority[len(host_of(authority)) + 1 :]
    if host:
        if not named and port not in (None, usual):
            host = f"{host.removesuffix(':')}:{port}"
        head = _with_host(head, host)
    if port is None:
        port = (int(named) if named else usual) if host or story.scheme else ends.local[1]
    peer, local = story.client or ends.peer, (ends.local[0], port)
    return Passed(head, Ends(peer, local) if (peer, local) != (ends.peer, ends.local) else None, scheme)


def _with_host(head: Head, host: str) -> Head:
    """The head as if its Host field had been this, and its target had named none."""
    line, fields = head.line, head.fields
    others = [item for item in fields.items if item[0] != "host"]
    changed = fields._replace(items=(("host", host), *others), values={**fields.values, "host": host}, host=host)
    return head._replace(line=line._replace(authority=None), fields=changed, host=host_of(host))


# From nearest to farthest: whom does each tell of?


def _walk(nodes: Iterable[Node | None], trust: Trust) -> tuple[Node | None, int]:
    """(client, depth) of entries, the last one first; each is believed if the one before it is trusted."""
    client, depth = None, 1
    for depth, node in enumerate(nodes, 1):  # noqa: B007 - how far it got
        if node is None:
            break
        client = node
        if node[0] not in trust:
            break
    return client, depth


def _entry(value: str, depth: int) -> str | None:
    """The entry of a list that the outermost of the trusted proxies wrote; a single one was handed through."""
    entries = _listed(value)
    return entries[-min(depth, len(entries))] if entries else None


# Bytes of the wire to what they mean.


def _elements(value: str) -> list[dict[str, str]]:
    """The elements of Forwarded, each as its parameters by lower-case name; BadRequest 400 when it is malformed."""
    at, mark, elements = 0, ",", list[dict[str, str]]()
    while mark:
        step = STEP.match(value, at)
        if step is None:
            raise BadRequest(400, "the Forwarded field is malformed")
        if mark == ",":
            elements.append({})
        name, token, quoted, mark = step.groups()
        if name:
            name = name.lower()
            if name in elements[-1]:  # RFC 7239 section 4
                raise BadRequest(400, "the Forwarded field tells one thing twice")
            elements[-1][name] = token or ESCAPED.sub(r"\1", quoted or "")
        at = step.end()
    return elements


def _listed(value: str) -> list[str]:
    """The elements of a list; empty ones are read over (RFC 9110 section 5.6.1.2)."""
    return [part for part in (part.strip(" \t") for part in value.split(",")) if part]


def _node(text: str) -> Node | None:
    """Address and port, 0 where none is given; None for what names no address."""
    found = NODE.fullmatch(text)
    if found is None:
        return None
    address, port = spelled(found[1] or found[2]), int(found[3] or 0)
    return (address, port) if address and port <= HIGHEST_PORT else None


def _bare_node(text: str) -> Node | None:
    address = spelled(text) if BARE_IPV6.fullmatch(text) else None
    return (address, 0) if address else None


def _scheme(text: str | None) -> str | None:
    if text is None:
        return None
    if text.lower() not in SCHEMES:
        raise BadRequest(400, "the scheme that a proxy tells is neither http nor https")
    return SCHEMES[text.lower()]


def _host(text: str | None) -> str | None:
    if text is not None:
        check_authority(text.encode("latin-1"))
    return text


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not PORT.fullmatch(text) or not 0 < int(text) <= HIGHEST_PORT:
        raise BadRequest(400, "the port that a proxy tells is none")
    return int(text)
