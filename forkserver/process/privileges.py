"""Giving up root for good (setresuid(2), setresgid(2), initgroups(3)).

Knows user and group ids; knows nothing of why.
"""

from __future__ import annotations

import grp
import os
import pwd


def resolve(user: str, group: str) -> tuple[int, int]:
    """User and group id for the names of a configuration; KeyError for an unknown one.

    A user without a group takes its own primary group.
    """
    entry = pwd.getpwnam(user)
    return entry.pw_uid, grp.getgrnam(group).gr_gid if group else entry.pw_gid


def drop(user: str, group: str) -> None:
    """Become `user` (nothing happens when it is empty or when we are not root).

    Groups go first, because without root they could not be changed any more.  Raises KeyError for an unknown name,
    PermissionError when root could be had back.
    """
    if not user or os.geteuid() != 0:
        return
    uid, gid = resolve(user, group)
    os.initgroups(user, gid)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if uid != 0:
        try:
            os.setuid(0)
        except PermissionError:
            return
        raise PermissionError(f"root was not given up for {user}")
