"""What a database's driver says, as linekey's one error: which trouble, and its cure.

Rule: a statement and its values stay out, since a value may be a secret.
"""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from linekey.errors import Cause, StorageError

_SQLITE = {
    "SQLITE_BUSY": Cause.BUSY,
    "SQLITE_LOCKED": Cause.BUSY,
    "SQLITE_FULL": Cause.FULL,
    "SQLITE_READONLY": Cause.READ_ONLY,
    "SQLITE_CANTOPEN": Cause.DISK,
    "SQLITE_IOERR": Cause.DISK,
    "SQLITE_CORRUPT": Cause.DAMAGED,
    "SQLITE_NOTADB": Cause.DAMAGED,
}
"""Beginning of SQLite's name of the error (sqlite.org/rescode.html) → the trouble."""

_SQLSTATE = {
    "08": Cause.UNREACHABLE,  # connection exception
    "28": Cause.UNREACHABLE,  # invalid authorization
    "3D": Cause.UNREACHABLE,  # there is no such database
    "53100": Cause.FULL,
    "53": Cause.UNREACHABLE,  # too many connections, no memory
    "57P": Cause.UNREACHABLE,  # shutting down, starting up
    "57014": Cause.SLOW,  # statement_timeout
    "55P03": Cause.BUSY,  # lock_timeout
    "25006": Cause.READ_ONLY,  # a standby
    "58": Cause.DISK,
    "42P01": Cause.DAMAGED,  # there is no such table
    "42703": Cause.DAMAGED,
    "XX001": Cause.DAMAGED,
    "XX002": Cause.DAMAGED,
}
"""Beginning of PostgreSQL's SQLSTATE (its manual, appendix A) → the trouble."""

_HINTS = {
    Cause.BUSY: "another process holds the database; find it with fuser, or in"
    " pg_stat_activity",
    Cause.SLOW: "look at the load of the database and at the network before it",
    Cause.FULL: "free some space, or prune the log: linekey log prune --older-than 90d",
    Cause.READ_ONLY: "check that this user may write the state folder, and that"
    " PostgreSQL is no standby",
    Cause.DISK: "check that this user may write the state folder, and that the disk"
    " works",
    Cause.DAMAGED: "restore it from backup; sqlite3 FILE .recover saves what can be"
    " saved",
}
_HINT = "check that the database runs and that this user may use it"


@contextmanager
def told_as_storage_error(name: str) -> Iterator[None]:
    """Turn the driver's errors into ours; ``name`` is the database's."""
    try:
        yield
    except _driver_errors() as error:
        raise storage_error(name, error) from None
    except sa.exc.TimeoutError:
        raise StorageError(
            f"{name} has no free connection",
            hint="look for a transaction that hangs",
            cause=Cause.SLOW,
        ) from None


def _driver_errors() -> tuple[type[Exception], ...]:
    found: tuple[type[Exception], ...] = (sa.exc.DBAPIError, sqlite3.Error)
    if "psycopg" in sys.modules:  # else nobody can have raised its errors
        import psycopg

        found += (psycopg.Error,)
    return found


def storage_error(name: str, error: Exception) -> StorageError:
    """Say what the driver said, and what to do. Statement and values stay out."""
    original = getattr(error, "orig", None) or error
    said = str(original).strip()
    first = said.splitlines()[0].lower() if said else type(original).__name__.lower()
    cause = _cause(original)
    return StorageError(f"{name}: {first}", hint=_HINTS.get(cause, _HINT), cause=cause)


def _cause(error: BaseException) -> Cause:
    if isinstance(error, sqlite3.Error):
        return _longest(_SQLITE, getattr(error, "sqlite_errorname", "")) or Cause.OTHER
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return _longest(_SQLSTATE, state) or Cause.OTHER
    # psycopg has no state to tell where there is no server to tell it.
    kind = type(error).__name__
    if kind in ("ConnectionTimeout", "TooSlow"):
        return Cause.SLOW
    return Cause.UNREACHABLE if kind == "OperationalError" else Cause.OTHER


def _longest(causes: dict[str, Cause], name: str) -> Cause | None:
    fitting = (key for key in causes if name.startswith(key))
    return causes.get(max(fitting, key=len, default=""))
