"""What is found where a database should be: nothing, linekey's, or something else.

A database and its key (``keys/database.key``) are made together and live together. One
of them alone means that the other was lost, and a server that then began anew would
refuse every phone and seal secrets with a key that no backup knows. So it is said, and
nothing is made.

Rule: nothing here makes or changes anything. Each refusal says how to get the lost part
back, and how to begin anew on purpose.
"""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import StorageError
from linekey.store.paths import StateDir
from linekey.store.schema import meta, metadata, revision
from linekey.store.secrets import KEY_FILE

_VERSION_TABLE = "alembic_version"


def read_stage(connection: Connection, name: str) -> str | None:
    """Return which migration a database is at; None: it holds nothing of linekey's.

    Raises StorageError for tables that linekey did not make, or that lost some. Asked
    without Alembic, whose import would cost every command 0.2 s.
    """
    there = set(sa.inspect(connection).get_table_names())
    if _VERSION_TABLE not in there:
        if taken := sorted(there & set(metadata.tables)):
            raise StorageError(
                f"{name} has a table {taken[0]!r} that is not linekey's",
                hint="give linekey a database of its own, or restore it from backup",
            )
        return None
    rows = connection.exec_driver_sql(f"SELECT version_num FROM {_VERSION_TABLE}").all()  # noqa: S608
    if len(rows) != 1 or not {meta.name, revision.name} <= there:
        raise StorageError(
            f"{name} is another program's, or has lost some of linekey's tables",
            hint="give linekey a database of its own, or restore it from backup",
        )
    return str(rows[0][0])


def refuse_lost_file(state: StateDir) -> None:
    """Refuse what is no file, and a file that is gone although its key is there.

    Raises StorageError. First the key is looked for, then the file: whoever makes both
    at this moment makes the key last.
    """
    path = state.database_file
    has_key = state.key_path(KEY_FILE).exists()
    try:
        there = path.stat()
    except OSError:
        there = None
    if there is not None and not path.is_file():
        raise StorageError(
            f"{str(path)!r} is no file, so it is no database",
            hint="move it away, and restore linekey.db from backup if there was one",
        )
    if has_key and (there is None or there.st_size == 0):
        what = "gone" if there is None else "empty"
        raise _without_database(f"the database {str(path)!r} is {what}", state, path)


def refuse_lost_tables(state: StateDir, name: str, path: Path | None) -> None:
    """Refuse an empty database whose key is there; ``path`` is that of SQLite.

    To be asked under the lock under which databases are made. Raises StorageError.
    """
    if state.key_path(KEY_FILE).exists():
        raise _without_database(f"the database {name} is empty", state, path)


def _without_database(what: str, state: StateDir, path: Path | None) -> StorageError:
    key = state.key_path(KEY_FILE)
    if path is None:
        restore = "restore it from backup, or set database_url to the one in use"
    else:
        left = [
            f"{path.name}{end}"
            for end in ("-wal", "-shm")
            if path.with_name(f"{path.name}{end}").exists()
        ]
        # SQLite would write what is in them into the restored file.
        first = f"delete {' and '.join(left)}, then " if left else ""
        restore = (
            f"{first}restore {path.name} from backup, or set database_url if the"
            " database is in PostgreSQL"
        )
    return StorageError(
        f"{what}, but its key {key} is there",
        hint=f"{restore}; to begin anew without its phones and secrets, move {key}"
        " away first and keep it: backups need it",
    )
