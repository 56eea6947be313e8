"""``linekey restore``: into a new folder, over an old one, and only looked at."""

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

import linekey.cli.restore
from linekey.cli.restore import app
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.store.backup import write_backup
from linekey.store.devices import Devices
from linekey.store.opening import open_store

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
MAC = Mac("000413AABBCC")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backup of a registry of one phone, whose record was changed afterwards."""
    monkeypatch.setattr(linekey.cli.restore, "now", lambda: NOW)
    with open_store(tmp_path / "state") as database:
        Devices(database).add(Device(MAC, "snom", "D785", label="before"), NOW)
        write_backup(database.state, None, tmp_path / "b.tar", NOW)
        Devices(database).revoke(MAC, "too early", NOW)
    return tmp_path


def run(made: Path, *words: str, state: str = "state") -> Result:
    words = (str(made / "b.tar"), *words, "--state", str(made / state))
    return CliRunner().invoke(app, list(words))


def state_of(made: Path, state: str = "state") -> str:
    with open_store(made / state) as database:
        return Devices(database).get(MAC).state


def test_into_a_new_folder(made: Path) -> None:
    done = run(made, state="new")
    assert done.exit_code == 0, done.output
    assert "1 phone as of 2026-11-29" in done.stdout
    assert "linekey serve --check --state" in done.stderr
    assert state_of(made, "new") == "active"


def test_over_an_old_one_only_if_it_is_said(made: Path) -> None:
    done = run(made)
    assert done.exit_code == 3
    assert "--replace" in done.output
    assert state_of(made) == "revoked"
    done = run(made, "--replace", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["replaced"] == str(made / "state" / "replaced-20261129T120000Z")
    assert state_of(made) == "active"
    assert state_of(made, "state/replaced-20261129T120000Z") == "revoked"


def test_not_while_the_database_is_in_use(made: Path) -> None:
    with open_store(made / "state") as database, database.read():
        done = run(made, "--replace")
    assert done.exit_code == 3
    assert "systemctl stop linekey" in done.output
    assert state_of(made) == "revoked"


def test_a_damaged_database_can_be_replaced(made: Path) -> None:
    (made / "state" / "linekey.db").write_bytes(b"no database at all" * 100)
    for end in ("-wal", "-shm"):
        (made / "state" / f"linekey.db{end}").unlink(missing_ok=True)
    assert run(made, "--replace").exit_code == 0
    assert state_of(made) == "active"


def test_of_a_newer_schema_what_is_there_can_be_replaced(made: Path) -> None:
    """Rolling back: the newer linekey has brought the database up to its schema."""
    raw = sqlite3.connect(made / "state" / "linekey.db")
    raw.execute("UPDATE alembic_version SET version_num = 'v9999'")
    raw.commit()
    raw.close()
    assert run(made, "--replace").exit_code == 0
    assert state_of(made) == "active"


def test_a_dry_run_only_looks(made: Path) -> None:
    done = run(made, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "can be restored" in done.stdout
    assert state_of(made) == "revoked"
    assert run(made, "--dry-run", state="nowhere").exit_code == 0
    assert not (made / "nowhere").exists()
    (made / "b.tar").write_bytes((made / "b.tar").read_bytes()[:20_000])
    done = run(made, "--dry-run")
    assert done.exit_code == 2
    assert "no whole backup" in done.output
