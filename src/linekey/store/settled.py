"""How far the log is whole: up to which line none is still to come.

Rule: the wait for writers ends.
"""

import time

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import Cause, StorageError
from linekey.store.schema import decision_log

_WITHIN_S, _LOOK_EVERY_S = 2.0, 0.01


def settled(connection: Connection) -> int:
    """Return the newest line's number; none smaller is still to come.

    SQLite has one writer at a time. PostgreSQL's writers take a number each and commit
    in any order: so the writers under way when the newest line was seen are waited for.
    Each holds a lock on the table before it has a number, and to its end. Raises
    StorageError if one takes long: better nothing yet than a line that is lost.
    """
    newest = sa.select(sa.func.coalesce(sa.func.max(decision_log.c.id), 0))
    last = int(connection.execute(newest).scalar_one())
    if connection.dialect.name == "sqlite":
        return last
    writers = set(connection.execute(_WRITERS).scalars())
    end = time.monotonic() + _WITHIN_S
    while writers:
        if time.monotonic() > end:
            raise StorageError(
                f"somebody has been writing decisions for {_WITHIN_S:g} s",
                hint="ask again; if it stays so, look at the database's locks",
                cause=Cause.SLOW,
            )
        time.sleep(_LOOK_EVERY_S)
        writers &= set(connection.execute(_WRITERS).scalars())
    return last


_WRITERS = sa.text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND relation = 'decision_log'::regclass AND mode = 'RowExclusiveLock'"
)
