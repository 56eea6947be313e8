"""What is kept how long: the server deletes what is older, in pieces.

``docs/explanation/what-is-kept.md`` says it to operators.

Rule: no piece holds the write lock for long, and ``stop`` is asked between two.
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from linekey.store.database import Database
from linekey.store.decisions import PIECE, delete_in_pieces, prune_log
from linekey.store.log_merging import forget_texts
from linekey.store.schema import (
    changes,
    decision_log,
    devices,
    pending,
    refusal_lines,
    to_us,
)
from linekey.store.strangers import DAY_US, MINUTE_US
from linekey.store.trouble import storage_error

_REST_S = 0.11  # others' turn: who waits for SQLite's lock looks every 100 ms
_MOST_PENDING = 1_000_000  # more than there can be; SQLite wants a limit
SPARE_PAGES = 256
"""Free pages that a SQLite file keeps for what comes next: 1 MiB."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long; 0 days: for ever. ``stranger_lines`` is a number of counted lines."""

    keep_days: int
    stranger_days: int
    stranger_lines: int
    change_days: int = 0
    pending: int | None = None
    """Pending phones that are kept; None: all of them."""
    pending_days: int = 0


def keep_within(
    database: Database,
    rules: Retention,
    now: datetime,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Delete what the rules keep no longer; return how many lines.

    Raises StorageError.
    """
    deleted = 0
    if rules.stranger_days:
        before = now - timedelta(days=rules.stranger_days)
        deleted += delete_counted(database, before, stop)
    deleted += trim_counted(database, rules.stranger_lines, stop)
    if rules.keep_days and not stop():
        deleted += prune_log(database, now - timedelta(days=rules.keep_days), stop)
    if rules.change_days:
        before = now - timedelta(days=rules.change_days)
        with database.write() as connection:
            connection.execute(sa.delete(changes).where(changes.c.at < to_us(before)))
    with database.write() as connection:
        _forget_pending(connection, rules, now)
    with database.write() as connection:
        today = to_us(now) // DAY_US
        # A day's length back, since servers' clocks may differ.
        connection.execute(
            sa.delete(refusal_lines).where(refusal_lines.c.day < today - 1)
        )
    if deleted:
        let_go(database, deleted, stop)
    return deleted


def _forget_pending(connection: sa.Connection, rules: Retention, now: datetime) -> None:
    """Delete pending phones that did not come for long, that are too many, or that
    were registered while their line was being written."""
    gone: list[sa.ColumnElement[bool]] = [pending.c.mac.in_(sa.select(devices.c.mac))]
    if rules.pending_days:
        before = now - timedelta(days=rules.pending_days)
        gone.append(pending.c.last_at < to_us(before))
    connection.execute(sa.delete(pending).where(sa.or_(*gone)))
    if rules.pending is not None:
        newest = sa.select(pending.c.mac).where(pending.c.state == "open")
        newest = newest.order_by(pending.c.last_at.desc(), pending.c.mac)
        beyond_them = newest.offset(rules.pending).limit(_MOST_PENDING)
        connection.execute(sa.delete(pending).where(pending.c.mac.in_(beyond_them)))


def delete_counted(
    database: Database, before: datetime, stop: Callable[[], bool] = lambda: False
) -> int:
    """Delete counted lines of minutes before ``before``."""
    old = (
        sa.select(decision_log.c.id)
        .where(decision_log.c.network.is_not(None))
        .where(decision_log.c.minute < to_us(before) // MINUTE_US)
        .limit(PIECE)
    )
    return delete_in_pieces(database, old, stop)


def trim_counted(
    database: Database, most: int, stop: Callable[[], bool] = lambda: False
) -> int:
    """Delete the oldest counted lines, but for ``most`` of them."""
    return delete_in_pieces(database, beyond(most, PIECE), stop)


def beyond(most: int, piece: int) -> sa.Select[tuple[int]]:
    """Select up to ``piece`` counted lines that are older than the newest ``most``."""
    return (
        sa.select(decision_log.c.id)
        .where(decision_log.c.network.is_not(None))
        .order_by(decision_log.c.minute.desc(), decision_log.c.id.desc())
        .limit(piece)
        .offset(most)
    )


def let_go(
    database: Database, deleted: int, stop: Callable[[], bool] = lambda: False
) -> int:
    """Give back what lines that were deleted had; return how many bytes.

    First what is free, since the disk may be full, then what the index of texts had.
    """
    freed = give_back(database, stop)
    if forget_texts(database, deleted, stop):
        freed += give_back(database, stop)
    return freed


def give_back(database: Database, stop: Callable[[], bool] = lambda: False) -> int:
    """Give a SQLite file's free pages back to the disk; return how many bytes.

    A file made before linekey asked for that keeps its size and uses its free pages
    again; so does PostgreSQL, which has a vacuum of its own.
    """
    if not database.is_sqlite:
        return 0
    connection = database.raw_connection()
    try:
        page = _number(connection, "page_size")
        before = _number(connection, "page_count")
        incremental = _number(connection, "auto_vacuum") == 2
        while incremental and not stop():
            if _number(connection, "freelist_count") <= SPARE_PAGES:
                break
            # As a script: ``execute`` takes one step of it, which is one page.
            connection.executescript(f"PRAGMA incremental_vacuum({PIECE})")
            time.sleep(_REST_S)
        # Passive: any other kind makes writers wait for readers.
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return (before - _number(connection, "page_count")) * page
    except sqlite3.Error as error:
        raise storage_error(database.name, error) from None
    finally:
        connection.close()


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
