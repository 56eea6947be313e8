"""Decisions found again, the newest first, page by page; or followed as they come.

Rule: every value is bound. A page begins before the last line of the one before it, so
what comes meanwhile moves nothing. Who follows gets each line once, in the order of
their numbers: no line comes later with a smaller number (``settled``).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import Cause, StorageError
from linekey.mac import Mac
from linekey.provisioning.decision import Outcome
from linekey.store.changes import Moment, newest_first
from linekey.store.decisions import LogEntry, about, entry_of
from linekey.store.schema import decision_log, to_us

_EXACT = (
    "outcome", "reason", "kind", "peer", "vendor", "policy", "tls_version",
    "certificate_sha256", "status", "group",
)  # fmt: skip
_TEXTS = ("resource", "detail", "user_agent", "server_name")
_INDEXED = ("outcome", "reason")
OUTCOMES = tuple(outcome.value for outcome in Outcome)
"""All that a line can have."""
_MUCH = 4  # a quarter of a log: to walk back 100,000 lines costs a tenth of a second
_FEW = 5000  # found by a walk back through 20,000 lines of 1,000,000, if they are even
_SETTLED_WITHIN_S, _LOOK_EVERY_S = 2.0, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSearch:
    """Which lines are wanted; what is empty or None asks for nothing."""

    mac: Mac | None = None
    """Where it is the phone that was proved, or the one asked for."""
    outcome: str = ""
    reason: str = ""
    kind: str = ""
    peer: str = ""
    vendor: str = ""
    policy: str = ""
    tls_version: str = ""
    certificate_sha256: str = ""
    status: int | None = None
    text: str = ""
    """A part of the resource, detail, user agent or server's name."""
    since: datetime | None = None
    until: datetime | None = None
    """Before then."""
    group: str = ""
    """That in which the phone was then."""
    groups: frozenset[str] | None = None
    """Only decisions on phones that were in one of these groups then."""

    @property
    def has_index(self) -> bool:
        """Whether an index answers it, or nothing is asked."""
        others = replace(self, mac=None, outcome="", reason="", since=None, until=None)
        return others == LogSearch()

    def where(
        self, *, sqlite: bool = False, by_index: bool = True
    ) -> list[sa.ColumnElement[bool]]:
        """It as conditions; without ``by_index`` none that an index of names is for."""
        found: list[sa.ColumnElement[bool]] = []
        if self.mac is not None:
            found.append(about(self.mac))
        for name in _EXACT:
            if (value := getattr(self, name)) in ("", None):
                continue
            column: sa.ColumnElement[Any] = decision_log.c[name]
            if name in _INDEXED and not by_index:
                column = sa.func.coalesce(column, "")
            found.append(column == value)
        timed = self.since is not None or self.until is not None
        if self.reason and not self.outcome and not timed and by_index:
            # So the index by outcome and reason is entered where the reason is.
            found.append(decision_log.c.outcome.in_(OUTCOMES))
        if self.text:
            found.append(
                sa.or_(
                    *(
                        _contains(decision_log.c[name], self.text, sqlite)
                        for name in _TEXTS
                    )
                )
            )
        if self.since is not None:
            found.append(decision_log.c.at >= to_us(self.since))
        if self.until is not None:
            found.append(decision_log.c.at < to_us(self.until))
        if self.groups is not None:
            found.append(decision_log.c.group.in_(sorted(self.groups)))
        return found


def _contains(column: sa.Column[Any], text: str, sqlite: bool) -> Any:
    # SQLite's LIKE takes A to Z in either case by itself, six times as fast.
    return (column.contains if sqlite else column.icontains)(text, autoescape=True)


def find_lines(
    connection: Connection,
    search: LogSearch,
    *,
    before: int | Moment | None,
    limit: int,
) -> list[LogEntry]:
    """Return the newest lines, newest first; ``before``: older than that line."""
    sqlite = connection.dialect.name == "sqlite"
    wanted = sa.select(decision_log).where(*search.where(sqlite=sqlite))
    wanted = newest_first(wanted, decision_log, before)
    return [entry_of(row) for row in connection.execute(wanted.limit(limit))]


