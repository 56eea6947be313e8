"""The database: opened, brought up to date, and ready for several processes.

SQLite is opened in WAL mode, so that readers never wait for the writer, and with
``synchronous=FULL``: a commit is on the disk when it returns, also if the power fails
the next moment (docs/decisions/0003). PostgreSQL has that by default
(``synchronous_commit``).

Rules: a change is one transaction that takes the write lock first (``BEGIN
IMMEDIATE``), so two processes never both read and then both write; it raises the
counters in ``revision``, and seals with the key that the database says is in use. No
URL with a password in it is ever shown.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.url import make_url

from linekey.errors import InputError, StorageError
from linekey.store.paths import StateDir
from linekey.store.schema import HEAD, meta, revision
from linekey.store.secrets import KEY_FILE, LACKS_HINT, KeyRing, sealed_with
from linekey.store.stage import read_stage, refuse_lost_file, refuse_lost_tables

BUSY_S = 30.0
"""Seconds a writer waits for another's transaction. SQLite's own default is 0."""

_MIGRATION_LOCK = 0x6C696E65  # PostgreSQL advisory lock: "line"
KEY_CHECK = "key check"
"""The place of the row that says which key is in use."""
KEY_TEXT = b"linekey"
"""What is sealed there, and for a prepared key."""


class Database:
    """An open database with its key ring. Close it, or use it in a ``with``.

    Safe to use from several threads; each transaction has a connection of its own.
    """

    def __init__(self, engine: Engine, keys: KeyRing, state: StateDir) -> None:
        self.engine = engine
        self.keys = keys
        self.state = state

    def __repr__(self) -> str:
        return f"<Database {self.name}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """What it is, for people; without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is the SQLite file in the state folder."""
        return self.engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read in one consistent view. Raises StorageError if it cannot be read."""
        with _told_as_storage_error(self.name), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def change(self, *kinds: str) -> Iterator[Connection]:
        """Write in one transaction and count the change as each of ``kinds``.

        ``kinds`` are columns of ``revision`` next to ``registry``, which always counts:
        ``layers``, ``trust``. What is raised inside rolls everything back. Raises
        StorageError if it cannot be written.
        """
        with self.write() as connection:
            # First the counters: on PostgreSQL this row's lock makes writers queue.
            raised = {name: revision.c[name] + 1 for name in ("registry", *kinds)}
            connection.execute(sa.update(revision).values(raised))
            # Asked under that lock: after a rotation nobody seals with the old key.
            self.keys.use(key_in_use(connection))
            yield connection

    @contextmanager
    def change_uncounted(self) -> Iterator[Connection]:
        """``change`` for what the registry's readers need not notice: same queue."""
        with self.write() as connection:
            connection.execute(sa.select(revision.c.id).with_for_update())
            self.keys.use(key_in_use(connection))
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Write in one transaction what the registry's readers need not notice."""
        with _told_as_storage_error(self.name), self.engine.connect() as connection:
            connection = connection.execution_options(linekey_write=True)
            with connection.begin():
                yield connection

    def raw_connection(self) -> Any:
        """Return a connection of the driver's own, for the hot paths; close it.

        SQLite's autocommits. It may be handed to one other thread.
        """
        with _told_as_storage_error(self.name):
            if self.is_sqlite:
                return _connect_sqlite(Path(str(self.engine.url.database)))
            return self.engine.raw_connection()


def open_database(state: StateDir, url: str | None = None) -> Database:
    """Open the database of a state folder, making it and updating its schema.

    ``url`` is an SQLAlchemy URL of PostgreSQL; without it, it is SQLite in
    ``linekey.db``. Secrets are sealed with the key in the state folder in both cases.
    Any number of processes may do this at once. Raises InputError for a URL that names
    no database we know, StorageError for one that cannot be opened, was made by a newer
    linekey, belongs to another key file, or is gone while its key is still there.
    """
    if url is None:
        refuse_lost_file(state)
        state.make_private_file(state.database_file)
        engine = _sqlite_engine(state)
    else:
        engine = _postgresql_engine(url)
    name = engine.url.render_as_string(hide_password=True)
    try:
        with _told_as_storage_error(name):
            with engine.connect() as connection:
                stage = read_stage(connection, name)
            keys = None if stage is None else KeyRing.open(state)
            if stage != HEAD:
                _migrate(engine, state, name)
        database = Database(engine, keys or KeyRing.open(state), state)
        _check_key(database)
    except BaseException:
        engine.dispose()
        raise
    return database


