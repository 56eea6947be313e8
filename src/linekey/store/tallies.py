"""Tables of counted wrong passwords: a row replaced, and those forgotten taken out.

Such a table has the columns ``scope``, its key, ``wrong``, ``at`` and ``forgotten_at``.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from linekey.provisioning.brake import Rule, Tally
from linekey.store.schema import to_us


def keep(
    connection: Connection,
    table: sa.Table,
    scope: str,
    tally: Tally,
    rule: Rule,
    **more: str | None,
) -> None:
    """Put the count of a scope in, with ``more`` columns; it has counted something."""
    gone = tally.forgotten_at(rule)
    assert tally.at is not None
    assert gone is not None
    row = {
        "scope": scope,
        **more,
        "wrong": tally.wrong,
        "at": to_us(tally.at),
        "forgotten_at": to_us(gone),
    }
    put(connection, table, table.c.scope, row)


def put(
    connection: Connection, table: sa.Table, key: sa.Column[Any], row: dict[str, Any]
) -> None:
    """Put a row in, or in the place of the one with the same ``key``."""
    kind = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = kind.insert(table).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=row))


def prune(connection: Connection, table: sa.Table, now: datetime, most: int) -> None:
    """Delete what is forgotten by now, and what is forgotten first beyond ``most``.

    Those have the fewest wrong ones.
    """
    connection.execute(sa.delete(table).where(table.c.forgotten_at < to_us(now)))
    count = sa.select(sa.func.count()).select_from(table)
    over = int(connection.execute(count).scalar_one()) - most
    if over > 0:
        first = sa.select(table.c.scope).order_by(table.c.forgotten_at).limit(over)
        connection.execute(sa.delete(table).where(table.c.scope.in_(first)))
