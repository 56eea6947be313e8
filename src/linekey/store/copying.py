"""One database copied into another: SQLite, PostgreSQL, or one PostgreSQL's to another.

The tables are those of ``schema.metadata``, so one that a later migration brings is
copied, too. The key file stays the same: what was sealed is sealed with it there, too.

Rules: all or nothing. In PostgreSQL tables, rows and counters of ids are one
transaction; SQLite's file is made under another name and gets its own when it is whole.
The source is in nobody else's use meanwhile, or nothing is copied. What is there
already is never written over.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from linekey.errors import Cause, InputError, StorageError
from linekey.store.beside import refuse_newer
from linekey.store.database import (
    files_locked,
    one_at_a_time,
    open_database,
    postgresql_engine,
    shown,
    upgrade,
)
from linekey.store.deadline import within
from linekey.store.look import count_rows, refuse_nothing
from linekey.store.paths import StateDir, file_error, give_to_owner, sync_folder
from linekey.store.schema import metadata
from linekey.store.trouble import told_as_storage_error
from linekey.words import counted

PIECE = 1000
"""Rows that are read and written at a time."""
DRAFT = ".linekey.db.draft"
"""SQLite's file until it is whole; one that is left behind is of a copy that ended."""
_WAIT_S = 2.0
_DRAFT_PRAGMAS = (
    "PRAGMA auto_vacuum=INCREMENTAL",
    # Nobody sees the draft, and it is deleted unless it becomes whole.
    "PRAGMA journal_mode=OFF",
    "PRAGMA synchronous=OFF",
)

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: table → rows; the names are for people."""

    source: str
    target: str
    rows: dict[str, int]

    @property
    def total(self) -> int:
        """How many rows altogether."""
        return sum(self.rows.values())


def copy_database(
    state: StateDir,
    source: str | None,
    target: str | None,
    progress: Callable[[int], contextlib.AbstractContextManager[Progress]],
    *,
    cure: str = "make an empty one (createdb NAME) and name it in --to",
) -> Copied:
    """Copy all rows of one database into another that is empty.

    ``source`` and ``target`` are URLs of PostgreSQL; None is ``linekey.db`` in the
    state folder. ``progress`` is opened with the number of all rows and told of those
    that are done. ``cure`` is said where PostgreSQL's is not empty. Raises InputError
    where both are the same, StorageError where the source is missing, in use or
    changes, where the target is not empty, and where one of them cannot be read or
    written; the target is as it was then.
    """
    if source == target:
        raise InputError(
            "source and target are the same database",
            hint="give --to sqlite, or --to postgresql+psycopg://USER@HOST/NAME",
        )
    with within(inf):
        if target is None:
            refuse_file(state)
        refuse_nothing(state, source)
        with open_database(state, source) as opened:  # up to date, and of this key
            refuse_newer(opened.newer_schema, opened.name, "copy")
        with reading(state, source) as connection:
            name = shown(connection.engine.url)
            counts = count_rows(connection)
            with progress(sum(counts.values())) as done:
                if target is None:
                    to = _fill_sqlite(connection, state, counts, done)
                else:
                    to = _fill_postgresql(connection, state, target, counts, done, cure)
    return Copied(name, to, counts)


def refuse_file(state: StateDir) -> None:
    """Refuse where linekey.db is there already. Raises StorageError."""
    path = state.database_file
    if path.exists() or path.is_symlink():
        raise StorageError(
            f"{str(path)!r} is there already",
            hint="nothing is written over: move it and its -wal and -shm away first, "
            f"for example: mv {path} {path}.old",
        )


@contextmanager
def reading(state: StateDir, url: str | None) -> Iterator[Connection]:
    """Read a database that nobody else uses, in one view. Raises StorageError."""
    if url is None:
        with alone(state.database_file) as connection:
            yield connection
        return
    with snapshot(url) as connection:
        _refuse_others(connection, shown(connection.engine.url))
        yield connection


@contextmanager
def snapshot(url: str) -> Iterator[Connection]:
    """Read PostgreSQL in one view, whoever writes meanwhile. Raises StorageError."""
    engine = postgresql_engine(url)
    try:
        with told_as_storage_error(shown(engine.url)), engine.connect() as connection:
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection
    finally:
        engine.dispose()


def _refuse_others(connection: Connection, name: str) -> None:
    """Refuse while this role has other connections to this database."""
    until = time.monotonic() + _WAIT_S  # one of ours may be on its way out
    while True:
        connection.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
        count = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user"
            " AND datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        ).scalar_one()
        if not count:
            return
        if time.monotonic() > until:
            raise _in_use(f"{name} has {counted(count, 'other connection')}")
        time.sleep(0.05)


def _still_alone(source: Connection) -> None:
    """Ask again before the copy becomes whole. Nobody else can open SQLite's file."""
    if source.dialect.name != "sqlite":
        _refuse_others(source, shown(source.engine.url))


def _in_use(what: str) -> StorageError:
    return StorageError(
        f"{what}: what is written to it now would be lost",
        hint="stop every server and command that uses it, on each machine: "
        "systemctl stop linekey",
        cause=Cause.BUSY,
    )


