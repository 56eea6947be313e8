import os
import stat
from pathlib import Path

import pytest

from linekey.errors import InputError, StorageError
from linekey.store.paths import StateDir, default_state_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_state_folder_is_for_its_user_alone(tmp_path: Path) -> None:
    state = StateDir.open(tmp_path / "deep" / "state")
    assert mode(state.root) == 0o700
    assert mode(state.keys) == 0o700
    state.write_key("some.key", b"key")
    assert mode(state.keys / "some.key") == 0o600
    assert state.lab.is_dir()


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    state = StateDir.open(tmp_path)
    assert state.write_key("some.key", b"first") == b"first"
    assert state.write_key("some.key", b"second") == b"first"
    assert state.read_key("some.key") == b"first"
    assert [path.name for path in state.keys.iterdir()] == ["some.key"]


def test_replacing_a_key_leaves_no_draft_behind(tmp_path: Path) -> None:
    state = StateDir.open(tmp_path)
    state.write_key("some.key", b"first")
    state.replace_key("some.key", b"second")
    assert state.read_key("some.key") == b"second"
    assert mode(state.keys / "some.key") == 0o600
    assert [path.name for path in state.keys.iterdir()] == ["some.key"]


def test_a_missing_key_file_is_none(tmp_path: Path) -> None:
    assert StateDir.open(tmp_path).read_key("none.key") is None


@pytest.mark.parametrize("name", ["../linekey.db", "a/b", ".hidden", ""])
def test_a_key_name_cannot_leave_the_keys_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        StateDir.open(tmp_path).key_path(name)


@pytest.mark.parametrize("open_to", [0o750, 0o705, 0o701])
def test_a_keys_folder_that_others_can_enter_is_refused_with_the_cure(
    tmp_path: Path, open_to: int
) -> None:
    keys = StateDir.open(tmp_path).keys
    keys.chmod(open_to)
    with pytest.raises(StorageError, match="other users") as raised:
        StateDir.open(tmp_path)
    assert f"chmod 700 {keys}" in raised.value.hint


def test_a_key_file_that_others_can_read_is_refused_with_the_cure(
    tmp_path: Path,
) -> None:
    state = StateDir.open(tmp_path)
    state.write_key("some.key", b"key")
    (state.keys / "some.key").chmod(0o640)
    with pytest.raises(StorageError) as raised:
        state.read_key("some.key")
    assert "chmod 600" in raised.value.hint


def test_a_folder_that_is_not_there_is_told_when_it_may_not_be_made(
    tmp_path: Path,
) -> None:
    with pytest.raises(StorageError, match="no state folder") as raised:
        StateDir.open(tmp_path / "none", create=False)
    assert "--state" in raised.value.hint
    assert not (tmp_path / "none").exists()


def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="not a folder"):
        StateDir.open(tmp_path / "file")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot make"):
        StateDir.open(tmp_path / "file" / "state")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    StateDir.open(tmp_path)
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="read and written"):
        StateDir.open(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_belongs_to_the_folders_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    state = StateDir.open(tmp_path)
    state.write_key("some.key", b"key")
    state.make_private_file(state.database_file)
    for path in (state.keys, state.keys / "some.key", state.database_file):
        assert path.stat().st_uid == 65534


def test_the_environment_names_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEKEY_STATE", "/somewhere/else")
    assert default_state_path() == Path("/somewhere/else")
    monkeypatch.delenv("LINEKEY_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", "/home/of/state")
    assert default_state_path() == Path("/home/of/state/linekey")
