"""Giving up root; where the tests run without it, that nothing happens is what is tested."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from unittest import mock

import pytest

from forkserver.process import forking, privileges

ME = pwd.getpwuid(os.geteuid())


def in_a_child(act: Callable[[], object]) -> str:
    """What came of it, as text: a change of user is for good."""
    reader, writer = os.pipe()

    def main() -> None:
        try:
            result = repr(act())
        except Exception as error:
            result = repr(error)
        os.write(writer, result.encode())

    pid = forking.fork("child", main)
    os.close(writer)
    with open(reader, "rb") as told:
        text = told.read().decode()
    os.waitpid(pid, 0)
    return text


def who() -> tuple[tuple[int, int, int], tuple[int, int, int], list[int]]:
    return os.getresuid(), os.getresgid(), os.getgroups()


def test_names_become_numbers() -> None:
    assert privileges.resolve("root", "") == (0, 0)
    assert privileges.resolve(ME.pw_name, grp.getgrgid(ME.pw_gid).gr_name) == (ME.pw_uid, ME.pw_gid)
    with pytest.raises(KeyError):
        privileges.resolve("no-such-user", "")
    with pytest.raises(KeyError):
        privileges.resolve("root", "no-such-group")


def test_without_a_user_nothing_happens() -> None:
    before = who()
    privileges.drop("", "")
    assert who() == before


def test_root_is_given_up_for_good_or_was_not_there() -> None:
    """As root: all three ids, the group and the groups of nobody.  Else: nothing."""
    user, gid = "nobody", pwd.getpwnam("nobody").pw_gid
    uid = pwd.getpwnam(user).pw_uid
    before = who()

    def act() -> object:
        privileges.drop(user, "")
        return who()

    expected = ((uid,) * 3, (gid,) * 3, os.getgrouplist(user, gid)) if os.geteuid() == 0 else before
    assert in_a_child(act) == repr(expected)


def test_the_group_may_be_another_one() -> None:
    gid = grp.getgrnam("daemon").gr_gid
    before = os.getresgid()

    def act() -> object:
        privileges.drop("nobody", "daemon")
        return os.getresgid()

    assert in_a_child(act) == repr((gid,) * 3 if os.geteuid() == 0 else before)


def calls_of(setuid: object) -> list[str]:
    """The system calls of a drop by a pretended root, in order."""
    kernel = mock.Mock()
    kernel.setuid.side_effect = setuid
    names = ("initgroups", "setresgid", "setresuid", "setuid")
    with (
        mock.patch.object(os, "geteuid", return_value=0),
        mock.patch.multiple(os, **{name: getattr(kernel, name) for name in names}),
    ):
        privileges.drop("nobody", "")
    return [call[0] for call in kernel.mock_calls]


def test_groups_go_before_the_user() -> None:
    assert calls_of(PermissionError()) == ["initgroups", "setresgid", "setresuid", "setuid"]


def test_root_that_can_be_had_back_is_an_error() -> None:
    with pytest.raises(PermissionError, match="root was not given up for nobody"):
        calls_of(None)
