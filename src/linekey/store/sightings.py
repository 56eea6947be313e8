"""One row a registered phone: when it was seen, with what, and what came of it.

``decision_log`` writes it in the transaction of the phone's line, so lists and the
forecast need not read the log. Who is seen is who proved to be that phone: by its
certificate, or by a one-time token or password that was good. A refused handshake, and
a certificate that proves only the vendor, show nobody.

Rules: a registered phone has one row at most, and nobody else has any. What a visit
says replaces what the one before said, in the order of writing. Reason and outcome are
of the phone's own file: whether it asked for optional files, or in vain for others, is
in the log. Through a database that is limited to groups a visit is there only if the
phone was in one of these when it came.

Clocks: where one is set back, by up to a day, or never was set (``CLOCK_FLOOR_YEAR``),
first and last visit stay; what is more than a day ahead of a visit was written by a
clock that was wrong, and is put right.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.catalog.models import Generation
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.decision import Reason
from linekey.store.database import Database
from linekey.store.decisions import LogEntry, storable
from linekey.store.schema import devices, from_us, sightings, to_us
from linekey.store.visit_rows import put_rows
from linekey.trust.validity import CLOCK_FLOOR_YEAR
from linekey.words import choice_hint

MAX_USER_AGENT = 200
"""Characters of a User-Agent that are kept; a limit of ours."""

COLUMNS = tuple(column.name for column in sightings.columns)
_SECOND_FACTOR = frozenset({Reason.TOKEN_ACCEPTED.value, Reason.DIGEST_ACCEPTED.value})
HELD = timedelta(minutes=1)
"""For so long a visit that says nothing new but its time is not written: a minute, in
which a phone that starts has all its files. So ``last_at`` may be so much too early."""
_MAX_LATELY = 50_000  # phones, some 20 MB; then written anew
_READ = 500  # rows in one question


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What is known of a phone from its visits."""

    first_at: datetime
    last_at: datetime
    reason: str | None
    """Why it last got its file, or did not; None: it has not asked for it."""
    outcome: str | None
    refused_at: datetime | None
    """When it was last refused its file."""
    certificate_sha256: str | None
    issuer_key_sha256: str | None
    """Of the key of the CA that issued its certificate."""
    certificate_ends_at: datetime | None
    """The first end of validity on the certificate's path."""
    generation: str | None
    user_agent: str | None
    peer: str

    def as_json(self) -> dict[str, Any]:
        """Write it as JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in plain.items()
        }


def seen_json(sighting: Sighting | None) -> dict[str, Any]:
    """What a phone's JSON has beside its record; null: never seen."""
    return {"seen": None if sighting is None else sighting.as_json()}


def sightings_of(database: Database, macs: Iterable[Mac]) -> dict[Mac, Sighting]:
    """Return what is known of those of these phones that were ever seen.

    Who is limited to groups is told what was said since a phone is in its group.
    """
    listed = [mac.digits for mac in macs]
    found: dict[Mac, Sighting] = {}
    with database.read() as connection:
        for start in range(0, len(listed), _READ):
            part = sightings.c.mac.in_(listed[start : start + _READ])
            wanted = sa.select(sightings).where(part, *_reached(database.within))
            for row in connection.execute(wanted):
                plain = dict(row._mapping)
                mac, since = Mac(plain.pop("mac")), plain.pop("group_since")
                del plain["group"]
                if database.within is not None:
                    plain["first_at"] = since
                    if (plain["refused_at"] or since) < since:
                        plain["refused_at"] = None
                for name, value in plain.items():
                    if name.endswith("_at") and value is not None:
                        plain[name] = from_us(value)
                found[mac] = Sighting(**plain)
    return found


def certificates_seen(
    database: Database, macs: Collection[str] | None = None
) -> dict[str, tuple[datetime, str]]:
    """Return by MAC when a certificate's path ends, and the SHA-256 of its CA's key.

    Of phones that showed one; of some hundred ``macs`` alone, if given.
    """
    ends, issuer = sightings.c.certificate_ends_at, sightings.c.issuer_key_sha256
    seen = sa.select(sightings.c.mac, ends, issuer).where(*_reached(database.within))
    if macs is not None:
        seen = seen.where(sightings.c.mac.in_(sorted(macs)))
    with database.read() as connection:
        rows = connection.execute(seen.where(ends.is_not(None), issuer.is_not(None)))
        return {mac: (from_us(end), key) for mac, end, key in rows}


def forget_sightings(connection: Connection, macs: Sequence[Mac]) -> None:
    """Forget phones whose records are removed."""
    if macs:
        gone = sightings.c.mac.in_([mac.digits for mac in macs])
        connection.execute(sa.delete(sightings).where(gone))


