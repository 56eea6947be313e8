"""A database is looked at as it is, and nothing is made or changed by that."""

import sqlite3

import pytest

from linekey.errors import StorageError
from linekey.store.database import open_database
from linekey.store.look import look, refuse_nothing
from linekey.store.paths import StateDir
from linekey.store.schema import HEAD, metadata


def test_it_names_the_schema_and_counts_every_table(state: StateDir) -> None:
    open_database(state).close()
    found = look(state, None)
    assert (found.schema, found.newest) == (HEAD, HEAD)
    assert set(found.rows) == set(metadata.tables)
    assert found.rows["revision"] == 1
    assert found.rows["devices"] == 0


def test_one_of_another_schema_is_shown_and_stays_as_it_is(state: StateDir) -> None:
    open_database(state).close()
    raw = sqlite3.connect(state.database_file)
    raw.execute("UPDATE alembic_version SET version_num = 'v9999'")
    raw.execute("DROP TABLE sightings")
    raw.commit()
    raw.close()
    found = look(state, None)
    assert found.schema == "v9999"
    assert "sightings" not in found.rows
    assert look(state, None) == found


def test_what_is_not_there_is_refused_and_not_made(state: StateDir) -> None:
    with pytest.raises(StorageError, match="there is no database") as raised:
        refuse_nothing(state, None)
    assert "--state DIR" in raised.value.hint
    assert not state.database_file.exists()
    state.make_private_file(state.database_file)
    with pytest.raises(StorageError, match="is empty"):
        refuse_nothing(state, None)
    assert state.database_file.stat().st_size == 0
    open_database(state).close()
    state.database_file.unlink()
    with pytest.raises(StorageError, match="is gone, but its key"):
        look(state, None)
