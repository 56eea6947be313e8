"""A database of an earlier schema, made of one of today's, on SQLite and PostgreSQL.

The migrations themselves make the earlier schema, so nothing here changes when another
one is written. Rows go back as far as that schema had their tables and columns.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

import linekey.store
from linekey.store.database import Database

MIGRATIONS = Path(linekey.store.__file__).parent / "migrations"
_ALEMBIC = "alembic_version"

Row = Mapping[str, Any]
Change = Callable[[str, Row], Row | None]


def step_back(
    database: Database, stage: str, change: Change = lambda table, row: row
) -> None:
    """Make ``database`` one of the schema ``stage``, such as ``v0007``, and close it.

    ``change`` gets a table's name and each of its rows; None: the row is left out.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.write() as connection:
        rows = {}
        now = reflected(connection)
        for table in now.sorted_tables:
            if table.name != _ALEMBIC:
                found = connection.execute(sa.select(table)).mappings()
                rows[table.name] = [dict(row) for row in found]
        now.drop_all(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, stage)
        for table in reflected(connection).sorted_tables:
            if table.name == _ALEMBIC:
                continue
            connection.execute(sa.delete(table))  # what a migration put there itself
            there = {column.name for column in table.columns}
            for row in rows.get(table.name, ()):
                if (kept := change(table.name, row)) is not None:
                    values = {name: kept[name] for name in kept if name in there}
                    connection.execute(sa.insert(table).values(values))
            if not database.is_sqlite and "id" in there:
                # Rows that bring their number do not raise the counter.
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "
                    f"(SELECT coalesce(max(id), 1) FROM {table.name}))"
                )
    database.close()


def reflected(connection: sa.Connection) -> sa.MetaData:
    found = sa.MetaData()
    found.reflect(connection)
    return found
