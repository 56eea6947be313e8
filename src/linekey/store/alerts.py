"""Alerts that hold: each is told once, until it is over.

``see`` is given all that holds now of one kind, and keeps one row for each. ``tell``
puts those that were not told yet into messages, all of one cause into one, in the
transaction that notes them as told: so a crash neither loses one nor tells it twice.

Rules: what is over for less than ``QUIET`` and comes again is the same alert. One that
was over before it was told is not told. Rows of a mass failure are written in pieces,
so that no phone waits for them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.alerts.kinds import Kind, Noticed
from linekey.alerts.message import LISTED, Item
from linekey.store.database import Database
from linekey.store.schema import alerts, devices, from_us, to_us

QUIET: Final = timedelta(hours=1)
"""A phone that is refused, let in and refused again within this time is one alert."""
_PIECE = 500
_GROWN = 2
"""So many times as many phones: told again."""


@dataclass(frozen=True, slots=True)
class Told:
    """Alerts of one kind and cause that one message is about."""

    kind: Kind
    cause: str
    sentence: str
    cure: str
    items: Sequence[Item]
    count: int


def see(
    database: Database,
    kind: Kind,
    holds: Iterable[Noticed],
    now: datetime,
    *,
    beginning: str = "",
    silently: bool = False,
) -> None:
    """Keep what holds now; with ``beginning``, all whose keys begin like that.

    ``silently``: as if it had been told. Raises StorageError.
    """
    wanted = {one.key: one for one in holds}
    mine = sa.and_(
        alerts.c.kind == kind.value, alerts.c.key.startswith(beginning, autoescape=True)
    )
    with database.read() as connection:
        rows = connection.execute(
            sa.select(alerts.c.key, alerts.c.told_at, alerts.c.over_at, alerts.c.size)
            .where(mine)
        ).all()  # fmt: skip
    there = {row.key: row for row in rows}
    at = to_us(now)
    new = [one for key, one in wanted.items() if key not in there]
    for piece in _pieces(new):
        with database.write_piece() as connection:
            values = [_row(one, at if silently else None) for one in piece]
            connection.execute(sa.insert(alerts), values)
    back = [row.key for row in rows if row.key in wanted and row.over_at is not None]
    over = [row.key for row in rows if row.key not in wanted and row.over_at is None]
    gone = [
        row.key
        for row in rows
        if row.key not in wanted
        and (row.told_at is None or (row.over_at or at) <= at - _us(QUIET))
    ]
    grown = {
        row.key: wanted[row.key]
        for row in rows
        if row.key in wanted and wanted[row.key].size >= _GROWN * row.size
    }
    untold = {row.key for row in rows if row.told_at is None}
    keep = [key for key in over if key not in untold]
    _set(database, kind, back, {"over_at": None})
    _set(database, kind, keep, {"over_at": at})
    for piece in _pieces(gone):
        with database.write_piece() as connection:
            connection.execute(sa.delete(alerts).where(_these(kind, piece)))
    for key, one in grown.items():
        _set(database, kind, [key], {**_row(one, None), "told_at": None})


def tell(
    database: Database,
    now: datetime,
    *,
    wait: timedelta,
    every: timedelta,
    put: Callable[[Connection, Told], None],
) -> int:
    """Put what waits long enough into messages by ``put``; return how many.

    ``put`` writes into the same transaction. Raises StorageError.
    """
    waiting = sa.and_(alerts.c.told_at.is_(None), alerts.c.over_at.is_(None))
    count = 0
    with database.read() as connection:
        causes = connection.execute(
            sa.select(
                alerts.c.kind, alerts.c.cause, sa.func.min(alerts.c.since_at)
            )
            .where(waiting)
            .group_by(alerts.c.kind, alerts.c.cause)
        ).all()  # fmt: skip
        last = {
            (row[0], row[1]): row[2]
            for row in connection.execute(
                sa.select(alerts.c.kind, alerts.c.cause, sa.func.max(alerts.c.told_at))
                .group_by(alerts.c.kind, alerts.c.cause)
            )
        }  # fmt: skip
    at = to_us(now)
    for kind, cause, since in causes:
        told_at = last.get((kind, cause))
        # A clock that was set back must not keep alerts waiting.
        if 0 <= at - since < _us(wait):
            continue
        if told_at is not None and 0 <= at - told_at < _us(every):
            continue
        these = sa.and_(waiting, alerts.c.kind == kind, alerts.c.cause == cause)
        with database.change_uncounted() as connection:
            if (told := _told(connection, Kind(kind), cause, these)) is None:
                continue
            put(connection, told)
            connection.execute(sa.update(alerts).where(these).values(told_at=at))
        count += 1
    return count


def holding(
    database: Database, kind: str = "", limit: int = 1_000
) -> tuple[list[dict[str, Any]], int]:
    """Return alerts that hold, newest first, as JSON values, and how many there are."""
    wanted: sa.ColumnElement[bool] = alerts.c.over_at.is_(None)
    if kind:
        wanted = sa.and_(wanted, alerts.c.kind == kind)
    with database.read() as connection:
        total = connection.execute(
            sa.select(sa.func.count()).select_from(alerts).where(wanted)
        ).scalar_one()
        rows = connection.execute(
            sa.select(alerts)
            .where(wanted)
            .order_by(alerts.c.since_at.desc(), alerts.c.kind, alerts.c.key)
            .limit(limit)
        ).all()
    shown = [
        {
            "kind": row.kind,
            "mac": row.mac,
            "text": row.text,
            "cause": row.cause,
            "sentence": row.sentence,
            "cure": row.cure,
            "phones": row.size,
            "since": from_us(row.since_at).isoformat(),
            "told_at": None
            if row.told_at is None
            else from_us(row.told_at).isoformat(),
        }
        for row in rows
    ]
    return shown, int(total)


def _told(
    connection: Connection, kind: Kind, cause: str, these: sa.ColumnElement[bool]
) -> Told | None:
    count = connection.execute(
        sa.select(sa.func.count()).select_from(alerts).where(these)
    ).scalar_one()
    rows = connection.execute(
        sa.select(alerts, devices.c.label, devices.c.model)
        .select_from(alerts.outerjoin(devices, devices.c.mac == alerts.c.mac))
        .where(these)
        .order_by(alerts.c.since_at, alerts.c.key)
        .limit(LISTED)
    ).all()
    if not rows:
        return None  # over meanwhile
    items = [
        Item(from_us(r.since_at), r.mac, r.label or "", r.model or "", r.text)
        for r in rows
    ]
    return Told(kind, cause, rows[0].sentence, rows[0].cure, items, int(count))


def _row(one: Noticed, told_at: int | None) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "key": one.key,
        "cause": one.cause,
        "sentence": one.sentence,
        "cure": one.cure,
        "mac": one.mac,
        "text": one.text,
        "size": one.size,
        "since_at": to_us(one.since),
        "told_at": told_at,
        "over_at": None,
    }


def _set(
    database: Database, kind: Kind, keys: Sequence[str], values: dict[str, Any]
) -> None:
    for piece in _pieces(keys):
        with database.write_piece() as connection:
            connection.execute(
                sa.update(alerts).where(_these(kind, piece)).values(values)
            )


def _these(kind: Kind, keys: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(alerts.c.kind == kind.value, alerts.c.key.in_(keys))


def _pieces(things: Sequence[Any]) -> Iterable[list[Any]]:
    walk = iter(things)
    while piece := list(islice(walk, _PIECE)):
        yield piece


def _us(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
