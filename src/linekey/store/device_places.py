"""Places in a list of phones, and how many the whole list has.

First places alone (order and MAC): an index has them, and whole records are long.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.store.schema import devices
from linekey.store.selection import Order

Where = Sequence[sa.ColumnElement[bool]]
Places = list[tuple[Any, ...]]


def places(
    connection: Connection, where: Where, order: Order, cursor: str | None, limit: int
) -> Places:
    """Return up to ``limit`` places from a cursor on; the last of each is the MAC.

    Raises InputError for a cursor of another order.
    """
    columns = order.columns(_is_sqlite(connection))
    query = _from_cursor(sa.select(*columns).where(*where), columns, order, cursor)
    return [tuple(row) for row in connection.execute(query.limit(limit))]


def places_and_total(
    connection: Connection,
    where: Where,
    order: Order,
    cursor: str | None,
    limit: int,
    *,
    is_quick: bool = False,
) -> tuple[Places, int]:
    """``places``, and how many the whole list has.

    What is asked of each phone costs most, so each is asked once, for both; unless it
    ``is_quick``: then PostgreSQL takes less to look twice than to keep what it found.
    """
    if not where or (is_quick and not _is_sqlite(connection)):
        found = places(connection, where, order, cursor, limit)
        if where and cursor is None and len(found) < limit:
            return found, len(found)
        return found, count(connection, where)
    columns = [
        column.label(f"place{number}")
        for number, column in enumerate(order.columns(_is_sqlite(connection)))
    ]
    hits = sa.select(*columns).where(*where).cte("hits")
    total = sa.select(sa.func.count()).select_from(hits)
    query = sa.select(total.scalar_subquery(), *hits.c)
    query = _from_cursor(query, [*hits.c], order, cursor).limit(limit)
    rows = connection.execute(query).all()
    if rows or cursor is None:
        return [tuple(row[1:]) for row in rows], rows[0][0] if rows else 0
    return [], count(connection, where)


def count(connection: Connection, where: Where) -> int:
    """Return how many phones there are."""
    query = sa.select(sa.func.count()).select_from(devices).where(*where)
    return int(connection.execute(query).scalar_one())


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _from_cursor(
    query: sa.Select[Any],
    columns: Sequence[sa.ColumnElement[Any]],
    order: Order,
    cursor: str | None,
) -> sa.Select[Any]:
    if cursor is not None:
        place = sa.tuple_(*order.read_cursor(cursor))
        here = sa.tuple_(*columns)
        query = query.where(here < place if order.descending else here > place)
    return query.order_by(*(c.desc() if order.descending else c for c in columns))
