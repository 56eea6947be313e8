"""Many rows into a table at once, each database by its own shortest way.

SQLAlchemy's own way takes each row apart and together again in Python, which costs more
than either database's work. Here a row is a sequence of the values that the driver
takes: texts, whole numbers, bytes, None.

Rule: names are of our own tables and columns; every value is bound, or copied by the
driver.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

Rows = Sequence[Sequence[Any]]


def insert_rows(
    connection: Connection, table: sa.Table, names: Sequence[str], rows: Rows
) -> None:
    """Insert rows of these columns in the transaction of ``connection``."""
    if not rows:
        return
    columns = _quoted(names)
    if connection.dialect.name == "sqlite":
        marks = ",".join("?" * len(names))
        statement = f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"  # noqa: S608
        connection.exec_driver_sql(statement, [tuple(row) for row in rows])
        return
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def update_rows(
    connection: Connection, key: sa.Column[Any], names: Sequence[str], rows: Rows
) -> None:
    """Update rows: each has the values of these columns, and last that of ``key``."""
    if not rows:
        return
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    given = ",".join(f'"{name}"={mark}' for name in names)
    statement = f'UPDATE {key.table.name} SET {given} WHERE "{key.name}"={mark}'  # noqa: S608
    connection.exec_driver_sql(statement, [tuple(row) for row in rows])


def _quoted(names: Sequence[str]) -> str:
    return ",".join(f'"{name}"' for name in names)
