"""A backup has all that must not be lost, as of one instant, and nobody else reads it."""

import asyncio
import json
import os
import sqlite3
import tarfile
import threading
from datetime import datetime
from pathlib import Path

import pytest
from tests.sightings import fleet_that_came

from linekey.errors import InputError, StorageError
from linekey.provisioning.document import Layer, Setting
from linekey.store.backup import write_backup
from linekey.store.database import open_database
from linekey.store.layers import Layers, Scope
from linekey.store.look import look
from linekey.store.paths import StateDir
from linekey.store.schema import HEAD


@pytest.fixture
def filled(state: StateDir) -> StateDir:
    with open_database(state) as database:
        asyncio.run(fleet_that_came(database))
    state.settings_file.write_text("port = 1\n")
    return state


def names(path: Path) -> list[str]:
    with tarfile.open(path) as tar:
        return tar.getnames()


def test_it_has_everything_and_is_private(
    filled: StateDir, tmp_path: Path, now: datetime
) -> None:
    pair = filled.root / "certificates" / "20260101T000000Z-00000000"
    pair.mkdir(parents=True)
    (pair / "chain.pem").write_text("chain")
    (pair.parent / "current").symlink_to(pair.name)
    path = tmp_path / "b.tar"
    named = [Path("certificates/current/chain.pem"), Path("/etc/hostname")]
    content = write_backup(filled, None, path, now, named=named)
    assert oct(path.stat().st_mode)[-3:] == "600"
    assert names(path) == [
        "manifest.json", "linekey.toml", "keys/database.key",
        "certificates/20260101T000000Z-00000000/chain.pem", "linekey.db",
    ]  # fmt: skip
    assert content.links == {"certificates/current": pair.name}
    assert content.schema == HEAD
    assert content.rows == look(filled, None).rows
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    with tarfile.open(path) as tar:
        said = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        tar.extract("linekey.db", tmp_path / "out", filter="data")
    assert said == content.as_json()
    raw = sqlite3.connect(tmp_path / "out" / "linekey.db")
    assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert raw.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    raw.close()


def test_the_key_can_be_kept_apart(
    filled: StateDir, tmp_path: Path, now: datetime
) -> None:
    path = tmp_path / "b.tar"
    content = write_backup(filled, None, path, now, with_keys=False)
    assert names(path) == ["manifest.json", "linekey.toml", "linekey.db"]
    assert not content.has_keys
    assert filled.read_key("database.key") not in path.read_bytes()  # type: ignore[operator]


def test_it_is_one_view_while_others_write(
    filled: StateDir, tmp_path: Path, now: datetime
) -> None:
    """Two values that change together are never seen apart."""
    stop = threading.Event()

    def write() -> None:
        count = 0
        with open_database(filled) as database:
            while not stop.is_set():
                count += 1
                value = Setting("language", f"{count}")
                for scope in (Scope.fleet(), Scope.model("D785")):
                    Layers(database).change(scope, lambda _, v=value: Layer((v,)), now)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            write_backup(filled, None, tmp_path / f"{number}.tar", now)
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        with tarfile.open(tmp_path / f"{number}.tar") as tar:
            tar.extract("linekey.db", tmp_path / f"{number}", filter="data")
        raw = sqlite3.connect(tmp_path / f"{number}" / "linekey.db")
        (logged,) = raw.execute(
            "SELECT count(*) FROM changes WHERE subject LIKE 'layer %'"
        ).fetchone()
        (raised,) = raw.execute("SELECT sum(version) FROM layers").fetchone()
        raw.close()
        assert logged == (raised or 0)


def test_what_is_there_stays_and_a_full_disk_leaves_nothing(
    filled: StateDir, tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b.tar"
    path.write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        write_backup(filled, None, path, now)
    assert path.read_text() == "mine"
    with pytest.raises(StorageError, match="no such file"):
        write_backup(filled, None, tmp_path / "away" / "b.tar", now)
    device = Path("/dev/full")
    if device.exists() and os.geteuid() == 0:
        monkeypatch.setattr(os, "fsync", _no_space)
        with pytest.raises(StorageError, match="no space left"):
            write_backup(filled, None, tmp_path / "c.tar", now)
    assert sorted(p.name for p in tmp_path.glob("*.tar*")) == ["b.tar"]
    assert not list(tmp_path.glob(".*"))


def _no_space(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_backup_that_nobody_could_read_is_not_written(
    filled: StateDir, tmp_path: Path, now: datetime
) -> None:
    filled.key_path("database.key").unlink()
    with open_database(StateDir.open(tmp_path / "other")) as other:
        key = other.state.read_key("database.key")
    filled.write_key("database.key", key or b"")
    with pytest.raises(StorageError, match="could not be read"):
        write_backup(filled, None, tmp_path / "b.tar", now)
    assert not (tmp_path / "b.tar").exists()
