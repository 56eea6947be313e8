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
import copy
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.url import make_url

from linekey.catalog.secrecy import mask_url
from linekey.errors import Cause, InputError, StorageError
from linekey.store import log_texts
from linekey.store.beside import newer_schema, tell_older
from linekey.store.changes import Actor, hide_secrets
from linekey.store.deadline import within
from linekey.store.marks import seal_rows
from linekey.store.paths import StateDir
from linekey.store.schema import HEAD, meta, revision
from linekey.store.secrets import KEY_FILE, LACKS_HINT, KeyRing, sealed_with
from linekey.store.stage import read_stage, refuse_lost_file, refuse_lost_tables
from linekey.store.trouble import told_as_storage_error

BUSY_S = 30.0
"""Seconds a writer waits for another's transaction. SQLite's own default is 0."""
_OPEN_WAIT_S = 2.0
"""Seconds that opening waits at least, even for a connection that waits for nobody."""

_POOL_S = 2.0  # for a free connection of the pool's fifteen
WAL_BYTES = 8_388_608
"""What is left of SQLite's write-ahead log after a checkpoint; it starts one at 1,000
pages, some 4 MB, by default."""

_LEAST_REST_S, _MOST_REST_S = 0.05, 1.0
_MIGRATION_LOCK = 0x6C696E65  # PostgreSQL advisory lock: "line"
KEY_CHECK = "key check"
"""The place of the row that says which key is in use."""
KEY_TEXT = b"linekey"
"""What is sealed there, and for a prepared key."""
_MARKED = "secret_marks"
"""The row that says by which rules older rows have been looked through for secrets."""
SECRETS_KNOWN = 2
"""Number of the rules by which a name is a secret, raised whenever they come to know
more (``tests/unit/store/test_marks.py`` sees to it): what an older linekey stored plain
under such a name is sealed when a newer one opens the database. 1: without a number."""
_FORGET_WAIT_MS = 2000
"""Milliseconds to wait for readers; a server's look takes well under one."""


