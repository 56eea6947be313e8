"""The index of the log's texts (``log_texts``) is made and filled, and lines that are
alike are counted (``log_alike``).

Rules: no piece holds SQLite's write lock for long, and ``stop`` is asked between two. A
line is put in when none before it is still to come (``settled``).
"""

import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.store import log_alike
from linekey.store.database import Database
from linekey.store.log_texts import (
    COMMAND,
    DEAD,
    JOINT,
    NAME,
    TEXTS,
    TRIGGER,
    has_trigrams,
    is_there,
    reach,
)
from linekey.store.schema import decision_log
from linekey.store.settled import settled

WAITS = 1000
"""Lines that may be beyond the index: they are looked at within a millisecond."""
PIECE = 250
"""Lines that are put into SQLite's in one transaction: some 3 ms of its write lock."""
_REST_S = 0.1  # after each, beside ``write_piece``'s own: some 1,600 lines a second
_PIECE_THERE = 5000  # PostgreSQL's writers do not wait for it
_PIECE_ALONE = 2000
_MERGED_PAGES = 10  # after each piece; so no piece has to wait for a large merge
_NEW_STATISTICS = 50_000  # lines, after which PostgreSQL's planner is told
_LOCK = 0x6C6E7478  # PostgreSQL advisory lock: "lntx"
_COLUMNS = ", ".join(TEXTS)
_INDEX = f"ix_{NAME}_trigrams"

_MAKE = f"""
CREATE VIRTUAL TABLE {NAME} USING fts5({_COLUMNS}, content='decision_log',
content_rowid='id', tokenize='trigram', detail='none')
"""
_OLD = ", ".join(f"old.{name}" for name in TEXTS)
_WATCH = f"""
CREATE TRIGGER {TRIGGER} AFTER DELETE ON decision_log
WHEN old.id <= (SELECT max(id) FROM {NAME}_docsize) BEGIN
INSERT INTO {NAME} ({NAME}, rowid, {_COLUMNS}) VALUES ('delete', old.id, {_OLD}); END
"""  # noqa: S608 - names of our own
_PUT = f"""
INSERT INTO {NAME} (rowid, {_COLUMNS}) SELECT id, {_COLUMNS} FROM decision_log
WHERE id > ? ORDER BY id LIMIT ?
"""  # noqa: S608
_MAKE_THERE = f"CREATE TABLE {NAME} (id bigint PRIMARY KEY, texts text NOT NULL)"
_WATCHER_THERE = f"""
CREATE OR REPLACE FUNCTION {TRIGGER}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
DELETE FROM {NAME} WHERE id IN (SELECT id FROM gone); RETURN NULL; END $$
"""  # noqa: S608
_WATCH_THERE = f"""
CREATE TRIGGER {TRIGGER} AFTER DELETE ON decision_log REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION {TRIGGER}()
"""
_TIDY_THERE = f"SELECT gin_clean_pending_list('{_INDEX}'::regclass)"
_JOINED = f" || '{JOINT}' || ".join(f"lower(coalesce({name}, ''))" for name in TEXTS)
_PUT_THERE = f"""
INSERT INTO {NAME} (id, texts) SELECT id, {_JOINED} FROM decision_log
WHERE id > %s AND id <= %s ORDER BY id LIMIT %s
"""  # noqa: S608


def fill(
    database: Database,
    stop: Callable[[], bool] = lambda: False,
    *,
    alone: bool = False,
) -> int:
    """Make the index where it is not there, and put in what waits; how many lines.

    In pieces, with time for others after each, ``stop`` is asked between two. While
    fewer than ``WAITS`` lines wait nothing is done. One process at a time does it;
    another returns at once. ``alone``: nobody else uses the database, so in larger
    pieces, without a rest. Raises StorageError.
    """
    with database.read() as connection:
        if waiting(connection) < WAITS:
            return 0
    if database.is_sqlite:
        return _fill_sqlite(database, stop, alone)
    return _fill_postgresql(database, stop)


def waiting(connection: Connection) -> int:
    """How many numbers of lines are beyond the index or not counted, those in no use
    counted, too."""
    newest = connection.execute(sa.select(sa.func.max(decision_log.c.id))).scalar()
    last = log_alike.reach(connection)
    if connection.dialect.name != "sqlite" or has_trigrams():
        last = min(last, reach(connection))
    return max(0, (newest or 0) - last)


def _fill_sqlite(database: Database, stop: Callable[[], bool], alone: bool) -> int:
    filled = 0
    most = _PIECE_ALONE if alone else PIECE
    begin = database.write if alone else database.write_piece
    while not stop():
        with begin() as connection:
            put = _put_texts(connection, most) if has_trigrams() else 0
            log_alike.make(connection)
            put = max(put, log_alike.put(connection, settled(connection), most))
        filled += put
        if put < most:
            break
        if not alone:
            time.sleep(_REST_S)
    return filled


def _put_texts(connection: Connection, most: int) -> int:
    if not is_there(connection):
        _make_sqlite(connection)
    put = connection.exec_driver_sql(_PUT, (reach(connection), most)).rowcount
    if put:
        connection.exec_driver_sql(COMMAND, ("merge", _MERGED_PAGES))
    return put


def _make_sqlite(connection: Connection) -> None:
    for name in (NAME, DEAD):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    connection.exec_driver_sql(_MAKE)
    connection.exec_driver_sql(COMMAND, ("automerge", 0))
    connection.exec_driver_sql(_WATCH)


def _fill_postgresql(database: Database, stop: Callable[[], bool]) -> int:
    with database.read() as connection:
        last = settled(connection)
    with database.write() as connection:
        if not _is_mine(connection):
            return 0
        # A trigger waits for whoever writes lines, and those who come then for it.
        connection.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
        has_index = _make_postgresql(connection)
        log_alike.make(connection)
    filled = new_texts = 0
    while not stop():
        with database.write() as connection:
            if not _is_mine(connection):
                break
            asked = (reach(connection), last, _PIECE_THERE)
            put = connection.exec_driver_sql(_PUT_THERE, asked).rowcount
            if put and has_index:
                # Else it waits in a list that each search goes through.
                connection.exec_driver_sql(_TIDY_THERE)
            new_texts += put
            # Last: who deletes lines waits for it.
            put = max(put, log_alike.put(connection, last, _PIECE_THERE))
            filled += put
            if put < _PIECE_THERE:
                if new_texts >= _NEW_STATISTICS:
                    connection.exec_driver_sql(f"ANALYZE {NAME}")
                break
    return filled


def _is_mine(connection: Connection) -> bool:
    """Whether no other process is at it, until the transaction's end."""
    mine = sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))
    return bool(connection.execute(mine).scalar_one())


def _make_postgresql(connection: Connection) -> bool:
    """Make the table, if it is not there; whether it has its index."""
    if is_there(connection):
        index = sa.select(sa.func.to_regclass(_INDEX))
        return connection.execute(index).scalar_one() is not None
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {NAME}")
    connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {TRIGGER} ON decision_log")
    for statement in (_MAKE_THERE, _WATCHER_THERE, _WATCH_THERE):
        connection.exec_driver_sql(statement)
    try:
        with connection.begin_nested():
            # By whoever may make something in the database, since PostgreSQL 13.
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            connection.exec_driver_sql(
                f"CREATE INDEX {_INDEX} ON {NAME} USING gin (texts gin_trgm_ops)"
            )
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        return False
    return True
