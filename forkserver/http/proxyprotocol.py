"""The preamble by which a proxy tells whose connection it passes on: the PROXY protocol, versions 1 and 2.

The rules are those of HAProxy's proxy-protocol.txt, by whose sections they are named here.  Knows its bytes; knows
nothing of sockets, and not whether whoever sent them may be believed.
"""

from __future__ import annotations

import re
import struct
from ipaddress import ip_address
from typing import NamedTuple

from forkserver.http.grammar import BadRequest
from forkserver.http.trust import plain, spelled

# Section 2.1.  Nothing is to be read into what stands after UNKNOWN.
TEXT_BEGIN = b"PROXY "
TEXT_MAX = 107  # bytes, the CRLF included
NUMBER = rb"(0|[1-9][0-9]{0,4})"
TEXT = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP4 ([0-9.]{7,15}) ([0-9.]{7,15}) %b %b|TCP6 %b %b %b %b)\r\n"
    % (NUMBER, NUMBER, rb"([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)", rb"([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)", NUMBER, NUMBER)
)

# Section 2.2: signature; version and command; family and transport; bytes of what follows.
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
BINARY = struct.Struct("!12sBBH")
BINARY_MAX = 4096  # bytes; the standard's own limit is 65,551, and what is in use is below 600
LOCAL, PROXY = 0x20, 0x21
FAMILIES, TRANSPORTS = range(4), range(3)
TCP4, TCP6 = 0x11, 0x21
ADDRESSES = {TCP4: struct.Struct("!4s4sHH"), TCP6: struct.Struct("!16s16sHH")}
MORE = struct.Struct("!BH")  # section 2.2: type and length of one further fact

HIGHEST_PORT = 65535

End = tuple[str, int]


class Preamble(NamedTuple):
    """What a proxy tells of a connection."""

    size: int  # bytes of the buffer that it took
    relayed: bool  # False: the proxy speaks for itself, to see whether we are well
    client: End | None = None  # None where it is not told
    local: End | None = None  # where the client connected to


def parse(buffer: bytes) -> Preamble | None:
    """Read the preamble at the start of a connection's bytes; None when it is not whole yet.

    Raises BadRequest for whatever is none: the connection is to be closed without an answer (section 2.1).  Any cut of
    the same bytes gives the same, though a refusal may come earlier.
    """
    if buffer[: len(TEXT_BEGIN)] == TEXT_BEGIN[: len(buffer)]:
        return _text(buffer)
    if buffer[: len(SIGNATURE)] == SIGNATURE[: len(buffer)]:
        return _binary(buffer)
    raise BadRequest(400, "the connection does not begin with the PROXY protocol")


def _text(buffer: bytes) -> Preamble | None:
    end = buffer.find(b"\r\n", 0, TEXT_MAX) + 2
    if end < 2:
        if len(buffer) >= TEXT_MAX:
            raise BadRequest(400, "the line of the PROXY protocol is too long")
        return None
    found = TEXT.fullmatch(buffer, 0, end)
    if found is None:
        raise BadRequest(400, "the line of the PROXY protocol is malformed")
    told = [word.decode("ascii") for word in found.groups() if word is not None]
    if not told:
        return Preamble(end, True)
    client, local = (_end(told[at], told[at + 2]) for at in (0, 1))
    return Preamble(end, True, client, local)


def _end(address: str, port: str) -> End:
    known = spelled(address)
    if known is None or int(port) > HIGHEST_PORT:
        raise BadRequest(400, "the line of the PROXY protocol is malformed")
    return known, int(port)


def _binary(buffer: bytes) -> Preamble | None:
    """Version 2.  Each byte that settles something is judged as soon as it is there."""
    command, kind = buffer[12:13], buffer[13:14]
    if command and command[0] not in (LOCAL, PROXY):
        raise BadRequest(400, "the PROXY protocol has a version or command that this server does not know")
    if kind and not (kind[0] >> 4 in FAMILIES and kind[0] & 15 in TRANSPORTS) and command[0] != LOCAL:
        raise BadRequest(400, "the PROXY protocol has a family of addresses that this server does not know")
    if len(buffer) < BINARY.size:
        return None
    size = BINARY.size + BINARY.unpack_from(buffer)[3]
    if size > BINARY_MAX:
        raise BadRequest(400, "the preamble of the PROXY protocol is too long")
    if len(buffer) < size:
        return None
    if command[0] == LOCAL:  # the family is ignored, and so is the rest
        return Preamble(size, False)
    block = ADDRESSES.get(kind[0])
    if block is None:  # a combination that is valid, and of no use here, is as if it were not told
        return Preamble(size, True)
    client, local = _addresses(buffer[BINARY.size : size], block)
    return Preamble(size, True, client, local)


def _addresses(told: bytes, block: struct.Struct) -> tuple[End, End]:
    """Client and local address of what follows the header; further facts must be whole, and are not looked at."""
    if len(told) < block.size:
        raise BadRequest(400, "the PROXY protocol's addresses are cut short")
    at = block.size
    while at < len(told):
        if len(told) - at < MORE.size:
            raise BadRequest(400, "the PROXY protocol's further facts are cut short")
        at += MORE.size + MORE.unpack_from(told, at)[1]
    if at > len(told):
        raise BadRequest(400, "the PROXY protocol's further facts are cut short")
    client, local, client_port, local_port = block.unpack_from(told)
    return (str(plain(ip_address(client))), client_port), (str(plain(ip_address(local))), local_port)