def _sqlite_engine(state: StateDir) -> Engine:
    path = state.database_file
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        creator=lambda: _connect_sqlite(path),
        poolclass=sa.QueuePool,
    )

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("linekey_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _connect_sqlite(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _postgresql_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() != "postgresql":
        raise InputError(
            "database_url is not one of PostgreSQL",  # it may hold a password
            hint="write postgresql+psycopg://USER@HOST/NAME; without one it is SQLite",
        )
    return sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True
    )


def _migrate(engine: Engine, state: StateDir, name: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    scripts = ScriptDirectory.from_config(config)
    with _one_at_a_time(engine, state) as connection, contextlib.ExitStack() as undo:
        stage = read_stage(connection, name)
        try:
            if stage is not None:
                scripts.get_revision(stage)
        except CommandError:
            raise StorageError(
                f"{name} was made by a newer linekey (schema {stage!r})",
                hint="install the newer linekey again",
            ) from None
        config.attributes["connection"] = connection
        if stage is None:
            path = state.database_file if engine.dialect.name == "sqlite" else None
            refuse_lost_tables(state, name, path)
        command.upgrade(config, "head")
        if stage is None:
            # Last, right before the commit: a key without its database is refused.
            keys = KeyRing.open(state, new=True)
            if path is not None:
                # PostgreSQL may have committed although it is not there to say so.
                undo.callback(state.key_path(KEY_FILE).unlink)
            sealed = keys.seal(KEY_TEXT, KEY_CHECK)
            connection.execute(sa.insert(meta).values(name="key_check", sealed=sealed))
            connection.commit()
            undo.pop_all()


@contextmanager
def _one_at_a_time(engine: Engine, state: StateDir) -> Iterator[Connection]:
    """Open a transaction that no other process's migration can overlap."""
    with engine.connect() as connection:
        connection = connection.execution_options(linekey_write=True)
        if engine.dialect.name != "sqlite":
            with connection.begin():
                connection.execute(
                    sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK))
                )
                yield connection
            return
        lock_path = state.root / ".linekey.db.lock"
        state.make_private_file(lock_path)
        descriptor = os.open(lock_path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with connection.begin():
                yield connection
        finally:
            os.close(descriptor)


def _check_key(database: Database) -> None:
    with database.read() as connection:
        sealed = connection.execute(
            sa.select(meta.c.sealed).where(meta.c.name == "key_check")
        ).scalar()
        counters = connection.execute(sa.select(revision.c.id)).first()
    if sealed is None or counters is None:
        raise StorageError(
            f"{database.name} has lost rows that it cannot do without",
            hint="restore it from backup",
        )
    try:
        database.keys.use(sealed_with(bytes(sealed)))
        database.keys.unseal(bytes(sealed), KEY_CHECK)
    except StorageError:
        raise StorageError(
            f"keys/{KEY_FILE} is not the key of {database.name}, which uses the key "
            f"{sealed_with(bytes(sealed))} now",
            hint=LACKS_HINT,
        ) from None


def key_in_use(connection: Connection) -> str:
    """Return the id of the key that seals. Raises StorageError if nothing says so."""
    sealed = connection.execute(
        sa.select(meta.c.sealed).where(meta.c.name == "key_check")
    ).scalar()
    if sealed is None:
        raise StorageError(
            "the database has lost the row that names its key",
            hint="restore it from backup",
        )
    return sealed_with(bytes(sealed))


@contextmanager
def _told_as_storage_error(name: str) -> Iterator[None]:
    """Turn the driver's errors into ours, without the statement's values."""
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error) as error:
        raise storage_error(name, error) from None
    except sa.exc.TimeoutError:
        raise StorageError(
            f"{name} has no free connection", hint="look for a transaction that hangs"
        ) from None


def storage_error(name: str, error: Exception) -> StorageError:
    """Say what the driver said, and what to do. Statement and values stay out."""
    said = str(getattr(error, "orig", None) or error).strip()
    first = said.splitlines()[0].lower() if said else type(error).__name__
    if "locked" in first:
        hint = "another process holds the database; find it with fuser"
    elif "full" in first:
        hint = "free some space, or prune the log: linekey log prune --older-than 90d"
    elif "readonly" in first or "unable to open" in first or "disk i/o" in first:
        hint = (
            "check that this user may write the state folder, and that the disk works"
        )
    elif "not a database" in first or "malformed" in first:
        hint = "restore it from backup; sqlite3 FILE .recover saves what can be saved"
    else:
        hint = "check that the database runs and that this user may use it"
    return StorageError(f"{name}: {first}", hint=hint)
