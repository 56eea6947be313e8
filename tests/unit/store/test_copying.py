"""What can be said of copying without a PostgreSQL; tests/live/test_database_copy.py."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from linekey.errors import InputError, StorageError
from linekey.store.copying import alone, copy_database, fill, sqlite_draft
from linekey.store.database import open_database
from linekey.store.look import count_rows
from linekey.store.paths import StateDir
from linekey.store.schema import metadata, revision


@contextmanager
def silent(total: int) -> Iterator[Callable[[int], None]]:
    yield lambda count: None


def test_a_draft_is_whole_and_goes_unless_it_was_placed(state: StateDir) -> None:
    open_database(state).close()
    done: list[int] = []
    with alone(state.database_file) as source:
        counts = count_rows(source)
        with sqlite_draft(state.root, "draft") as draft:
            assert oct(draft.path.stat().st_mode)[-3:] == "600"
            fill(source, draft, counts, done.append)
            copied = sa.create_engine(f"sqlite:///{draft.path}")
            with copied.connect() as connection:
                assert count_rows(connection) == counts
                for table in metadata.sorted_tables:
                    asked = sa.select(table).order_by(*table.primary_key)
                    assert (
                        connection.execute(asked).all() == source.execute(asked).all()
                    )
            copied.dispose()
    assert sum(done) == sum(counts.values())
    assert not list(state.root.glob("draft*"))


def test_rows_that_do_not_arrive_are_told(state: StateDir) -> None:
    open_database(state).close()
    with alone(state.database_file) as source:
        counts = count_rows(source) | {"devices": 1}
        with (
            sqlite_draft(state.root, "draft") as draft,
            pytest.raises(StorageError, match="devices had 1 row and 0 arrived"),
        ):
            fill(source, draft, counts, lambda count: None)


def test_who_has_a_database_alone_keeps_all_others_out(state: StateDir) -> None:
    with open_database(state) as database:
        with database.read() as connection:
            connection.execute(sa.select(revision)).all()
        with (
            pytest.raises(StorageError, match="another process has"),
            alone(state.database_file),
        ):
            pass
    with alone(state.database_file) as source:
        assert source.execute(sa.select(revision)).all()
        other = sqlite3.connect(state.database_file, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("SELECT * FROM revision")
        other.close()
    open_database(state).close()


def test_nothing_is_copied_onto_itself_or_onto_a_file(state: StateDir) -> None:
    open_database(state).close()
    with pytest.raises(InputError, match="the same database"):
        copy_database(state, None, None, silent)
    with pytest.raises(StorageError, match="is there already"):
        copy_database(state, "postgresql://nobody@/nowhere", None, silent)
    with pytest.raises(InputError, match="not one of PostgreSQL"):
        copy_database(state, None, "mysql://root@/x", silent)
