"""How many lines of the log are alike, so that a total is no walk through 1,000,000.

Lines are alike if ``COLUMNS`` say the same: few values, so a log has some tens of such
sets, thousands where there are many groups. ``log_alike`` has each set with the number
of its lines. SQLite also has which lines they are (``log_alike_lines``): PostgreSQL's
own indexes of these columns are small, SQLite's are not. ``log_listed`` is filled
beside it.

It is filled later, in pieces, never in the transaction of a phone's line, so it ends at
some line (``log_alike_reach``); the lines after that one are counted themselves. What
deletes a line takes it out (a trigger), and nothing changes what lines are alike in.

Rules: as ``log_texts``, it is no part of the schema and of no copy, it is used only
while its trigger is there, and without it everything is found as well, only later. A
number that it gives is exact. (docs/decisions/0042)
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.store import log_listed
from linekey.store.schema import decision_log

NAME = "log_alike"
"""Of the table; the others' names begin with it."""
COLUMNS = (
    "reason", "outcome", "vendor", "status", "policy", "tls_version", "kind", "group",
)  # fmt: skip
TRIGGER = f"{NAME}_gone"
_TRUNCATED = f"{NAME}_emptied"
_LOCK = 0x6C6E616B  # PostgreSQL advisory lock: "lnak"; who counts or takes out
_MANY = 40
"""Sets whose newest lines are looked up one after the other."""

_alike = sa.table(
    NAME, sa.column("id"), sa.column("lines"), *(sa.column(name) for name in COLUMNS)
)
_reach = sa.table(f"{NAME}_reach", sa.column("last"))
_lines = sa.table(f"{NAME}_lines", sa.column("alike"), sa.column("line"))

_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_THE_SAME = " AND ".join(f'"{name}" IS old."{name}"' for name in COLUMNS)
_MAKE_SQLITE = (
    f"CREATE TABLE {NAME} (id INTEGER PRIMARY KEY, lines INTEGER NOT NULL, {_NAMES})",
    f"CREATE INDEX ix_{NAME} ON {NAME} ({_NAMES})",
    f"CREATE TABLE {NAME}_reach (last INTEGER NOT NULL)",
    f"CREATE TABLE {NAME}_lines (alike INTEGER, line INTEGER, "
    "PRIMARY KEY (alike, line)) WITHOUT ROWID",
    log_listed.MAKE,
    # A number is given again after the newest lines were deleted: then it is beyond.
    f"""CREATE TRIGGER {TRIGGER} AFTER DELETE ON decision_log
    WHEN old.id <= (SELECT last FROM {NAME}_reach) BEGIN
    DELETE FROM {NAME}_lines WHERE line = old.id
    AND alike = (SELECT id FROM {NAME} WHERE {_THE_SAME});
    UPDATE {NAME} SET lines = lines - 1 WHERE {_THE_SAME};
    UPDATE {NAME}_reach SET last = coalesce(
        (SELECT max(id) FROM decision_log WHERE id < old.id), 0) WHERE last = old.id;
    END""",  # noqa: S608 - names of our own
)
_PUT = f"INSERT INTO {NAME}_lines (alike, line) VALUES (?, ?)"  # noqa: S608
_DROP = tuple(
    f"DROP TABLE IF EXISTS {name}"
    for name in (NAME, f"{NAME}_reach", f"{NAME}_lines", log_listed.NAME)
)
_ALIKE_THERE = " AND ".join(
    f'{NAME}."{name}" IS NOT DISTINCT FROM gone_alike."{name}"' for name in COLUMNS
)
_MAKE_THERE = (
    f"""CREATE TABLE {NAME} (id bigint PRIMARY KEY, lines bigint NOT NULL,
    reason text, outcome text, vendor text, status integer, policy text,
    tls_version text, kind text, "group" text)""",
    f"CREATE TABLE {NAME}_reach (last bigint NOT NULL)",
    # Each statement of a function sees what was committed before it, and the lock is
    # held until the end: so either the filling sees that a line is gone, or this sees
    # that it was counted.
    f"""CREATE OR REPLACE FUNCTION {TRIGGER}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
    PERFORM pg_advisory_xact_lock({_LOCK});
    UPDATE {NAME} SET lines = lines - gone_alike.n FROM (
        SELECT {_NAMES}, count(*) AS n FROM gone
        WHERE id <= (SELECT last FROM {NAME}_reach) GROUP BY {_NAMES}
    ) AS gone_alike WHERE {_ALIKE_THERE};
    RETURN NULL; END $$""",  # noqa: S608
    f"""CREATE TRIGGER {TRIGGER} AFTER DELETE ON decision_log
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION {TRIGGER}()""",
    f"""CREATE OR REPLACE FUNCTION {_TRUNCATED}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
    PERFORM pg_advisory_xact_lock({_LOCK});
    DELETE FROM {NAME}; UPDATE {NAME}_reach SET last = 0; RETURN NULL; END $$""",  # noqa: S608
    f"""CREATE TRIGGER {_TRUNCATED} AFTER TRUNCATE ON decision_log
    FOR EACH STATEMENT EXECUTE FUNCTION {_TRUNCATED}()""",
)


class Alike(NamedTuple):
    """What is known of the lines that are asked for."""

    last: int
    """The lines up to this one are counted, those after it are not."""
    lines: int
    """How many of them are asked for."""
    sets: tuple[int, ...]
    """The sets that they are in."""
    is_all: bool
    """Whether these are all lines up to ``last``."""
    newest: int
    """The number of the newest line."""

    @property
    def most(self) -> int:
        """How many are asked for at most."""
        return self.lines + max(0, self.newest - self.last)


