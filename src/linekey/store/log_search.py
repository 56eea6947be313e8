"""Decisions found again, the newest first, page by page; or followed as they come.

Rule: every value is bound. A page begins before the last line of the one before it, so
what comes meanwhile moves nothing. Who follows gets each line once, in the order of
their numbers: no line comes later with a smaller number (``settled``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.mac import Mac
from linekey.provisioning.decision import Outcome
from linekey.store import log_alike, log_listed, log_texts
from linekey.store.changes import Moment, newest_first
from linekey.store.decisions import LogEntry, about, entry_of
from linekey.store.log_back import BACK, Pairs, Reached, look_back, newest_of
from linekey.store.schema import decision_log, to_us
from linekey.store.settled import settled

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
COUNTED = 10_000
"""Lines with a text that are counted; if there are more, a total says that."""
_LOOK, _LOOKS = 12_000, 4
"""Candidates that are looked at in one statement, and how often: some 20 ms each. If so
few of the first are lines that others will not do, there is no second."""
_UNCOUNTED = 20_000
"""Lines that may be beyond those that ``log_alike`` has counted: they are counted with
each search, which takes some 20 ms."""


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

    @property
    def alike(self) -> dict[str, Any]:
        """What of it ``log_alike`` knows: the columns and their values."""
        names = (name for name in log_alike.COLUMNS if name != "group")
        asked = {name: v for name in names if (v := getattr(self, name)) or v == 0}
        groups = self.groups
        if self.group:
            its = frozenset({self.group})
            groups = its if groups is None else groups & its
        return asked if groups is None else asked | {"group": groups}

    @property
    def more(self) -> "LogSearch":
        """The rest of it."""
        return LogSearch(
            mac=self.mac,
            peer=self.peer,
            certificate_sha256=self.certificate_sha256,
            text=self.text,
            since=self.since,
            until=self.until,
        )

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


class Found(NamedTuple):
    """A page of lines, the newest first, and how many there are altogether."""

    lines: list[LogEntry]
    total: int
    is_exact: bool = True
    """Whether there are no more; False: at least ``total``."""
    reached: Reached | None = None
    """How far it came, if the page ends before it is full, since enough lines were
    looked at for one answer; older ones were not looked at yet."""


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
) -> Found:
    """``find_lines`` and ``count_lines`` at once; lines with a text are counted up to
    ``COUNTED``.

    Where an index answers, it is counted first: what is much of the log is found by
    walking back through that, what is less by the index. Of a few the numbers come
    first, in one look, by the index or at each line, and are sorted here: a database
    that is to sort may rather walk back through all of the log. If they are more than a
    few and no index answers, they are counted and found by walking back.
    """
    if search.text:
        return _with_text(connection, search, before, limit)
    sqlite = connection.dialect.name == "sqlite"
    if search.more == LogSearch() and (known := _known(connection, search)):
        return _of_known(connection, search, known, before, limit)
    total = count_lines(connection, search) if search.has_index else None
    if total is not None and total > _FEW:
        newest = connection.execute(sa.select(sa.func.max(decision_log.c.id))).scalar()
        if not sqlite or total * _MUCH > (newest or 0):
            return Found(_walk(connection, search, before, limit), total)
        numbers = sa.select(decision_log.c.id).where(*search.where(sqlite=sqlite))
        numbers = newest_first(numbers, decision_log, before)
        return Found(_lines(connection, numbers.limit(limit)), total)
    found = _places(connection, search, _FEW)
    if len(found) > _FEW:
        lines = _walk(connection, search, before, limit)
        return Found(lines, count_lines(connection, search))
    return _of_them(connection, found, before, limit)


def _known(connection: Connection, search: LogSearch) -> log_alike.Alike | None:
    """What ``log_alike`` knows of the lines, whatever else is asked of them."""
    known = log_alike.known(connection, search.alike)
    if known is None or known.newest - known.last > _UNCOUNTED:
        return None
    return known


def _of_known(
    connection: Connection,
    search: LogSearch,
    known: log_alike.Alike,
    before: int | Moment | None,
    limit: int,
) -> Found:
    """``lines_and_total`` where nothing else is asked: all but the last are counted."""
    sqlite = connection.dialect.name == "sqlite"
    number = decision_log.c.id
    beyond = [*search.where(sqlite=sqlite, by_index=False), number > known.last]
    counted = sa.select(sa.func.count()).select_from(decision_log).where(*beyond)
    total = known.lines + int(connection.execute(counted).scalar_one())
    if not total:
        return Found([], 0)
    if known.is_all:
        return Found(_walk(connection, search, before, limit), total)
    if sqlite and not isinstance(before, Moment):
        newest = newest_first(sa.select(number).where(*beyond), decision_log, before)
        numbers = list(connection.execute(newest.limit(limit)).scalars())
        left = limit - len(numbers)
        numbers += log_alike.numbers(connection, known, before, left)
        return Found(_numbered(connection, numbers), total)
    if total <= _FEW:
        found = _places(connection, search, _FEW)
        return _of_them(connection, found, before, limit)
    return Found(_walk(connection, search, before, limit), total)


def _places(connection: Connection, search: LogSearch, most: int) -> Pairs:
    """Numbers and times of lines in no order, one more than ``most`` of them."""
    places = sa.select(decision_log.c.id, decision_log.c.at)
    where = search.where(sqlite=connection.dialect.name == "sqlite")
    places = places.where(*where, *_among(connection, search)).limit(most + 1)
    return [(row.id, row.at) for row in connection.execute(places)]


def _among(connection: Connection, search: LogSearch) -> list[sa.ColumnElement[bool]]:
    """The condition that a line is one of a few, if it can be known of which (SQLite).

    PostgreSQL has an index for that.
    """
    if connection.dialect.name != "sqlite":
        return []
    known = _known(connection, search)
    if known is None:
        return []
    if known.lines <= COUNTED:
        return [log_alike.among(known)]
    for name in log_listed.LISTED:
        if text := getattr(search, name):
            found = log_listed.candidates(connection, name, text, known.last, COUNTED)
            if found is not None:
                return [log_listed.among(found, known.last)]
    return []


def _of_them(
    connection: Connection, found: Pairs, before: int | Moment | None, limit: int
) -> Found:
    """The page of those that are all there are."""
    newest = newest_of(found, before)[:limit]
    return Found(_numbered(connection, [number for number, _ in newest]), len(found))


def _with_text(
    connection: Connection, search: LogSearch, before: int | Moment | None, limit: int
) -> Found:
    """``lines_and_total`` of lines with a text.

    What else is asked may leave few lines: these are looked at. Otherwise the index of
    texts names candidates, the newest first, which are looked at until all of them are
    or enough lines are found. If it has no end, what else is asked leaves too few of
    them: then, and without that index, the newest lines of all are looked at, as many
    as one answer has time for.
    """
    sqlite = connection.dialect.name == "sqlite"
    rest = replace(search, text="")
    if not sqlite:
        # Whether an index is used depends on the text: each is planned for itself.
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")
    if _leaves_few(connection, rest):
        found: Pairs | None = _places(connection, search, COUNTED)
        assert found is not None
        return _of_them(connection, found, before, limit)
    last = log_texts.reach(connection) if log_texts.knows(search.text) else 0
    found = _by_texts(connection, search, last) if last else None
    total = None if found is None else COUNTED
    if found is not None and len(found) <= COUNTED:
        return _of_them(connection, found, before, limit)
    if found is not None and not isinstance(before, Moment):
        newest: Pairs | None = newest_of(found, before)[:limit]
        if newest is not None and len(newest) < limit:
            newest = _by_texts(connection, search, last, before, limit)
        if newest is not None:
            newest = newest[:limit]
            lines = _numbered(connection, [number for number, _ in newest])
            return Found(lines, COUNTED, is_exact=False)
    return _back(connection, search, before, limit, total)


def _back(
    connection: Connection,
    search: LogSearch,
    before: int | Moment | None,
    limit: int,
    total: int | None,
) -> Found:
    """Look at the newest lines; ``total``: at least so many are known to be there."""
    where = search.where(sqlite=connection.dialect.name == "sqlite", by_index=False)
    found = look_back(connection, where, before, limit, COUNTED, BACK)
    lines = _numbered(connection, [number for number, _ in found.places[:limit]])
    if total is None:
        return Found(lines, found.total, found.is_exact, found.reached)
    return Found(lines, total, False, found.reached)


def _leaves_few(connection: Connection, rest: LogSearch) -> bool:
    """Whether an index finds that few lines are asked for, whatever their text."""
    if rest == LogSearch():
        return False
    if (known := _known(connection, rest)) and known.most <= COUNTED:
        return True
    sqlite = connection.dialect.name == "sqlite"
    among = _among(connection, rest)
    of_peer = not sqlite and rest == LogSearch(peer=rest.peer)
    if not (among or of_peer or rest.has_index):
        return False
    where = [*rest.where(sqlite=sqlite), *among]
    some = sa.select(sa.literal(1)).select_from(decision_log).where(*where)
    counted = sa.select(sa.func.count()).select_from(some.limit(COUNTED + 1).subquery())
    return int(connection.execute(counted).scalar_one()) <= COUNTED


def _by_texts(
    connection: Connection,
    search: LogSearch,
    last: int,
    before: int | None = None,
    most: int = COUNTED,
) -> Pairs | None:
    """Numbers and times of the newest lines before one, newest first, by the index of
    texts, which goes up to ``last``.

    They are all there are unless they are more than ``most``. None: too many candidates
    were none.
    """
    sqlite = connection.dialect.name == "sqlite"
    where = search.where(sqlite=sqlite)
    number, at = decision_log.c.id, decision_log.c.at
    past = search.where(sqlite=sqlite, by_index=False)
    beyond = sa.select(number, at).where(*past, number > last)
    beyond = newest_first(beyond, decision_log, before)
    found = [(row.id, row.at) for row in connection.execute(beyond.limit(most + 1))]
    end = last if before is None else min(last, before - 1)
    asked = where
    if log_texts.is_sure(search.text, sqlite):
        asked = replace(search, text="").where(sqlite=sqlite)
    for _ in range(_LOOKS):
        if len(found) > most:
            return found
        of_text = log_texts.candidates(search.text, end, _LOOK, sqlite=sqlite)
        looked_at = _looked_at(of_text, sa.and_(sa.true(), *asked), sqlite)
        rows = connection.execute(looked_at).all()
        found += [(row.id, row.at) for row in rows if row.fits]
        if len(rows) < _LOOK:
            return found
        if len(found) * _LOOKS < most:
            return None
        end = rows[-1].id - 1
    return None


def _looked_at(
    of_text: sa.FromClause, fits: sa.ColumnElement[bool], sqlite: bool
) -> sa.Select[Any]:
    """Ask of each candidate, in their order, for its time and whether it fits."""
    number, at = decision_log.c.id, decision_log.c.at
    if sqlite:  # it takes a join from left to right
        wanted = sa.select(of_text.c.id, at, fits.label("fits"))
        joined = of_text.outerjoin(decision_log, of_text.c.id == number)
        return wanted.select_from(joined).order_by(of_text.c.id.desc())
    # One by one: PostgreSQL would rather go through all of the log, to join them.
    one = sa.select(at, fits.label("fits")).where(number == of_text.c.id)
    line = one.offset(0).lateral("line")
    wanted = sa.select(of_text.c.id, line.c.at, line.c.fits)
    joined = of_text.outerjoin(line, sa.true())
    return wanted.select_from(joined).order_by(of_text.c.id.desc())


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
    # One may be deleted meanwhile.
    return [found[number] for number in numbers if number in found]


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
