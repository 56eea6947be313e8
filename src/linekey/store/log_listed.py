"""Which lines of SQLite's log are of an address, or of a certificate: listed by blocks.

Each block is one row with the addresses of some hundred lines, and after each which
lines they are. An index of each would touch a page of its own for nearly every line;
a block is written once, at the table's end, and to look through 1,000,000 lines' takes
a third of what it takes to look through an index that has them.

Rules: it is filled and reaches as far as ``log_alike``, which it belongs to. What it
names are candidates: a line may be deleted, and its number be given to another one.
"""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.store.schema import decision_log

NAME = "log_alike_listed"
LISTED = ("peer", "certificate_sha256")
_KEPT = 20
"""Characters of a text that are kept: whole addresses of IPv4, most of IPv6."""
_WIDTH = 6
"""Characters of a line's place in its block, at most, with the blank before it."""

MAKE = f"""CREATE TABLE {NAME} (name TEXT, first INTEGER, size INTEGER, texts TEXT,
PRIMARY KEY (name, first)) WITHOUT ROWID"""
_PUT = f"INSERT OR REPLACE INTO {NAME} VALUES (?, ?, ?, ?)"  # noqa: S608
_FORGET = f"""DELETE FROM {NAME} WHERE name = ? AND first + size <=
(SELECT min(id) FROM decision_log)"""  # noqa: S608 - names of our own
_FIND = f"""SELECT first, substr(texts, instr(texts, ?1) + ?2, size * {_WIDTH} + 1)
FROM {NAME} WHERE name = ?3 AND first <= ?4 AND instr(texts, ?1) > 0
ORDER BY first DESC"""  # noqa: S608


def put(connection: Connection, rows: Sequence[Any]) -> None:
    """List a block of lines, which have ``id`` and LISTED."""
    first, size = rows[0].id, rows[-1].id - rows[0].id + 1
    for name in LISTED:
        places: dict[str, list[str]] = {}
        for row in rows:
            if (text := getattr(row, name)) is not None:
                places.setdefault(text[:_KEPT], []).append(f" {row.id - first}")
        texts = "".join(f"\n{text}{''.join(its)}" for text, its in places.items())
        connection.exec_driver_sql(_PUT, (name, first, size, f"{texts}\n"))
        connection.exec_driver_sql(_FORGET, (name,))


def candidates(
    connection: Connection, name: str, text: str, last: int, most: int
) -> list[int] | None:
    """The numbers of lines up to ``last`` that may have this text, the newest first.

    None: more than ``most``.
    """
    head = f"\n{text[:_KEPT]} "
    if "\n" in text:
        return []
    found: list[int] = []
    asked = (head, len(head) - 1, name, last)
    for first, rest in connection.exec_driver_sql(_FIND, asked):
        its = rest.partition("\n")[0].split()
        found += (n for place in reversed(its) if (n := first + int(place)) <= last)
        if len(found) > most:
            return None
    return found


def among(found: Sequence[int], last: int) -> sa.ColumnElement[bool]:
    """The condition that a line is one of these, or beyond ``last``."""
    each = sa.func.json_each(json.dumps(found)).table_valued("value")
    number = decision_log.c.id
    return sa.or_(number.in_(sa.select(each.c.value)), number > last)
