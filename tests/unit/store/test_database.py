import contextlib
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import linekey.store
from linekey.errors import InputError, StorageError
from linekey.store.database import Database, open_database
from linekey.store.opening import open_store
from linekey.store.paths import StateDir
from linekey.store.schema import HEAD, metadata, revision
from linekey.store.secrets import KEY_FILE, KeyRing

MIGRATIONS = Path(linekey.store.__file__).parent / "migrations"


def test_the_migrations_lead_to_the_schema(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                # PostgreSQL's alone: ``schema.FEW_VALUES``.
                "include_object": lambda _, name, *__: (
                    name
                    not in {
                        "ix_decision_log_filters",
                        "ix_decision_log_peer",
                        "ix_devices_state",
                    }
                ),
            },
        )
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == HEAD


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [HEAD]


def test_the_database_is_for_its_user_alone(database: Database) -> None:
    for path in database.state.root.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_commit_is_on_the_disk_when_it_returns(database: Database) -> None:
    raw = database.raw_connection()
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert raw.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    raw.close()


def test_opening_again_changes_nothing(database: Database, state: StateDir) -> None:
    with open_database(state) as again, again.read() as connection:
        assert connection.execute(sa.select(revision)).all() == [(1, 1, 1, 1)]


OPENER = """
import sys
from linekey.store.paths import StateDir
from linekey.store.database import open_database
sys.stdin.readline()
with open_database(StateDir.open(sys.argv[1])) as database:
    print("open")
"""


def test_several_processes_may_make_the_database_at_once(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(tmp_path / "state")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        out, err = worker.communicate(timeout=60)
        assert out == "open\n", err
    state = StateDir.open(tmp_path / "state")
    with open_database(state) as database, database.read() as connection:
        assert len(connection.execute(sa.select(revision)).all()) == 1


def test_a_database_of_a_newer_linekey_is_refused_with_the_cure(
    database: Database, state: StateDir
) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'v9999'")
        # As a migration leaves it that nobody may go on beside.
        connection.exec_driver_sql(
            "UPDATE meta SET sealed = CAST('v9999' AS BLOB) WHERE name = 'beside'"
        )
    with pytest.raises(StorageError, match="newer linekey") as raised:
        open_database(state)
    assert "newer" in raised.value.hint


def test_another_databases_key_is_told_at_once(
    database: Database, state: StateDir, tmp_path: Path
) -> None:
    other = StateDir.open(tmp_path / "other")
    open_database(other).close()
    state.replace_key(KEY_FILE, other.read_key(KEY_FILE) or b"")
    with pytest.raises(StorageError, match="not the key of"):
        open_database(state)


def test_a_lost_key_is_told_and_not_replaced(
    database: Database, state: StateDir
) -> None:
    state.key_path(KEY_FILE).unlink()
    with pytest.raises(StorageError, match="missing"):
        open_database(state)
    assert not state.key_path(KEY_FILE).exists()


def lose_database(state: StateDir) -> None:
    for path in state.root.glob("linekey.db*"):
        path.unlink()


def empty_database(state: StateDir) -> None:
    lose_database(state)
    state.database_file.touch()


def lose_all_but_the_log(state: StateDir) -> None:
    state.database_file.unlink()
    state.root.joinpath("linekey.db-wal").touch()


def new_empty_tables(state: StateDir) -> None:
    lose_database(state)
    with sqlite3.connect(state.database_file) as raw:
        raw.execute("PRAGMA journal_mode=WAL")


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lose_database, "is gone, but its key"),
        (lose_all_but_the_log, "is gone, but its key"),
        (empty_database, "is empty, but its key"),
        (new_empty_tables, "is empty, but its key"),
    ],
)
def test_a_lost_database_is_told_and_not_begun_anew(
    state: StateDir, harm: Callable[[StateDir], None], what: str
) -> None:
    open_database(state).close()
    key = state.read_key(KEY_FILE)
    harm(state)
    before = {path.name for path in state.root.iterdir()}
    for _ in range(2):
        with pytest.raises(StorageError, match=what) as raised:
            open_database(state)
        hint = raised.value.hint
        for cure in ("restore linekey.db", "set database_url", "move", "keep it"):
            assert cure in hint
        if harm is lose_all_but_the_log:
            assert hint.startswith("delete linekey.db-wal, then restore")
    assert state.read_key(KEY_FILE) == key
    if harm in (lose_database, lose_all_but_the_log):
        assert {path.name for path in state.root.iterdir()} == before


def test_who_moves_the_key_away_begins_anew(state: StateDir) -> None:
    open_database(state).close()
    lose_database(state)
    state.key_path(KEY_FILE).rename(state.root / "old.key")
    open_database(state).close()
    assert state.read_key(KEY_FILE) != (state.root / "old.key").read_bytes()
    open_database(state).close()


def test_a_creation_that_fails_leaves_no_key_that_would_be_refused(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(KeyRing, "seal", full)
    with pytest.raises(StorageError, match="full"):
        open_database(state)
    monkeypatch.undo()
    open_database(state).close()


def test_a_folder_in_the_databases_place_is_told(state: StateDir) -> None:
    state.database_file.mkdir()
    with pytest.raises(StorageError, match="is no file") as raised:
        open_database(state)
    assert "restore" in raised.value.hint


def corrupt(state: StateDir) -> None:
    with sqlite3.connect(state.database_file) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(state.database_file.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    state.database_file.write_bytes(data)


def run_sql(statement: str) -> Callable[[StateDir], None]:
    def harm(state: StateDir) -> None:
        with sqlite3.connect(state.database_file) as raw:
            raw.execute(statement)

    return harm


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (corrupt, "malformed"),
        (run_sql("DELETE FROM meta"), "lost rows"),
        (run_sql("DELETE FROM revision"), "lost rows"),
        (run_sql("DROP TABLE revision"), "lost some of linekey's tables"),
        (run_sql("DELETE FROM alembic_version"), "lost some"),
        (run_sql("DROP TABLE alembic_version"), "not linekey's"),
    ],
)
def test_a_damaged_database_is_told_with_the_cure(
    state: StateDir, harm: Callable[[StateDir], None], what: str
) -> None:
    open_database(state).close()
    harm(state)
    with pytest.raises(StorageError, match=what) as raised:
        open_database(state)
    assert "backup" in raised.value.hint


