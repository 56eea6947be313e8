"""An index of the log's texts, so that a text in a few of 1,000,000 lines is found.

It has the numbers of lines by the three-character pieces of their texts (``TEXTS``):
SQLite's FTS5 with ``tokenize=trigram``; in PostgreSQL a narrow table of lines' numbers
and texts, with an index of ``pg_trgm`` where that extension can be had, without one
where it cannot: going through it is still half of going through whole lines.

It is filled later, in pieces, never in the transaction of a phone's line, so it ends at
some line (``reach``); the lines after that one are to be looked at themselves. What it
finds are candidates, each to be looked at, too, unless it ``is_sure``. Whatever deletes
a line takes it out (a trigger), and nothing changes a line's texts.

Rules: it is no part of the schema and of no copy, since it is made and filled anew
wherever it is not there; without it everything is found as well, only later. It is used
only while its trigger is there. (docs/decisions/0038)
"""

import contextlib
import sqlite3
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

NAME = "log_texts"
"""Of the table; FTS5's own tables beside it begin with it."""
TEXTS = ("resource", "detail", "user_agent", "server_name")
LEAST = 3
"""Characters of a text that it can be asked for."""
_MOST_PIECES = 32  # of a text that is asked for: more only cost time
TRIGGER = f"{NAME}_gone"
"""That takes out what is deleted."""
DEAD = f"{NAME}_dead"
"""SQLite's table of how many lines have been deleted and are not merged out of it."""
COMMAND = f"INSERT INTO {NAME} ({NAME}, rank) VALUES (?, ?)"  # noqa: S608
"""To FTS5: what is to be done, and a number."""
JOINT = "\n"
"""Between the texts of a line, in PostgreSQL."""

_log_texts = sa.table(NAME, sa.column("id"), sa.column("rowid"), sa.column(NAME))


@cache
def has_trigrams() -> bool:
    """Whether this SQLite has FTS5, and its trigrams (3.34, December 2020)."""
    if sqlite3.sqlite_version_info < (3, 34):
        return False
    with contextlib.closing(sqlite3.connect(":memory:")) as raw:
        asked = "SELECT 1 FROM pragma_module_list WHERE name = 'fts5'"
        return raw.execute(asked).fetchone() is not None


def let_go(engine: Engine) -> None:
    """Where this SQLite cannot keep the index: let lines be deleted without it.

    It is not used from then on, and made anew by an SQLite that can.
    """
    if engine.dialect.name != "sqlite" or has_trigrams():
        return
    with engine.connect() as connection:
        if not is_there(connection):
            return
    with engine.connect() as connection:
        connection = connection.execution_options(linekey_write=True)
        with connection.begin():
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {TRIGGER}")


def reach(connection: Connection) -> int:
    """The number of the last line that it has, as it has all before it; 0: none."""
    if not is_there(connection):
        return 0
    sqlite = connection.dialect.name == "sqlite"
    table = f"{NAME}_docsize" if sqlite else NAME
    last = connection.exec_driver_sql(f"SELECT max(id) FROM {table}").scalar()  # noqa: S608
    return int(last or 0)


def is_there(connection: Connection) -> bool:
    """Whether there is one, with its trigger."""
    if connection.dialect.name == "sqlite":
        asked = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = ?"
    else:
        asked = (
            "SELECT to_regclass('log_texts') FROM pg_trigger "
            "WHERE tgrelid = to_regclass('decision_log') AND tgname = %s"
        )
    return connection.exec_driver_sql(asked, (TRIGGER,)).scalar() is not None


def knows(text: str) -> bool:
    """Whether it can be asked for a text."""
    return len(text) >= LEAST and has_trigrams()


def is_sure(text: str, sqlite: bool) -> bool:
    """Whether each line that it finds has the text."""
    return not sqlite and JOINT not in text


def candidates(text: str, last: int, most: int, *, sqlite: bool) -> Any:
    """The newest lines up to ``last`` that may have a text: a table with their ``id``.

    In order, ``most`` of them; to be joined to the log so that they stay in it.
    """
    if sqlite:
        number = _log_texts.c.rowid
        has = _log_texts.c[NAME].op("MATCH", is_comparison=True)(_match(text))
    else:
        number = _log_texts.c.id
        pattern = f"%{_escaped(text)}%"
        has = sa.column("texts").like(sa.func.lower(pattern), escape="\\")
    found = sa.select(number.label("id")).select_from(_log_texts)
    found = found.where(has, number <= last).order_by(number.desc()).limit(most)
    return found.subquery("candidates")


def _escaped(text: str) -> str:
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return text


def _match(text: str) -> str:
    """Ask FTS5 for lines that have three-character pieces of a text.

    Every other piece, and the last, at half the cost of all; of long texts some.
    """
    last = len(text) - LEAST
    starts = [*range(0, last, max(2, 1 + last // _MOST_PIECES)), last]
    pieces = dict.fromkeys(text[start : start + LEAST] for start in starts)
    return " AND ".join('"{}"'.format(piece.replace('"', '""')) for piece in pieces)
