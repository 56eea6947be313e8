"""A look at a database as it is: which linekey made it, and how many rows it has.

Rule: nothing is made, changed or brought up to date.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import StorageError
from linekey.store.database import postgresql_engine, shown
from linekey.store.paths import StateDir
from linekey.store.schema import HEAD, metadata
from linekey.store.stage import read_stage, refuse_lost_file
from linekey.store.trouble import told_as_storage_error

_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Look:
    """A database: its name for people, its schema, the newest one, table → rows."""

    name: str
    schema: str
    newest: str
    rows: dict[str, int]


def look(state: StateDir, url: str | None) -> Look:
    """Look at a database of any linekey; ``url`` None is the state folder's SQLite.

    Raises StorageError if there is none, or if it cannot be read.
    """
    with _looking(state, url) as (connection, name):
        schema = _stage(connection, name)
        there = set(sa.inspect(connection).get_table_names())
        rows = {
            table.name: count(connection, table)
            for table in metadata.sorted_tables
            if table.name in there
        }
    return Look(name, schema, HEAD, rows)


def refuse_nothing(state: StateDir, url: str | None) -> None:
    """Refuse a database that is not there: opening it would make a new one.

    Raises StorageError.
    """
    with _looking(state, url) as (connection, name):
        _stage(connection, name)


@contextlib.contextmanager
def _looking(state: StateDir, url: str | None) -> Iterator[tuple[Connection, str]]:
    path = state.database_file
    if url is None:
        refuse_lost_file(state)
    if url is not None:
        engine = postgresql_engine(url)
    elif not path.is_file():
        raise StorageError(
            f"there is no database {str(path)!r}",
            hint="give the state folder with --state DIR; if the database is in "
            "PostgreSQL, set database_url in linekey.toml",
        )
    else:
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            creator=lambda: sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT_S
            ),
            poolclass=sa.NullPool,
        )
    name = shown(engine.url)
    try:
        with told_as_storage_error(name), engine.connect() as connection:
            yield connection, name
    finally:
        engine.dispose()


def _stage(connection: Connection, name: str) -> str:
    stage = read_stage(connection, name)
    if stage is None:
        raise StorageError(
            f"{name} is empty: it holds nothing of linekey's",
            hint="check its name",
        )
    return stage


def count_rows(connection: Connection) -> dict[str, int]:
    """Count the rows of each table."""
    return {table.name: count(connection, table) for table in metadata.sorted_tables}


def count(connection: Connection, table: sa.Table) -> int:
    """Count the rows of one table."""
    asked = sa.select(sa.func.count()).select_from(table)
    return int(connection.execute(asked).scalar_one())