class Database:
    """An open database with its key ring. Close it, or use it in a ``with``.

    Safe to use from several threads; each transaction has a connection of its own.
    """

    def __init__(self, engine: Engine, keys: KeyRing, state: StateDir) -> None:
        self.engine = engine
        self.keys = keys
        self.state = state
        self.name = shown(engine.url)
        """What it is, for people; without its password."""
        self.actor = Actor.here()
        """Who stands on record for what is changed through this."""
        self.within: frozenset[str] | None = None
        """Groups beyond which nothing is seen or changed through this; None: all of it.
        What is beyond is as if it were not there."""
        self.newer_schema = ""
        """Its schema, if a newer linekey made that and this one may go on beside it."""
        self._path = str(state.database_file)
        self._file = _identity(self._path) if self.is_sqlite else None

    def __repr__(self) -> str:
        return f"<Database {self.name}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is the SQLite file in the state folder."""
        return self.engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Close all connections that are not in use."""
        self.engine.dispose()

    def acting(self, actor: Actor, within: frozenset[str] | None = None) -> Self:
        """Return the same database for somebody else, whose changes these are and who
        may be limited to groups; not to be closed."""
        other = copy.copy(self)
        other.actor, other.within = actor, within
        return other

    def reaches(self, group: str | None) -> bool:
        """Whether what belongs to a group, or to none, is seen through this."""
        return self.within is None or group in self.within

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Read in one consistent view. Raises StorageError if it cannot be read."""
        self.check_file()
        with told_as_storage_error(self.name), self.engine.begin() as connection:
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
        self.check_file()
        with told_as_storage_error(self.name), self.engine.connect() as connection:
            connection = connection.execution_options(linekey_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def write_piece(self) -> Iterator[Connection]:
        """``write`` for one of many pieces: afterwards others have their turn.

        SQLite has no queue for its one write lock: who waits looks again after up to
        100 ms (``sqliteDefaultBusyCallback``), and finds it taken by the next piece. So
        it is left free for as long as it was held. It waits, so it is for threads.
        """
        with self.write() as connection:
            began = time.monotonic()
            yield connection
        if self.is_sqlite:
            held = time.monotonic() - began
            time.sleep(min(max(held, _LEAST_REST_S), _MOST_REST_S))

    def forget_deleted(self, *, rewrite: bool = False) -> None:
        """Take bytes of what was deleted or sealed out of SQLite's files.

        The file itself forgets at once (``secure_delete``); here goes its write-ahead
        log, and with ``rewrite`` what an older linekey left in the file. PostgreSQL
        does both by itself (autovacuum, recycled segments). Raises StorageError.
        """
        if not self.is_sqlite:
            return
        with (
            contextlib.closing(self.raw_connection()) as raw,
            told_as_storage_error(self.name),
        ):
            if rewrite:
                raw.execute("VACUUM")
            raw.execute(f"PRAGMA busy_timeout={_FORGET_WAIT_MS}")
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def raw_connection(self, busy_s: float = BUSY_S) -> Any:
        """Return a connection of the driver's own, for the hot paths; close it.

        SQLite's autocommits, and waits ``busy_s`` for another's lock once it is open.
        It may be handed to one other thread.
        """
        with told_as_storage_error(self.name):
            if self.is_sqlite:
                return _connect_sqlite(self.state.database_file, busy_s)
            return self.engine.raw_connection()

    def check_file(self) -> None:
        """See that SQLite's file is still the one that was opened.

        What is deleted or replaced can be read and written on by whoever has it open,
        and nobody would ever find those decisions. Raises StorageError.
        """
        if self._file is not None and self._file != _identity(self._path):
            raise StorageError(
                f"{self.name} was deleted or replaced while it was in use",
                hint="put the file back, or restart linekey to use the one that is"
                " there now",
                cause=Cause.GONE,
            )


def shown(url: sa.URL) -> str:
    """Return the URL for people. libpq takes a password in the query, too."""
    return mask_url(url.render_as_string(hide_password=True))


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
        engine = _sqlite_engine(state.database_file)
    else:
        engine = postgresql_engine(url)
    name = shown(engine.url)
    try:
        with told_as_storage_error(name):
            with engine.connect() as connection:
                stage = read_stage(connection, name)
                newer = newer_schema(connection, stage)
            keys = None if stage is None else KeyRing.open(state)
            if stage != HEAD and not newer:
                with within(inf):
                    newer = _migrate(engine, state, name)
        database = Database(engine, keys or KeyRing.open(state), state)
        database.newer_schema = newer
        check_key(database)
        with told_as_storage_error(name):
            log_texts.let_go(engine)
        with within(inf):
            _seal_old_rows(database)
    except BaseException:
        engine.dispose()
        raise
    return database


def _identity(path: str) -> tuple[int, int]:
    """What tells a file from another of the same name; (0, 0): there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _sqlite_engine(path: Path) -> Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        creator=lambda: _connect_sqlite(path, BUSY_S),
        poolclass=sa.QueuePool,
    )

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("linekey_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _connect_sqlite(path: Path, busy_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",  # never made by opening it
        uri=True,
        timeout=max(busy_s, _OPEN_WAIT_S),
        isolation_level=None,
        check_same_thread=False,
    )
    # Before the first table: afterwards it has no effect. Deleted lines' pages can
    # then be given back to the disk (``retention.give_back``).
    # Only then: it takes the write lock, and would wait for whoever has it.
    if not connection.execute("PRAGMA page_count").fetchone()[0]:
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
    connection.execute("PRAGMA synchronous=FULL")
    # What is deleted or sealed leaves no readable bytes behind in the file.
    connection.execute("PRAGMA secure_delete=ON")
    # Until here it waited: a process that closes the last connection, or mends the log
    # after a kill, has the whole file for a moment.
    connection.execute(f"PRAGMA busy_timeout={round(busy_s * 1000)}")
    return connection


def postgresql_engine(url: str) -> Engine:
    """Return an engine whose waits end; it connects when it is asked.

    Raises InputError for a URL that is not one of PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except sa.exc.ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() != "postgresql":
        raise InputError(
            "database_url is not one of PostgreSQL",  # it may hold a password
            hint="write postgresql+psycopg://USER@HOST/NAME; without one it is SQLite",
        )
    from linekey.store import postgres  # its import costs 0.1 s

    engine = sa.create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_timeout=_POOL_S,
    )

    @sa.event.listens_for(engine, "do_connect")
    def _connect(_: Any, __: Any, arguments: Any, parameters: Any) -> Any:
        return postgres.connect(*arguments, **parameters)

    return engine