# ---- writing ----


def rows_of(entries: Iterable[LogEntry]) -> list[tuple[Any, ...]]:
    """The rows that these lines make, one a phone, in the order of their MACs.

    So two servers never wait for each other's rows.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for entry in entries:
        if (mac := _seen(entry)) is None:
            continue
        row = _row(mac, entry)
        before = found.get(mac.digits)
        if before is not None:
            row = _joined(before, row)
        found[mac.digits] = row
    return [found[digits] for digits in sorted(found)]


def _seen(entry: LogEntry) -> Mac | None:
    if entry.kind != "decision":
        return None
    if entry.mac is not None:
        return entry.mac
    return entry.target_mac if entry.reason in _SECOND_FACTOR else None


_BESIDE = frozenset({Reason.UPLOAD_REFUSED, Reason.OPTIONAL_FILE})
"""What phones do besides, whether they get their files or not."""


def _came_of_it(entry: LogEntry) -> tuple[str, str] | None:
    """Reason and outcome, if it asked for a phone's file."""
    if entry.target_mac is None or entry.reason in _BESIDE:
        return None
    return entry.reason, entry.outcome


def _row(mac: Mac, entry: LogEntry) -> tuple[Any, ...]:
    at = to_us(entry.at)
    own = _came_of_it(entry)
    agent = entry.user_agent
    return (
        mac.digits,
        at,
        at,
        own and own[0],
        own and own[1],
        at if own and entry.outcome == "refused" else None,
        entry.certificate_sha256,
        entry.issuer_key_sha256,
        None if entry.certificate_ends_at is None else to_us(entry.certificate_ends_at),
        entry.generation,
        None if agent is None else storable(agent)[:MAX_USER_AGENT],
        entry.peer,
        entry.group,
        at,
    )


_A_DAY_US = 86_400_000_000
_NOT_SET_US = to_us(datetime(CLOCK_FLOOR_YEAR, 1, 1, tzinfo=UTC))
_AT = {name: COLUMNS.index(name) for name in COLUMNS}


def _was_ahead(old: int, visit: int) -> bool:
    """Whether a time was written by a clock that was wrong, as a visit's tells."""
    return visit >= _NOT_SET_US and old > visit + _A_DAY_US


def _joined(before: tuple[Any, ...], after: tuple[Any, ...]) -> tuple[Any, ...]:
    """As the statement would have it, were the two written one after the other."""
    row, at = list(after), after[_AT["last_at"]]
    same_group = before[_AT["group"]] == after[_AT["group"]]
    for name in ("first_at", *(["group_since"] if same_group else ())):
        old = before[_AT[name]]
        row[_AT[name]] = after[_AT[name]] if _was_ahead(old, at) else old
    for name in ("last_at", "refused_at"):
        old, new = before[_AT[name]], after[_AT[name]]
        if new is None:
            row[_AT[name]] = old
        elif old is not None and not _was_ahead(old, at):
            row[_AT[name]] = max(old, new)
    for name in ("reason", "outcome") if same_group else ():
        if after[_AT[name]] is None:
            row[_AT[name]] = before[_AT[name]]
    return tuple(row)


def _ahead(name: str) -> str:
    return (
        f"excluded.last_at >= {_NOT_SET_US} "
        f"AND old.{name} > excluded.last_at + {_A_DAY_US}"
    )


def _first(name: str) -> str:
    return f"CASE WHEN {_ahead(name)} THEN excluded.{name} ELSE old.{name} END"


def _last(name: str) -> str:
    later = f"GREATEST(old.{name}, excluded.{name})"  # SQLite's is NULL if one is
    last = f"CASE WHEN {_ahead(name)} THEN excluded.{name} ELSE {later} END"
    return f"COALESCE({last}, excluded.{name}, old.{name})"


def _in_group(same: str, other: str) -> str:
    is_same = 'old."group" IS NOT DISTINCT FROM excluded."group"'
    return f"CASE WHEN {is_same} THEN {same} ELSE {other} END"


_NEW = {
    "first_at": _first("first_at"),
    "group_since": _in_group(_first("group_since"), "excluded.group_since"),
    "last_at": _last("last_at"),
    "refused_at": _last("refused_at"),
    **{
        name: _in_group(f"COALESCE(excluded.{name}, old.{name})", f"excluded.{name}")
        for name in ("reason", "outcome")
    },
}


@cache
def statement(count: int, mark: str) -> str:
    """The statement that puts ``count`` rows in; ``mark`` is the driver's placeholder.

    Rows of phones that have no record are left out by the database itself.
    """
    return put_rows(sightings, COLUMNS, count, mark, registered=True, new=_NEW)


