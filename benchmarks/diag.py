"""Which TCP connections a process holds, and who is at their other ends.

Sources: sock_diag(7) for the connections of a port, proc(5) for the descriptors of a process; the inode joins them.
/proc/net/tcp would tell the same, but the kernel writes a line there for each of the thousands of connections in
TIME_WAIT, and the process that is asked about may have to stand still meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct

from .client import PeerError

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
DUMP = 0x301  # NLM_F_REQUEST, NLM_F_ROOT and NLM_F_MATCH: all that there are
TIME_WAIT, LISTEN = 6, 10
STATES = 0xFFF & ~(1 << TIME_WAIT) & ~(1 << LISTEN)
HEAD = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
WISH = struct.Struct("=BBBBI")  # inet_diag_req_v2 up to its inet_diag_sockid: family, protocol, -, -, states
PORT = struct.Struct("!H")  # the first field of inet_diag_sockid is our own port; the rest of its 48 bytes is zero
PEER, INODE = HEAD.size + 4 + 2, HEAD.size + 68  # where inet_diag_msg has the peer's port, and the inode
LIMIT = 5.0  # seconds


def connections(port: int) -> dict[int, int]:
    """The peers' ports of the connections of a local IPv4 port, by inode; PeerError when the kernel does not tell."""
    wish = WISH.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, STATES) + PORT.pack(port).ljust(48, b"\0")
    found: dict[int, int] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(LIMIT)
        kernel.send(HEAD.pack(HEAD.size + len(wish), SOCK_DIAG_BY_FAMILY, DUMP, 1, 0) + wish)
        while take(kernel.recv(1 << 16), found):
            pass
    return found


def take(data: bytes, found: dict[int, int]) -> bool:
    """Read the messages of a datagram; whether more are to come."""
    while data:
        length, kind, *_ = HEAD.unpack_from(data)
        if kind == 3:  # NLMSG_DONE
            return False
        if kind != SOCK_DIAG_BY_FAMILY:
            raise PeerError(f"the kernel does not list TCP connections: message {kind}, {data[:40].hex()}")
        (peer,) = PORT.unpack_from(data, PEER)
        (inode,) = struct.unpack_from("=I", data, INODE)
        found[inode] = peer
        data = data[(length + 3) & ~3 :]
    return True


def held(pid: int, port: int) -> frozenset[int]:
    """The peers' ports of the connections of a local port that a process has open; it should stand still."""
    folder = f"/proc/{pid}/fd"
    links = set()
    for number in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # who asks about itself finds the descriptor of the listing
            links.add(os.readlink(f"{folder}/{number}"))
    return frozenset(peer for inode, peer in connections(port).items() if f"socket:[{inode}]" in links)