def _migrate(engine: Engine, state: StateDir, name: str) -> str:
    """Bring it up to date; return what ``newer_schema`` says, since a newer linekey may
    have been quicker."""
    with one_at_a_time(engine, state) as connection, contextlib.ExitStack() as undo:
        stage = read_stage(connection, name)
        if newer := newer_schema(connection, stage):
            return newer
        if stage is None:
            path = state.database_file if engine.dialect.name == "sqlite" else None
            refuse_lost_tables(state, name, path)
        upgrade(connection, stage, name)
        if stage is None:
            # Last, right before the commit: a key without its database is refused.
            keys = KeyRing.open(state, new=True)
            if path is not None:
                # PostgreSQL may have committed although it is not there to say so.
                undo.callback(state.key_path(KEY_FILE).unlink)
            sealed = keys.seal(KEY_TEXT, KEY_CHECK)
            connection.execute(sa.insert(meta).values(name="key_check", sealed=sealed))
            known = b"%d" % SECRETS_KNOWN
            connection.execute(sa.insert(meta).values(name=_MARKED, sealed=known))
            connection.commit()
            undo.pop_all()
    return ""


def upgrade(connection: Connection, stage: str | None, name: str) -> None:
    """Bring the tables from a stage (None: there are none) to the newest.

    The caller holds the lock and the transaction. Raises StorageError for a stage of a
    newer linekey.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    scripts = ScriptDirectory.from_config(config)
    try:
        if stage is not None:
            scripts.get_revision(stage)
    except CommandError:
        raise too_new(name, stage) from None
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    tell_older(connection, scripts)


def too_new(name: str, stage: str | None) -> StorageError:
    """Return what is said of a database that a newer linekey made."""
    return StorageError(
        f"{name} was made by a newer linekey (schema {stage!r}; this one knows up to "
        f"{HEAD!r})",
        hint="install the newer linekey again, or restore the backup that was taken "
        "before it (docs/howto/roll-back.md)",
    )


@contextmanager
def one_at_a_time(engine: Engine, state: StateDir) -> Iterator[Connection]:
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
        with files_locked(state), connection.begin():
            yield connection


@contextmanager
def files_locked(state: StateDir) -> Iterator[None]:
    """Wait for the lock of whoever makes or replaces linekey.db, and hold it."""
    lock_path = state.root / ".linekey.db.lock"
    state.make_private_file(lock_path)
    descriptor = os.open(lock_path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def check_key(database: Database) -> None:
    """See that the key file has the key that is in use. Raises StorageError."""
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


def _seal_old_rows(database: Database) -> None:
    """Once for each number of the rules: seal what an older linekey left plain.

    Older ones knew fewer names, and the first ones forgot what the operator had marked.
    """
    with database.read() as connection:
        if _secrets_known(connection) >= SECRETS_KNOWN:
            return
    count = 0
    with database.change("layers") as connection:
        there = _secrets_known(connection)
        if there < SECRETS_KNOWN:  # no process was quicker
            count = seal_rows(connection, database.keys, ())
            hide_secrets(connection)
            known = {"sealed": b"%d" % SECRETS_KNOWN}
            row = sa.update(meta).where(meta.c.name == _MARKED)
            new = sa.insert(meta).values(name=_MARKED)
            connection.execute((row if there else new).values(known))
    if count:
        database.forget_deleted(rewrite=True)


def _secrets_known(connection: Connection) -> int:
    """The number of the rules that the rows were sealed by; 0: by none."""
    row = sa.select(meta.c.sealed).where(meta.c.name == _MARKED)
    said = connection.execute(row).scalar()
    if said is None:
        return 0
    text = bytes(said)
    return int(text) if text.isdigit() else 1
