"""A token's file: whose it is, what it replaces, and what is none."""

import stat
from pathlib import Path

import pytest

from linekey.errors import InputError
from linekey.load.token import Token, read_token

TOKEN = Token(b"a" * 40, b"b" * 40, b"c" * 40, b"d" * 40)


def test_a_token_is_written_for_its_owner_without_the_masters_key(
    tmp_path: Path,
) -> None:
    path = tmp_path / "token"
    path.write_text("linekey-load-token-1\nof an older run\n")
    path.chmod(0o644)
    TOKEN.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "d" * 40 not in path.read_text()
    found = read_token(path)
    assert (found.client_secret, found.server_secret) == (b"c" * 40, b"")
    assert "c" * 40 not in repr(found)


def test_no_other_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    with pytest.raises(InputError, match="is no token"):
        TOKEN.write(path)
    assert path.read_text() == "mine"
    with pytest.raises(InputError, match="cannot write"):
        TOKEN.write(tmp_path / "nowhere" / "token")


@pytest.mark.parametrize("text", ["", "mine", "linekey-load-token-1 a b c", "\xff" * 9])
def test_what_is_no_token_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text, "latin-1")
    path.chmod(0o600)
    with pytest.raises(InputError, match="is no token of a load"):
        read_token(path)


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    TOKEN.write(path)
    path.chmod(0o640)
    with pytest.raises(InputError) as raised:
        read_token(path)
    assert "chmod 600" in raised.value.hint
    with pytest.raises(InputError, match="cannot read"):
        read_token(tmp_path / "nothing")
