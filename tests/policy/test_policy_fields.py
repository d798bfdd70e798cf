"""Fields of answers: set, added and removed."""

from __future__ import annotations

import pytest

from forkserver.config.policy import changes, changes_text
from forkserver.http.response import value_of, without
from forkserver.policy.fields import FieldChanges

FIELDS = (("Content-Type", "text/html"), ("X-Powered-By", "a"), ("Set-Cookie", "a=1"), ("x-powered-by", "b"))


def changed(text: str) -> tuple[tuple[str, str], ...]:
    change = FieldChanges(changes(text, "."))
    assert change(FIELDS) is change((*FIELDS[:1], *FIELDS[1:]))  # known from the first time on
    return change(FIELDS)


def test_a_field_is_set_in_place_of_all_of_its_name() -> None:
    assert changed("X-Powered-By: us") == (FIELDS[0], FIELDS[2], ("X-Powered-By", "us"))


def test_a_field_is_removed_in_any_case() -> None:
    assert changed("-X-POWERED-BY") == (FIELDS[0], FIELDS[2])
    assert changed("-None") == FIELDS


def test_a_field_is_added_beside_others() -> None:
    assert changed("+Set-Cookie: b=2; Path=/") == (*FIELDS, ("Set-Cookie", "b=2; Path=/"))


def test_changes_are_made_in_their_order() -> None:
    assert changed("-Set-Cookie\n+Set-Cookie: x\n+Set-Cookie: y\nA: b: c\n-Content-Type\n-x-powered-by") == (
        ("Set-Cookie", "x"),
        ("Set-Cookie", "y"),
        ("A", "b: c"),
    )


def test_changes_can_be_written_back() -> None:
    given = changes("A: b\n+C-D:  e: f\n-G\nH:", ".")
    assert changes(changes_text(given), ".") == given


@pytest.mark.parametrize("text", ["A", "A b: c", "-A: b", ": b", "+A", "A: b\nC"])
def test_what_is_no_change(text: str) -> None:
    with pytest.raises(ValueError, match="is neither Name: value, nor"):
        changes(text, ".")


@pytest.mark.parametrize("text", ["Content-Length: 1", "Date: now", "A: \x07", "-Connection"])
def test_what_the_server_itself_writes_is_not_changed(text: str) -> None:
    with pytest.raises(ValueError, match=r"the server itself writes|cannot be the value"):
        FieldChanges(changes(text, "."))


def test_values_and_leaving_out() -> None:
    assert value_of(FIELDS, "x-powered-by") == "a, b"
    assert value_of(FIELDS, "vary") is None
    assert without(FIELDS, "X-Powered-By", "SET-COOKIE") == FIELDS[:1]
