"""Rows that are written many at once, on SQLite; PostgreSQL's are in tests/live."""

import sqlalchemy as sa

from linekey.store.database import Database
from linekey.store.many_rows import insert_rows, update_rows
from linekey.store.schema import secret_names

NAMES = ("name", "marked_at")


def rows(database: Database) -> list[tuple[str, int]]:
    with database.read() as connection:
        return [tuple(r) for r in connection.execute(sa.select(secret_names))]


def test_rows_are_inserted_and_updated_in_one_transaction(database: Database) -> None:
    odd = "a'b\"c\\d%s?\t\n"
    with database.write() as connection:
        insert_rows(connection, secret_names, NAMES, [(odd, 1), ("plain", 2)])
        update_rows(connection, secret_names.c.name, ["marked_at"], [(9, odd)])
    assert sorted(rows(database)) == sorted([(odd, 9), ("plain", 2)])


def test_no_rows_are_no_statement(database: Database) -> None:
    with database.write() as connection:
        insert_rows(connection, secret_names, NAMES, [])
        update_rows(connection, secret_names.c.name, ["marked_at"], [])
    assert rows(database) == []
