"""One row a pending phone: who it is and how often it came, written with its line.

``decision_log`` writes it in the transaction of the line, as it does with what
registered phones' visits say (``sightings``). Who is pending is the decision's to say
(``Decision.newcomer``).

Rules: a phone has one row at most, and none once it has a record: the database itself
leaves out who is registered. What the operator said of it (``state``) no visit changes.
A phone that asks again and again costs a row once in ``HELD``; what it asked meanwhile
is added to ``count`` by the next one. There are never more rows of which the operator
said nothing than ``keep`` and ``TRIM_EVERY`` for each process that writes; those that
did not come for the longest time go first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.mac import Mac
from linekey.provisioning.difference import Difference
from linekey.provisioning.pending import likely_model
from linekey.store.decisions import LogEntry, storable
from linekey.store.schema import from_us, pending, to_us
from linekey.store.sightings import HELD, MAX_USER_AGENT
from linekey.store.visit_rows import put_rows

TRIM_EVERY = 64
"""New phones of one process between two looks at how many rows there are."""
MAX_ISSUER = 200
"""Characters of a CA's name that are kept; a limit of ours."""
_MAX_HELD = 50_000  # phones, some 20 MB; then written anew

COLUMNS = (
    "mac", "code", "vendor", "model", "model_by", "generation", "issuer",
    "issuer_key_sha256", "certificate_sha256", "certificate_ends_at", "user_agent",
    "peer", "first_at", "last_at", "count", "waited", "group",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Held:
    """What was last written of a phone, and how often it came since."""

    at: datetime
    said: tuple[Any, ...]
    more: int = 0


class Newcomers:
    """What one writer wrote lately of pending phones."""

    def __init__(self) -> None:
        self._held: dict[Mac, _Held] = {}
        self._under_way: dict[Mac, _Held] = {}
        self.begun = 0
        """Rows that may be new, since somebody last looked how many there are."""

    def rows(self, entries: Iterable[LogEntry]) -> list[tuple[Any, ...]]:
        """Return the rows that have to be written; ``commit`` when they are.

        In the order of their MACs, so that two servers never wait for each other.
        """
        came: dict[Mac, list[LogEntry]] = {}
        for entry in entries:
            if entry.newcomer is not None:
                came.setdefault(entry.newcomer.mac, []).append(entry)
        self._under_way = {}
        rows = []
        for mac in sorted(came):
            last, times = came[mac][-1], len(came[mac])
            held = self._held.get(mac)
            said = _said(came[mac], held)
            if held is not None and held.said == said and _is_soon(held, last):
                self._under_way[mac] = _Held(held.at, said, held.more + times)
                continue
            if held is not None:
                times += held.more
            self._under_way[mac] = _Held(last.at, said)
            rows.append(_row(came[mac], times))
        return rows

    def commit(self) -> None:
        """Note that what ``rows`` returned is written."""
        if len(self._held) >= _MAX_HELD:
            self._held.clear()
        self.begun += sum(mac not in self._held for mac in self._under_way)
        self._held.update(self._under_way)
        self._under_way = {}


def _is_soon(held: _Held, entry: LogEntry) -> bool:
    return entry.at >= held.at and entry.at - held.at < HELD


def _said(entries: list[LogEntry], held: _Held | None) -> tuple[Any, ...]:
    """What is written at once if it is new; not a User-Agent that is always another."""
    last = entries[-1]
    newcomer = last.newcomer
    assert newcomer is not None
    waits = _waits(entries) or (held is not None and held.said[-1])
    return last.certificate_sha256, newcomer.group, waits


def _waits(entries: list[LogEntry]) -> bool:
    return any(e.newcomer is not None and e.newcomer.waits for e in entries)


def _row(entries: list[LogEntry], times: int) -> tuple[Any, ...]:
    last = entries[-1]
    newcomer = last.newcomer
    assert newcomer is not None
    agent = None
    if last.user_agent is not None:
        agent = storable(last.user_agent)[:MAX_USER_AGENT]
    model, by = likely_model(newcomer, agent)
    ends = last.certificate_ends_at
    return (
        newcomer.mac.digits,
        newcomer.code,
        storable(newcomer.vendor)[:32],
        None if model is None else storable(model)[:64],
        by,
        last.generation,
        storable(newcomer.issuer)[:MAX_ISSUER],
        last.issuer_key_sha256,
        last.certificate_sha256,
        None if ends is None else to_us(ends),
        agent,
        last.peer,
        to_us(entries[0].at),
        to_us(last.at),
        times,
        int(_waits(entries)),
        newcomer.group,
    )


class Left(NamedTuple):
    """What was known of a pending phone that has a record now."""

    waited: bool
    code: str
    first_at: datetime

    @property
    def difference(self) -> Difference:
        """It for the record of changes."""
        since = f"since {self.first_at:%Y-%m-%d %H:%M} UTC, code {self.code}"
        return Difference("pending", since, None)


NEVER = Left(False, "", datetime.min)
"""Of a phone that was not pending."""


def came_from(left: Mapping[Mac, Left], mac: Mac) -> tuple[Difference, ...]:
    """What the record of changes says of a phone beside its record."""
    return (left[mac].difference,) if mac in left else ()


def no_longer_pending(connection: Connection, macs: Sequence[Mac]) -> dict[Mac, Left]:
    """Take phones that are being registered out of the pending ones."""
    found: dict[Mac, Left] = {}
    if macs:
        those = pending.c.mac.in_([mac.digits for mac in macs])
        for row in connection.execute(sa.select(pending).where(those)):
            first_at = from_us(row.first_at)
            found[Mac(row.mac)] = Left(bool(row.waited), row.code, first_at)
        if found:
            connection.execute(sa.delete(pending).where(those))
    return found


_NEW = {
    "first_at": "LEAST(old.first_at, excluded.first_at)",
    "count": 'old."count" + excluded."count"',
    "waited": "GREATEST(old.waited, excluded.waited)",
    # A certificate's word stands; so does what a visit before said of itself.
    "model": "COALESCE(excluded.model, old.model)",
    "model_by": "COALESCE(excluded.model_by, old.model_by)",
}


@cache
def statement(count: int, mark: str) -> str:
    """The statement that puts ``count`` rows in; ``mark``: the driver's placeholder."""
    return put_rows(pending, COLUMNS, count, mark, registered=False, new=_NEW)


def trim(mark: str) -> str:
    """The statement that deletes the oldest rows beyond a number, its one value."""
    rest = "LIMIT -1 OFFSET" if mark == "?" else "OFFSET"
    return (
        f"DELETE FROM {pending.name} WHERE mac IN "  # noqa: S608 - our own names
        f"(SELECT mac FROM {pending.name} WHERE state = 'open' "
        f"ORDER BY last_at DESC, mac {rest} {mark})"
    )
