"""The index of the log's texts forgets lines that were deleted: its parts are merged.

FTS5 notes of a deleted line that it is deleted; both leave SQLite's file when all parts
of the index that have them are merged. ``log_filling`` merges a little for each piece,
which seldom reaches the oldest and largest part, so without this the index would take
more with each line that goes, and keep what is to be forgotten. Here it is counted how
many went (``log_texts_dead``), and when they are a quarter of what is left, all parts
are merged into one.

Rules: no piece holds the write lock for long, and ``stop`` is asked between two. What
is stopped begins again the next time. (docs/decisions/0038)
"""

from collections.abc import Callable

from sqlalchemy.engine import Connection

from linekey.store.database import Database
from linekey.store.log_texts import COMMAND, DEAD, NAME, has_trigrams, is_there

SHARE = 4
"""Of the lines in the index: one in so many may be dead."""
LEAST = 1000
"""Dead lines for which it is not done."""
PAGES = 20
"""That are written in one transaction: some 8 ms of SQLite's write lock."""

_LINES = f"""
SELECT coalesce((SELECT max(id) FROM {NAME}_docsize)
- (SELECT min(id) FROM {NAME}_docsize) + 1, 0)
"""  # noqa: S608 - names of our own


def forget_texts(
    database: Database, deleted: int, stop: Callable[[], bool] = lambda: False
) -> bool:
    """Count lines that were deleted; merge the index's parts if it is time.

    Whether all of them were merged. Raises StorageError.
    """
    if not (deleted and database.is_sqlite and has_trigrams()):
        return False
    with database.write() as connection:
        if not is_there(connection):
            return False
        dead = _count(connection, deleted)
        lines = int(connection.exec_driver_sql(_LINES).scalar_one())
    if dead < LEAST or dead * SHARE < lines:
        return False
    pages = -PAGES  # puts all parts together first; then what was begun goes on
    while not stop():
        with database.write_piece() as connection:
            if not is_there(connection):
                return False
            if not _merged(connection, pages):
                _count(connection, -dead)
                return True
        pages = PAGES
    return False


def _count(connection: Connection, more: int) -> int:
    """Add to the dead lines, and return how many they are."""
    connection.exec_driver_sql(
        f"CREATE TABLE IF NOT EXISTS {DEAD} (lines INTEGER NOT NULL)"
    )
    asked = f"UPDATE {DEAD} SET lines = max(0, lines + ?)"  # noqa: S608
    if not connection.exec_driver_sql(asked, (more,)).rowcount:
        asked = f"INSERT INTO {DEAD} (lines) VALUES (max(0, ?))"  # noqa: S608
        connection.exec_driver_sql(asked, (more,))
    asked = f"SELECT lines FROM {DEAD}"  # noqa: S608
    return int(connection.exec_driver_sql(asked).scalar_one())


def _merged(connection: Connection, pages: int) -> bool:
    """Merge so many pages; whether there was something to merge.

    By FTS5's own rule: else fewer than two rows of its tables change.
    """
    count = "SELECT total_changes()"
    before = connection.exec_driver_sql(count).scalar_one()
    connection.exec_driver_sql(COMMAND, ("merge", pages))
    return bool(connection.exec_driver_sql(count).scalar_one() - before >= 2)