def test_another_programs_database_is_told(state: StateDir) -> None:
    with sqlite3.connect(state.database_file) as raw:
        raw.execute("CREATE TABLE alembic_version (version_num TEXT)")
        raw.execute("INSERT INTO alembic_version VALUES ('a1b2c3')")
    with pytest.raises(StorageError, match="another program's") as raised:
        open_database(state)
    assert "database of its own" in raised.value.hint
    assert not state.key_path(KEY_FILE).exists()


def test_a_file_that_is_no_database_is_told(state: StateDir) -> None:
    state.database_file.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="not a database"):
        open_database(state)


def test_a_change_counts_and_what_fails_is_rolled_back(database: Database) -> None:
    with database.change("layers"):
        pass
    with pytest.raises(RuntimeError), database.change("trust"):
        raise RuntimeError
    with database.read() as connection:
        assert connection.execute(sa.select(revision)).one() == (1, 2, 2, 1)


def test_an_error_shows_no_statement_and_no_value(database: Database) -> None:
    with pytest.raises(StorageError) as raised, database.write() as connection:
        connection.execute(sa.text("INSERT INTO nowhere VALUES (:x)"), {"x": "s3cr3t"})
    shown = f"{raised.value} {raised.value.hint}"
    assert "no such table" in shown
    assert "s3cr3t" not in shown
    assert "INSERT" not in shown


@pytest.mark.parametrize(
    "url", ["junk", "mysql://u:s3cr3t@h/d", "sqlite:///x", "postgresql+x y://s3cr3t"]
)
def test_a_url_of_no_postgresql_is_refused_and_not_shown(
    state: StateDir, url: str
) -> None:
    with pytest.raises(InputError) as raised:
        open_database(state, url)
    assert "s3cr3t" not in f"{raised.value}{raised.value.hint}"


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:s3cr3t@[::1]:1/x", "postgresql://u@[::1]:1/x?password=s3cr3t"],
)
def test_the_settings_file_names_the_database(state: StateDir, url: str) -> None:
    state.settings_file.write_text(f'database_url = "{url}"')
    with pytest.raises(StorageError) as raised:
        open_store(state.root)
    assert "s3cr3t" not in f"{raised.value}{raised.value.hint}"
    assert "postgresql+psycopg://…@[::1]:1/x" in str(raised.value)


def test_without_a_url_in_the_settings_it_is_sqlite(state: StateDir) -> None:
    state.settings_file.write_text("port = 8443\n")
    with open_store(state.root) as database:
        assert database.is_sqlite


def test_a_setting_that_is_wrong_is_told(state: StateDir) -> None:
    state.settings_file.write_text("prot = 8443\n")
    with pytest.raises(InputError, match="prot"):
        open_store(state.root)


def test_raw_connections_see_what_is_committed(database: Database) -> None:
    raw = database.raw_connection()
    with database.change():
        pass
    assert raw.execute("SELECT registry FROM revision").fetchone() == (2,)
    raw.close()
    with pytest.raises(sqlite3.ProgrammingError):
        raw.execute("SELECT 1")


def test_after_a_piece_the_lock_is_free_for_as_long_as_it_was_held(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []

    def sleep(seconds: float) -> None:
        rests.append(seconds)
        raw = database.raw_connection(busy_s=0)
        raw.execute("BEGIN IMMEDIATE")
        raw.close()

    ticks = iter([0.0, 0.3, 5.0, 5.001, 9.0, 99.0])
    fake = SimpleNamespace(monotonic=lambda: next(ticks), sleep=sleep)
    monkeypatch.setattr("linekey.store.database.time", fake)
    for _ in range(3):
        with database.write_piece():
            pass
    assert rests == [0.3, 0.05, 1.0]


def test_a_connection_that_waits_for_nobody_waits_while_it_is_opened(
    database: Database,
) -> None:
    """A worker that starts while another process closes the file is not lost."""
    database.engine.dispose()
    held = database.raw_connection()
    held.execute("PRAGMA locking_mode=EXCLUSIVE")
    held.execute("UPDATE revision SET registry = registry")  # takes the file alone
    other = sqlite3.connect(database.state.database_file, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("PRAGMA journal_mode=WAL")
    other.close()
    closing = threading.Timer(0.2, held.close)
    closing.start()
    raw = database.raw_connection(busy_s=0)
    closing.join()
    assert raw.execute("PRAGMA busy_timeout").fetchone() == (0,)
    raw.close()


def test_a_new_connection_does_not_wait_for_a_writer(database: Database) -> None:
    with database.write() as writing:
        writing.execute(sa.update(revision).values(registry=revision.c.registry))
        with contextlib.closing(database.raw_connection(busy_s=0)) as other:
            began = time.monotonic()
            other.execute("SELECT registry FROM revision").fetchall()
        with contextlib.closing(database.raw_connection(busy_s=30)) as other:
            other.execute("SELECT registry FROM revision").fetchall()
        assert time.monotonic() - began < 20  # it would be 30