def lines_and_total(
    connection: Connection,
    search: LogSearch,
    *,
    before: int | Moment | None,
    limit: int,
) -> tuple[list[LogEntry], int]:
    """``find_lines`` and ``count_lines`` at once.

    Where an index answers, it is counted first: what is much of the log is found by
    walking back through that, what is less by the index. Of a few the numbers come
    first, in one look, by the index or at each line, and are sorted here: a database
    that is to sort may rather walk back through all of the log. If they are more than a
    few and no index answers, they are counted and found by walking back.
    """
    sqlite = connection.dialect.name == "sqlite"
    total = count_lines(connection, search) if search.has_index else None
    if total is not None and total > _FEW:
        newest = connection.execute(sa.select(sa.func.max(decision_log.c.id))).scalar()
        if not sqlite or total * _MUCH > (newest or 0):
            return _walk(connection, search, before, limit), total
        numbers = sa.select(decision_log.c.id).where(*search.where(sqlite=sqlite))
        numbers = newest_first(numbers, decision_log, before)
        return _lines(connection, numbers.limit(limit)), total
    places = sa.select(decision_log.c.id, decision_log.c.at)
    places = places.where(*search.where(sqlite=sqlite)).limit(_FEW + 1)
    found = [(row.id, row.at) for row in connection.execute(places)]
    if len(found) > _FEW:
        return _walk(connection, search, before, limit), count_lines(connection, search)
    newest_few = _newest_first(found, before)[:limit]
    return _numbered(connection, [number for number, _ in newest_few]), len(found)


def _newest_first(
    pairs: Sequence[tuple[int, int]], before: int | Moment | None
) -> list[tuple[int, int]]:
    """What ``newest_first`` has a database do, of few lines: their number and time."""
    if not isinstance(before, Moment):
        return sorted(
            (p for p in pairs if before is None or p[0] < before), reverse=True
        )
    pairs = [pair for pair in pairs if pair[1] <= before.at]
    pairs.sort(key=lambda pair: (pair[1], pair[0]), reverse=True)
    return pairs[before.passed :]


def _walk(
    connection: Connection, search: LogSearch, before: int | Moment | None, limit: int
) -> list[LogEntry]:
    """``find_lines`` by no index of names: SQLite would sort all that it has."""
    where = search.where(sqlite=connection.dialect.name == "sqlite", by_index=False)
    wanted = newest_first(sa.select(decision_log).where(*where), decision_log, before)
    return [entry_of(row) for row in connection.execute(wanted.limit(limit))]


def _lines(connection: Connection, numbers: sa.Select[Any]) -> list[LogEntry]:
    return _numbered(connection, list(connection.execute(numbers).scalars()))


def _numbered(connection: Connection, numbers: Sequence[int]) -> list[LogEntry]:
    lines = sa.select(decision_log).where(decision_log.c.id.in_(numbers))
    found = {row.id: entry_of(row) for row in connection.execute(lines)}
    return [found[number] for number in numbers]


def count_lines(connection: Connection, search: LogSearch) -> int:
    """Return how many lines there are."""
    where = search.where(sqlite=connection.dialect.name == "sqlite")
    wanted = sa.select(sa.func.count()).select_from(decision_log).where(*where)
    return int(connection.execute(wanted).scalar_one())


def follow_lines(
    connection: Connection, search: LogSearch, *, after: int | None, limit: int
) -> tuple[list[LogEntry], int]:
    """Return the oldest lines after one, oldest first, and where to go on.

    ``after`` None is now: no lines. Beyond the newest line, it is from a log that was
    emptied since, and everything there is comes after it.
    """
    last = settled(connection)
    if after is None:
        return [], last
    if after > last:
        after = 0
    wanted = sa.select(decision_log).where(
        *search.where(), decision_log.c.id > after, decision_log.c.id <= last
    )
    rows = connection.execute(wanted.order_by(decision_log.c.id).limit(limit)).all()
    found = [entry_of(row) for row in rows]
    return found, found[-1].row_id if len(found) == limit else last


def settled(connection: Connection) -> int:
    """Return the newest line's number; none smaller is still to come.

    SQLite has one writer at a time. PostgreSQL's writers take a number each and commit
    in any order: so the writers under way when the newest line was seen are waited for.
    Each holds a lock on the table before it has a number, and to its end. Raises
    StorageError if one takes long: better nothing yet than a line that is lost.
    """
    newest = sa.select(sa.func.coalesce(sa.func.max(decision_log.c.id), 0))
    last = int(connection.execute(newest).scalar_one())
    if connection.dialect.name == "sqlite":
        return last
    writers = set(connection.execute(_WRITERS).scalars())
    end = time.monotonic() + _SETTLED_WITHIN_S
    while writers:
        if time.monotonic() > end:
            raise StorageError(
                f"somebody has been writing decisions for {_SETTLED_WITHIN_S:g} s",
                hint="ask again; if it stays so, look at the database's locks",
                cause=Cause.SLOW,
            )
        time.sleep(_LOOK_EVERY_S)
        writers &= set(connection.execute(_WRITERS).scalars())
    return last


_WRITERS = sa.text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND relation = 'decision_log'::regclass AND mode = 'RowExclusiveLock'"
)
