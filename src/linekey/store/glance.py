"""Names that stand in the database, for a shell that completes a word.

Rules: nothing is made, migrated or waited for, and no error is one: where a name cannot
be read at once there is none. PostgreSQL is not asked: a TAB is no reason to log in.
"""

import sqlite3
from pathlib import Path

MOST = 200
"""Names at a time: more nobody reads on a terminal."""
_COLUMNS = {
    "MAC": ("devices", "mac"),
    "GROUP": ("groups", "name"),
    "TOKEN": ("api_tokens", "name"),
}


def names_beginning(root: Path, kind: str, beginning: str) -> list[str]:
    """Return up to MOST names of a kind (MAC, GROUP, TOKEN) in the state folder."""
    table, column = _COLUMNS[kind]
    escaped = "".join(f"\\{c}" if c in "\\%_" else c for c in beginning)
    try:
        place = f"{(root / 'linekey.db').absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(place, uri=True, timeout=0.1)
        try:
            rows = connection.execute(
                f"SELECT {column} FROM {table} WHERE {column} LIKE ? ESCAPE '\\' "  # noqa: S608 - names of our own
                f"ORDER BY {column} LIMIT {MOST}",
                (f"{escaped}%",),
            ).fetchall()
        finally:
            connection.close()
    except (sqlite3.Error, OSError):
        return []
    return [str(row[0]) for row in rows]
