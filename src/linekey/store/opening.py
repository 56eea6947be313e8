"""From a state folder to its database, as its settings say.

Commands that only look into the database need two things of the settings: none at all
with SQLite, ``database_url`` otherwise. So the settings are read only where there is a
file or a variable that may hold one.
"""

import os
from pathlib import Path

from linekey.errors import StorageError
from linekey.store.database import Database, open_database
from linekey.store.paths import StateDir

_VARIABLE = "LINEKEY_DATABASE_URL"


def open_store(path: Path | str | None = None, *, create: bool = True) -> Database:
    """Open the database of the state folder at ``path`` (None: the default one).

    ``create`` False refuses, with a cure, a folder that is not there. Raises
    StorageError, and InputError for settings that cannot be right.
    """
    state = StateDir.open(path, create=create)
    return open_database(state, database_url(state))


def database_url(state: StateDir) -> str | None:
    """Return the URL of the database that the settings name, or None for SQLite.

    It may hold a password. Raises InputError for settings that cannot be right.
    """
    text = ""
    if state.settings_file.exists():
        try:
            text = state.settings_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StorageError(
                f"cannot read {str(state.settings_file)!r}: {error}",
                hint="make it readable for this user, and save it as UTF-8",
            ) from error
    elif _VARIABLE not in os.environ:
        return None
    from linekey.settings import parse_settings  # its import costs 0.2 s

    url = parse_settings(text, os.environ, file=str(state.settings_file)).database_url
    return None if url is None else url.get_secret_value()
