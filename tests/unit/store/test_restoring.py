"""A backup is put back whole, or refused with what to do and nothing changed."""

import asyncio
import io
import json
import tarfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.sightings import fleet_that_came

from linekey.errors import InputError, StorageError
from linekey.store.backup import Content, write_backup
from linekey.store.database import open_database
from linekey.store.devices import Devices
from linekey.store.look import look
from linekey.store.paths import StateDir
from linekey.store.restoring import (
    check_unpacked,
    place_files,
    refuse_replacing,
    set_aside,
    unpacked,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[StateDir, Path]:
    folder = tmp_path_factory.mktemp("made")
    state = StateDir.open(folder / "state")
    with open_database(state) as database:
        asyncio.run(fleet_that_came(database))
    state.settings_file.write_text("port = 1\n")
    pair = state.root / "certificates" / "one"
    pair.mkdir(parents=True)
    (pair / "chain.pem").write_text("chain")
    (pair.parent / "current").symlink_to("one")
    path = folder / "backup.tar"
    named = [Path("certificates/current/chain.pem")]
    write_backup(
        state, None, path, datetime.fromisoformat("2026-01-31T12:00Z"), named=named
    )
    return state, path


def put_back(state: StateDir, path: Path) -> Content:
    with unpacked(path, state.root) as (content, place):
        check_unpacked(place, content, state)
        refuse_replacing(state, content)
        place_files(state, place, content)
    return content


def test_all_of_it_is_there_again(made: tuple[StateDir, Path], tmp_path: Path) -> None:
    before, path = made
    state = StateDir.open(tmp_path / "new")
    put_back(state, path)
    assert look(state, None).rows == look(before, None).rows
    with open_database(state) as now_here, open_database(before) as there:
        assert list(Devices(now_here).all()) == list(Devices(there).all())
    assert state.settings_file.read_text() == "port = 1\n"
    current = state.root / "certificates" / "current"
    assert current.is_symlink()
    assert (current / "chain.pem").read_text() == "chain"
    for file in (state.database_file, state.key_path("database.key")):
        assert oct(file.stat().st_mode)[-3:] == "600"
    assert not list(state.root.glob(".restore*"))
    with pytest.raises(StorageError, match="is not empty: it has") as raised:
        put_back(state, path)
    assert "--replace" in raised.value.hint


def test_what_was_there_is_set_aside(
    made: tuple[StateDir, Path], tmp_path: Path, now: datetime
) -> None:
    state = StateDir.open(tmp_path / "new")
    open_database(state).close()
    old_key = state.read_key("database.key")
    with unpacked(made[1], state.root) as (content, place):
        check_unpacked(place, content, state)
        aside = set_aside(state, content, now)
        assert aside is not None
        place_files(state, place, content)
    assert StateDir(aside).read_key("database.key") == old_key
    assert look(StateDir(aside), None).rows["devices"] == 0
    assert look(state, None).rows["devices"] > 0


def altered(
    path: Path, to: Path, change: Callable[[dict[str, Any], dict[str, bytes]], None]
) -> Path:
    with tarfile.open(path) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar}  # type: ignore[union-attr]
    said = json.loads(files.pop("manifest.json"))
    change(said, files)
    with tarfile.open(to, "w") as tar:
        for name, data in {"manifest.json": json.dumps(said).encode(), **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return to


def newer_schema(said: dict[str, Any], files: dict[str, bytes]) -> None:
    said["schema"] = "v9999"


def newer_format(said: dict[str, Any], files: dict[str, bytes]) -> None:
    said["format"] = 2


def changed_row(said: dict[str, Any], files: dict[str, bytes]) -> None:
    files["linekey.db"] = files["linekey.db"].replace(b"snom", b"smon")


def lost_file(said: dict[str, Any], files: dict[str, bytes]) -> None:
    del files["keys/database.key"]


def one_more(said: dict[str, Any], files: dict[str, bytes]) -> None:
    files["keys/evil.key"] = b"x"


def outside(said: dict[str, Any], files: dict[str, bytes]) -> None:
    said["files"]["../evil"] = {"size": 1, "sha256": "00"}


def strange_manifest(said: dict[str, Any], files: dict[str, bytes]) -> None:
    said["rows"] = [1]


@pytest.mark.parametrize(
    ("change", "told", "cure"),
    [
        (newer_schema, "newer linekey", "install that linekey"),
        (newer_format, "newer linekey", "install that linekey"),
        (changed_row, "linekey.db is damaged or was changed", "copy it anew"),
        (lost_file, "keys/database.key is missing", "copy it anew"),
        (one_more, "does not belong into it", "copy it anew"),
        (outside, "manifest.json is damaged", "copy it anew"),
        (strange_manifest, "manifest.json is damaged", "copy it anew"),
    ],
)
def test_what_is_wrong_with_a_backup_is_told(
    made: tuple[StateDir, Path],
    tmp_path: Path,
    change: Callable[[dict[str, Any], dict[str, bytes]], None],
    told: str,
    cure: str,
) -> None:
    state = StateDir.open(tmp_path / "new")
    path = altered(made[1], tmp_path / "altered.tar", change)
    with pytest.raises(InputError, match=told) as raised:
        put_back(state, path)
    assert cure in raised.value.hint
    assert [p.name for p in state.root.iterdir()] == ["keys"]
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9])
def test_half_a_file_and_any_other_file_are_told(
    made: tuple[StateDir, Path], tmp_path: Path, share: float
) -> None:
    state = StateDir.open(tmp_path / "new")
    data = made[1].read_bytes()
    half = tmp_path / "half.tar"
    half.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match="no whole backup"):
        put_back(state, half)
    half.write_bytes(b"\0" * 20_000 if share else b"junk" * 5000)
    with pytest.raises(InputError, match="no whole backup"):
        put_back(state, half)
    with pytest.raises(InputError, match="cannot read"):
        put_back(state, tmp_path / "none.tar")
    assert [p.name for p in state.root.iterdir()] == ["keys"]


def test_the_key_that_was_kept_apart_must_be_the_right_one(
    made: tuple[StateDir, Path], tmp_path: Path, now: datetime
) -> None:
    path = tmp_path / "b.tar"
    content = write_backup(made[0], None, path, now, with_keys=False)
    state = StateDir.open(tmp_path / "new")
    with pytest.raises(StorageError, match="the backup has no keys") as raised:
        put_back(state, path)
    assert content.key in raised.value.hint
    with open_database(StateDir.open(tmp_path / "other")) as other:
        wrong = other.state.read_key("database.key")
    assert wrong is not None
    state.write_key("database.key", wrong)
    with pytest.raises(StorageError, match="does not open the backup"):
        put_back(state, path)
    assert not state.database_file.exists()
    right = made[0].read_key("database.key")
    assert right is not None
    state.replace_key("database.key", right)
    put_back(state, path)
    open_database(state).close()
