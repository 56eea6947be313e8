import grp
import os
import pwd
from pathlib import Path

import pytest

from linekey.cli.export_reach import is_filled, key_advice
from linekey.export.account import Account

ME = Account(pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name)
OTHER = Account("nobody", grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "server.key"
    path.write_text("")
    return path


@pytest.mark.parametrize(
    ("mode", "account", "reaches"),
    [
        (0o600, ME, True),
        (0o040, ME, False),
        (0o600, OTHER, False),
        (0o640, OTHER, False),
        (0o604, OTHER, True),
    ],
)
def test_a_key_that_the_server_cannot_read_is_told(
    key: Path, mode: int, account: Account, reaches: bool
) -> None:
    key.chmod(mode)
    advice = key_advice(key, account)
    assert (advice is None) is reaches
    if advice is not None:
        assert f"chgrp {account.group} {key}; chmod 640 {key}" in advice


def test_its_group_may_be_enough(key: Path) -> None:
    key.chmod(0o640)
    assert key_advice(key, Account("nobody", ME.group)) is None


def test_what_is_not_there_yet_is_told_too(tmp_path: Path, key: Path) -> None:
    assert key_advice(tmp_path / "no.key", ME) is not None
    assert key_advice(key, Account("no-such-user", "no-such-group")) is not None


def test_a_folder_is_filled_by_anything_in_it(tmp_path: Path) -> None:
    assert not is_filled(tmp_path)
    assert not is_filled(tmp_path / "none")
    (tmp_path / "data.mdb").write_bytes(b"")
    assert is_filled(tmp_path)