class Lately:
    """What one writer wrote lately, so that a phone's second file costs no row.

    A phone that starts asks for several files within seconds; each row is a page of
    the database to write. What differs in more than the time is written at once.
    """

    def __init__(self) -> None:
        self._written: dict[Mac, _Held] = {}
        self._under_way: list[LogEntry] = []

    def rows(self, entries: Iterable[LogEntry]) -> list[tuple[Any, ...]]:
        """Return the rows that have to be written; ``commit`` when they are."""
        self._under_way = [entry for entry in entries if self._says_more(entry)]
        return rows_of(self._under_way)

    def commit(self) -> None:
        """Note that what ``rows`` returned is written."""
        if len(self._written) >= _MAX_LATELY:
            self._written.clear()
        for entry in self._under_way:
            if (mac := _seen(entry)) is not None:
                before = self._written.get(mac)
                came_of_it = _came_of_it(entry) or (before and before[2])
                self._written[mac] = (entry.at, _said(entry), came_of_it)
        self._under_way = []

    def _says_more(self, entry: LogEntry) -> bool:
        if (mac := _seen(entry)) is None:
            return False
        before = self._written.get(mac)
        if before is None or not _NO_TIME <= entry.at - before[0] < HELD:
            return True
        came_of_it = _came_of_it(entry)
        if came_of_it is not None and came_of_it != before[2]:
            return True
        return _said(entry) != before[1]


_NO_TIME = timedelta(0)
_Held = tuple[datetime, tuple[Any, ...], tuple[str, str] | None]


def _said(entry: LogEntry) -> tuple[Any, ...]:
    return (
        entry.peer,
        entry.certificate_sha256,
        entry.user_agent,
        entry.certificate_ends_at,
        entry.issuer_key_sha256,
        entry.group,
    )


# ---- selecting ----

CONDITIONS = (
    "seen", "not_seen_since", "refused_since", "certificate_ends_before",
    "certificate_generation", "last_reason", "issuer",
)  # fmt: skip
"""What phones can be selected by, as ``selection.Condition`` names it."""


def clause(
    name: str, value: str, within: frozenset[str] | None = None
) -> sa.ColumnElement[bool]:
    """A condition of SQL on ``devices``, of visits ``within`` these groups (None: all).

    Raises InputError for a value that is none.
    """
    seen = partial(_there, within)
    if name == "seen":
        wanted = value.strip().lower()
        if wanted not in {"never", "ever"}:
            raise InputError(
                f"seen is never or ever, not {value[:40]!r}",
                hint="not_seen_since=2026-01-31 finds who has not come since then",
            )
        return ~seen() if wanted == "never" else seen()
    if name == "certificate_generation":
        known = [generation.value for generation in Generation]
        if value.lower() not in known:
            raise InputError(
                f"no generation {value[:40]!r}", hint=choice_hint(value, known)
            )
        return seen(sightings.c.generation == value.lower())
    if name == "last_reason":
        return seen(sightings.c.reason == value.strip().lower())
    if name == "issuer":
        digits = value.replace(":", "").strip().lower()
        return seen(sightings.c.issuer_key_sha256 == digits)
    at = to_us(parse_time(name, value))
    if name == "not_seen_since":
        return ~seen(sightings.c.last_at >= at)
    if name == "refused_since":
        found = [sightings.c.refused_at >= at]
        if within is not None:
            found.append(sightings.c.refused_at >= sightings.c.group_since)
        return seen(*found)
    return seen(sightings.c.certificate_ends_at < at)


def from_address(
    pattern: str, within: frozenset[str] | None = None
) -> sa.ColumnElement[bool]:
    """Phones that came from an address last, by a pattern of LIKE."""
    return _there(within, sightings.c.peer.like(pattern, escape="\\"))


def parse_time(name: str, value: str) -> datetime:
    """Read an ISO 8601 time, UTC unless it says otherwise; raises InputError."""
    try:
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(
            f"{name} is not a time: {value[:40]!r}",
            hint=f"write {name}=2026-01-31, or 2026-01-31T12:00",
        ) from None


def _there(
    within: frozenset[str] | None, *where: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    # Not correlated, so that a database begins with the few rows of an index.
    seen = sa.select(sightings.c.mac).where(*where, *_reached(within))
    return devices.c.mac.in_(seen)


def _reached(within: frozenset[str] | None) -> list[sa.ColumnElement[bool]]:
    return [] if within is None else [sightings.c.group.in_(sorted(within))]