@contextmanager
def alone(path: Path) -> Iterator[Connection]:
    """Open an SQLite file that no other process has open, nor can until the end.

    Raises StorageError if one has: in WAL mode a connection that asks for the exclusive
    lock before anything else gets it only then (sqlite.org/wal.html, "without shared
    memory").
    """

    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_WAIT_S,
            isolation_level=None, check_same_thread=False,
        )  # fmt: skip
        try:
            raw.execute("PRAGMA locking_mode=EXCLUSIVE")
            raw.execute("BEGIN IMMEDIATE")  # the lock stays, also after a rollback
            raw.execute("COMMIT")
        except sqlite3.Error as error:
            raw.close()
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise _in_use(f"another process has {str(path)!r} open") from None
            raise
        return raw

    engine = _engine_on(path, connect)
    try:
        with told_as_storage_error(shown(engine.url)), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _engine_on(path: Path, connect: Callable[[], sqlite3.Connection]) -> Engine:
    return sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        creator=connect,
        poolclass=sa.NullPool,
    )


@dataclass(frozen=True, slots=True)
class Draft:
    """An SQLite file in the making."""

    path: Path
    connection: Connection
    close: Callable[[], None]


@contextmanager
def sqlite_draft(folder: Path, name: str) -> Iterator[Draft]:
    """Make an SQLite file for our user alone; it is deleted at the end.

    So link it, or copy it, inside; ``Draft.close`` puts all of it on the disk first.
    """
    path = folder / name
    path.unlink(missing_ok=True)  # of one that was killed
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise file_error("write", path, error) from error

    def connect() -> sqlite3.Connection:
        raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in _DRAFT_PRAGMAS:
            raw.execute(pragma)
        return raw

    engine = _engine_on(path, connect)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def close() -> None:
        with told_as_storage_error(str(path)):
            connection.commit()
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.execute("PRAGMA journal_mode=WAL")
            connection.close()
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise file_error("write", path, error) from error
        finally:
            os.close(descriptor)

    try:
        with told_as_storage_error(str(path)), engine.connect() as connection:
            yield Draft(path, connection, close)
    finally:
        engine.dispose()
        for end in ("", "-wal", "-shm", "-journal"):
            path.with_name(f"{name}{end}").unlink(missing_ok=True)


def place_file(state: StateDir, draft: Path) -> None:
    """Give a whole file the name linekey.db, unless that is taken by now."""
    give_to_owner(draft, state.root)
    try:
        os.link(draft, state.database_file)
    except FileExistsError:
        refuse_file(state)
    except OSError as error:
        raise file_error("write", state.database_file, error) from error
    sync_folder(state.root)


def fill(
    source: Connection, draft: Draft, counts: dict[str, int], done: Progress
) -> None:
    """Make the tables in a draft, copy all rows, and close it."""
    upgrade(draft.connection, None, str(draft.path))
    copy_rows(source, draft.connection, counts, done)
    draft.close()


def _fill_sqlite(
    source: Connection, state: StateDir, counts: dict[str, int], done: Progress
) -> str:
    with files_locked(state), sqlite_draft(state.root, DRAFT) as draft:
        fill(source, draft, counts, done)
        _still_alone(source)
        place_file(state, draft.path)
    return str(state.database_file)


def _fill_postgresql(
    source: Connection,
    state: StateDir,
    url: str,
    counts: dict[str, int],
    done: Progress,
    cure: str,
) -> str:
    engine = postgresql_engine(url)
    name = shown(engine.url)
    try:
        with told_as_storage_error(name), one_at_a_time(engine, state) as connection:
            if there := sa.inspect(connection).get_table_names():
                what = "a database of linekey" if "meta" in there else "other tables"
                raise StorageError(
                    f"{name} is not empty: it has {what}",
                    hint=f"nothing is written over: {cure}",
                )
            upgrade(connection, None, name)
            copy_rows(source, connection, counts, done)
            _set_sequences(source, connection)
            _still_alone(source)
    finally:
        engine.dispose()
    return name


def copy_rows(
    source: Connection, target: Connection, counts: dict[str, int], done: Progress
) -> None:
    """Copy all rows into tables that a migration has just made.

    Raises StorageError if other numbers of rows arrive than were counted before.
    """
    for table in metadata.sorted_tables:
        target.execute(sa.delete(table))  # what the migrations put there
        asked = sa.select(table).order_by(*table.primary_key)
        with (
            told_as_storage_error(f"{shown(target.engine.url)}, table {table.name}"),
            source.execute(asked, execution_options={"yield_per": PIECE}) as rows,
        ):
            for piece in rows.mappings().partitions():
                target.execute(sa.insert(table), [dict(row) for row in piece])
                done(len(piece))
    arrived = count_rows(target)
    if arrived != counts:
        wrong = next(name for name in counts if arrived[name] != counts[name])
        raise StorageError(
            f"table {wrong} had {counted(counts[wrong], 'row')} and "
            f"{arrived[wrong]:,} arrived",
            hint="stop whatever else uses the two databases, then copy again",
        )


def _set_sequences(source: Connection, target: Connection) -> None:
    """Let the ids of new rows follow those that were ever given, as far as is known."""
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        newest = target.execute(sa.select(sa.func.max(column))).scalar() or 0
        given = max(newest, _last_given(source, table, column))
        if given:
            target.execute(sa.select(sa.func.setval(_sequence(table, column), given)))


def _last_given(source: Connection, table: sa.Table, column: sa.Column[Any]) -> int:
    """The last id that a sequence gave, also of a row that is deleted by now."""
    if source.dialect.name == "sqlite":
        return 0
    found = source.execute(sa.select(_sequence(table, column))).scalar_one()
    last, called = source.exec_driver_sql(
        f"SELECT last_value, is_called FROM {found}"  # noqa: S608 - the server's word
    ).one()
    return int(last) if called else 0


def _sequence(table: sa.Table, column: sa.Column[Any]) -> Any:
    return sa.func.pg_get_serial_sequence(table.name, column.name)
