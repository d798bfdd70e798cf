"""Names and passwords: what a field says, and what a file of htpasswd(1) holds."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from passlib.hash import apr_md5_crypt, bcrypt, ldap_sha1, sha256_crypt

from forkserver.policy.auth import AuthError, Users, credentials

ADA, PASSWORD = "Ada", "pä:ss wörd"
MAKERS = {
    "bcrypt": bcrypt.using(rounds=4).hash,
    "apr1": apr_md5_crypt.hash,
    "sha": ldap_sha1.hash,
    "sha256": sha256_crypt.using(rounds=1000).hash,
}


def basic(pair: bytes) -> str:
    return "Basic " + base64.b64encode(pair).decode()


def test_a_pair_is_read_from_its_field() -> None:
    assert credentials(basic(b"Ada:pass:word")) == ("Ada", "pass:word")
    assert credentials(basic("Zoë:ß".encode()).replace("Basic", "bASIC ")) == ("Zoë", "ß")
    assert credentials(basic(b":")) == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "Basic", "Basic ", "Basic QQ", "Basic QWRhOng", "Bearer QWRhOng=", "Basic QWRhOng=!"),
        *(basic(b"no colon"), basic(b"\xff:x"), basic(b"a\n:x"), basic(b"a:\0"), basic(b"a:" + b"x" * 2000)),
    ],
)
def test_what_is_no_pair(text: str | None) -> None:
    assert credentials(text) is None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users"


def loaded(file: Path) -> Users:
    users = Users(str(file))
    users.load()
    return users


@pytest.mark.parametrize("maker", MAKERS)
def test_a_password_of_every_kind(file: Path, maker: str) -> None:
    file.write_text(f"# people\n\n{ADA}:{MAKERS[maker](PASSWORD)}\n")
    users = loaded(file)
    for pair in ((ADA, ""), (ADA, "pä:ss wörd "), ("ada", PASSWORD), ("", PASSWORD), (ADA, "x" * 1000)):
        assert not users.check(pair)
        assert not users.known(pair)
    assert not users.known((ADA, PASSWORD))
    assert users.check((ADA, PASSWORD))
    assert users.known((ADA, PASSWORD))


def test_a_file_without_anybody_lets_nobody_in(file: Path) -> None:
    file.write_text("")
    assert not loaded(file).check((ADA, ""))


def test_a_changed_file_is_read_and_what_was_known_forgotten(file: Path) -> None:
    file.write_text(f"{ADA}:{ldap_sha1.hash('old')}\n")
    users = loaded(file)
    assert users.check((ADA, "old"))
    file.with_name("new").write_text(f"{ADA}:{ldap_sha1.hash('new')}\n")
    file.with_name("new").replace(file)
    users.refresh()
    assert not users.known((ADA, "old"))
    assert not users.check((ADA, "old"))
    assert users.check((ADA, "new"))


@pytest.mark.parametrize("line", ["Ada:plain", "Ada", ":", "Ada:$1$unsupported$x"])
def test_a_wrong_line_is_named_and_what_was_read_stays(file: Path, line: str) -> None:
    file.write_text(f"{ADA}:{ldap_sha1.hash('good')}\n")
    users = loaded(file)
    file.with_name("new").write_text(f"# hello\n{line}\n")
    file.with_name("new").replace(file)
    with pytest.raises(AuthError, match=f"{file}:2: not NAME:HASH"):
        users.refresh()
    users.refresh()  # it is said once
    assert users.check((ADA, "good"))
    with pytest.raises(AuthError, match="not NAME:HASH"):
        loaded(file)


def test_a_file_that_is_gone(file: Path) -> None:
    file.write_text(f"{ADA}:{ldap_sha1.hash('good')}\n")
    users = loaded(file)
    os.unlink(file)
    with pytest.raises(AuthError, match="No such file"):
        users.refresh()
    assert users.check((ADA, "good"))
