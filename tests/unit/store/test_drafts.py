"""What nobody makes any more is deleted; what somebody makes is not."""

import fcntl
import os
from pathlib import Path

import pytest

from linekey.errors import StorageError
from linekey.store.drafts import draft_name


def test_what_was_left_behind_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    for name in (".linekey-backup.0.db", ".linekey-restore.0", "b.tar", ".other.0"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".linekey-backup.1").mkdir()
    (tmp_path / ".linekey-backup.1" / "linekey.db").write_text("x")
    (tmp_path / ".linekey-backup.2").symlink_to(tmp_path / "b.tar")
    with draft_name(tmp_path, "backup") as name:
        assert sorted(p.name for p in tmp_path.iterdir()) == [
            ".linekey-restore.0", ".other.0", "b.tar",
        ]  # fmt: skip
        (tmp_path / name).write_text("mine")
        with draft_name(tmp_path, "backup") as other:
            assert other != name
            assert (tmp_path / name).read_text() == "mine"
    with draft_name(tmp_path, "backup"):
        assert not (tmp_path / name).exists()


def test_where_no_lock_is_to_be_had_nothing_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(descriptor: int, how: int) -> None:
        raise OSError(37, "No locks available")

    (tmp_path / ".linekey-backup.0").write_text("x")
    monkeypatch.setattr(fcntl, "flock", none)
    monkeypatch.setattr("linekey.store.drafts._WAIT_S", 0)
    with draft_name(tmp_path, "backup"):
        assert (tmp_path / ".linekey-backup.0").exists()


def test_what_another_user_left_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".linekey-backup.0").write_text("x")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with draft_name(tmp_path, "backup"):
        assert (tmp_path / ".linekey-backup.0").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match="no such file"),
        draft_name(tmp_path / "away", "backup"),
    ):
        pass