def known(connection: Connection, asked: Mapping[str, Any]) -> Alike | None:
    """Count the lines that say this in ``COLUMNS``; a set of texts: one of them.

    None: nobody has counted.
    """
    if not is_there(connection):
        return None
    # In one statement, since the filling may go on between two.
    reach = sa.select(_reach.c.last).scalar_subquery()
    rows = connection.execute(sa.select(reach, _alike)).all()
    newest = connection.execute(sa.select(sa.func.max(decision_log.c.id))).scalar()
    fitting = [row for row in rows if _fits(row._mapping, asked)]
    return Alike(
        (rows[0][0] if rows else 0) or 0,
        sum(row.lines for row in fitting),
        tuple(row.id for row in fitting if row.lines),
        len(fitting) == len(rows),
        newest or 0,
    )


def _fits(said: Mapping[Any, Any], asked: Mapping[str, Any]) -> bool:
    return all(
        said[name] in value if isinstance(value, frozenset) else said[name] == value
        for name, value in asked.items()
    )


def numbers(
    connection: Connection, alike: Alike, before: int | None, most: int
) -> list[int]:
    """The numbers of the newest lines that are asked for, newest first (SQLite)."""
    end = alike.last if before is None else min(alike.last, before - 1)
    line = _lines.c.line
    if len(alike.sets) > _MANY:
        wanted = sa.select(line).where(_lines.c.alike.in_(alike.sets), line <= end)
        wanted = wanted.order_by(line.desc()).limit(most)
        return list(connection.execute(wanted).scalars())
    newest = f"SELECT line FROM {NAME}_lines WHERE alike = ? AND line <= ?"  # noqa: S608
    newest += " ORDER BY line DESC LIMIT ?"
    found: list[int] = []
    for one in alike.sets:
        found += connection.exec_driver_sql(newest, (one, end, most)).scalars()
    return sorted(found, reverse=True)[:most]


def among(alike: Alike) -> sa.ColumnElement[bool]:
    """The condition that a line is one of these, or not counted yet (SQLite)."""
    its = sa.select(_lines.c.line).where(_lines.c.alike.in_(alike.sets))
    number = decision_log.c.id
    return sa.or_(number.in_(its), number > alike.last)


def is_there(connection: Connection) -> bool:
    """Whether lines are counted, and its trigger watches."""
    if connection.dialect.name == "sqlite":
        asked = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = ?"
    else:
        asked = (
            "SELECT to_regclass('log_alike') FROM pg_trigger "
            "WHERE tgrelid = to_regclass('decision_log') AND tgname = %s"
        )
    return connection.exec_driver_sql(asked, (TRIGGER,)).scalar() is not None


def reach(connection: Connection) -> int:
    """The number of the last line that is counted; 0: none."""
    if not is_there(connection):
        return 0
    return connection.execute(sa.select(_reach.c.last)).scalar() or 0


def make(connection: Connection) -> None:
    """Make its tables and its trigger where they are not there."""
    if is_there(connection):
        return
    for statement in _DROP:
        connection.exec_driver_sql(statement)
    if connection.dialect.name != "sqlite":
        for name in (TRIGGER, _TRUNCATED):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON decision_log")
    sqlite = connection.dialect.name == "sqlite"
    for statement in _MAKE_SQLITE if sqlite else _MAKE_THERE:
        connection.exec_driver_sql(statement)
    connection.execute(sa.insert(_reach).values(last=0))


def put(connection: Connection, last: int, most: int) -> int:
    """Count up to ``most`` more lines, none after ``last``; return how many.

    One at a time does it, in a transaction of its own.
    """
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    log = decision_log.c
    wanted = sa.select(log.id, *(log[name] for name in (*COLUMNS, *log_listed.LISTED)))
    wanted = wanted.where(log.id > reach(connection), log.id <= last)
    rows = connection.execute(wanted.order_by(log.id).limit(most)).all()
    if not rows:
        return 0
    sets: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        sets.setdefault(tuple(row[1 : 1 + len(COLUMNS)]), []).append(row.id)
    ids = {said: _counted(connection, said, len(its)) for said, its in sets.items()}
    if sqlite:
        pairs = sorted((ids[said], line) for said, its in sets.items() for line in its)
        connection.exec_driver_sql(_PUT, pairs)
        log_listed.put(connection, rows)
    connection.execute(sa.update(_reach).values(last=rows[-1].id))
    return len(rows)


def _counted(connection: Connection, said: tuple[Any, ...], count: int) -> int:
    """Add so many lines to those that say this; return the set's id."""
    same = [
        _alike.c[name].is_not_distinct_from(value)
        for name, value in zip(COLUMNS, said, strict=True)
    ]
    known = connection.execute(sa.select(_alike.c.id).where(*same)).scalar()
    if known is not None:
        more = sa.update(_alike).values(lines=_alike.c.lines + count)
        connection.execute(more.where(_alike.c.id == known))
        return int(known)
    newest = connection.execute(sa.select(sa.func.max(_alike.c.id))).scalar()
    new = dict(zip(COLUMNS, said, strict=True), id=(newest or 0) + 1, lines=count)
    connection.execute(sa.insert(_alike).values(new))
    return int(new["id"])
