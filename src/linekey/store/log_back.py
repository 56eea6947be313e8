"""A part of the log at a time looked back through, for what no index finds.

Rule: an answer looks at so many lines and no more, however long the log is. It says how
far it came and how many it found, and the next one goes on from there: what is there is
found, each line once, in as many answers as it takes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.store.changes import Moment
from linekey.store.schema import decision_log

BACK = 50_000
"""Lines that are looked at for a page, and for a total: some 20 ms each."""

Pairs = list[tuple[int, int]]
"""Lines' numbers and times."""


class Reached(NamedTuple):
    """How far an answer came."""

    before: int | Moment
    """Where the next one goes on."""
    at: int
    """The time of the last line that was looked at, in microseconds since 1970."""


class LookedBack(NamedTuple):
    """What an answer came to."""

    places: Pairs
    """The newest first."""
    total: int
    """Of the newest part of the log."""
    is_exact: bool
    """Whether that part is all of it, and all that is there was counted."""
    reached: Reached | None
    """If these are not as many as are asked for, nor all there are."""


class _Part(NamedTuple):
    places: Pairs
    to: int
    """All before it, by what the log is ordered by, was not looked at."""


def newest_of(pairs: Sequence[tuple[int, int]], before: int | Moment | None) -> Pairs:
    """What ``newest_first`` has a database do, of few lines: their number and time."""
    if not isinstance(before, Moment):
        return sorted(
            (p for p in pairs if before is None or p[0] < before), reverse=True
        )
    pairs = [pair for pair in pairs if pair[1] <= before.at]
    pairs.sort(key=lambda pair: (pair[1], pair[0]), reverse=True)
    return pairs[before.passed :]


def look_back(
    connection: Connection,
    where: Sequence[sa.ColumnElement[bool]],
    before: int | Moment | None,
    limit: int,
    counted: int,
    back: int,
) -> LookedBack:
    """Find up to ``limit`` lines before one, and count those of the newest ``back``
    lines, ``counted`` at most."""
    by_time = isinstance(before, Moment)
    column = decision_log.c.at if by_time else decision_log.c.id
    # SQLite goes through all lines for both in one.
    ends = (
        sa.select(end(column)).scalar_subquery() for end in (sa.func.min, sa.func.max)
    )
    oldest, newest = connection.execute(sa.select(*ends)).one()
    if newest is None:
        return LookedBack([], 0, True, None)
    if isinstance(before, Moment):
        start, passed = before.at, before.passed
    else:
        start, passed = (newest if before is None else before - 1), 0
    most = limit + passed
    part = _part(connection, where, column, newest, max(counted, most), back)
    all_of_it = part.to <= oldest and len(part.places) <= counted
    total = min(len(part.places), counted)
    found = newest_of(part.places, before)
    if len(found) < limit and part.to > oldest and before is not None:
        # What was asked for is further back, or goes on there.
        begun = start >= part.to
        top = part.to - 1 if begun else start
        part = _part(connection, where, column, top, most, back)
        found += part.places if begun else newest_of(part.places, before)
    reached = None
    if len(found) < limit and part.to > oldest:
        reached = _reached(connection, part.to, by_time)
    return LookedBack(found[:limit], total, all_of_it, reached)


def _reached(connection: Connection, to: int, by_time: bool) -> Reached:
    if by_time:
        return Reached(Moment(to - 1, 0), to)
    last = sa.select(decision_log.c.at).where(decision_log.c.id >= to)
    at = connection.execute(last.order_by(decision_log.c.id).limit(1)).scalar()
    return Reached(to, at or 0)


def _part(
    connection: Connection,
    where: Sequence[sa.ColumnElement[bool]],
    column: sa.ColumnElement[int],
    top: int,
    most: int,
    back: int,
) -> _Part:
    """Look at ``back`` lines from ``top`` on, as far as one more than ``most`` go."""
    number, at = decision_log.c.id, decision_log.c.at
    first = connection.execute(
        sa.select(column).where(column <= top).order_by(column.desc()).limit(1)
    ).scalar()
    if first is None:
        return _Part([], 0)
    if column is at:
        edge = sa.select(at).where(at <= first).order_by(at.desc()).offset(back - 1)
        to: Any = connection.execute(edge.limit(1)).scalar() or 0
    else:
        to = max(0, first - back + 1)
    wanted = sa.select(number, at).where(*where, column >= to, column <= first)
    wanted = wanted.order_by(column.desc(), number.desc()).limit(most + 1)
    places = [(row.id, row.at) for row in connection.execute(wanted)]
    if len(places) <= most:
        return _Part(places, to)
    if column is not at:
        return _Part(places, places[-1][0])
    # Of the last one's time there may be more.
    last = places[-1][1]
    whole = [place for place in places if place[1] > last]
    if whole:
        return _Part(whole, last + 1)
    rest = sa.select(number, at).where(*where, at == last).order_by(number.desc())
    return _Part([(row.id, row.at) for row in connection.execute(rest)], last)
