"""How many decisions there were: by hour and outcome, and for which reasons.

Rule: one question to the index on time, within bounds of it. A counted line counts as
many as it stands for, at its first one's hour.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.store.schema import decision_log, from_us, to_us

HOUR = timedelta(hours=1)
_HOUR_US = 3_600_000_000
MAX_HOURS = 31 * 24
OUTCOMES = ("granted", "blanked", "refused", "absent")


@dataclass(frozen=True, slots=True)
class Hour:
    """What was decided in an hour."""

    at: datetime
    """Its first moment."""
    counts: dict[str, int] = field(default_factory=dict)
    """By outcome; handshakes that were refused are ``refused``."""

    def as_json(self) -> dict[str, Any]:
        """It as JSON values."""
        named = {name: self.counts.get(name, 0) for name in OUTCOMES}
        return {"at": self.at.isoformat(), **named}


@dataclass(frozen=True, slots=True)
class LogCounts:
    """The hours in order, none left out, and the reasons, the most frequent first."""

    hours: list[Hour]
    reasons: list[tuple[str, str, int]]
    """Reason, outcome, how often."""


Groups = frozenset[str] | None
"""To whose lines a count is limited; None: it is not."""
_Counted = dict[tuple[str, str], int]
"""Of an hour: how often, by reason and outcome."""
_SETTLED = 2
"""Hours after which an hour's lines are all there: a line that counts strangers stands
at its first one's time, and is written some minutes later."""
_MOST = 16
"""Sets of groups whose hours are remembered."""


class HourCounts:
    """Counts what was decided; hours that are long over are remembered.

    What is deleted of the log meanwhile stays counted, until the next start. May be
    asked from several threads.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Groups, dict[int, _Counted]] = OrderedDict()
        self._lock = threading.Lock()
        self._latest = 0

    def count(
        self,
        connection: Connection,
        since: datetime,
        until: datetime,
        now: datetime,
        groups: Groups = None,
    ) -> LogCounts:
        """Count what was decided from the hour of ``since`` to that of ``until``."""
        first, last = to_us(since) // _HOUR_US, to_us(until) // _HOUR_US
        this = to_us(now) // _HOUR_US
        with self._lock:
            known = self._of(groups, this)
            found = {h: known[h] for h in range(first, last + 1) if h in known}
        missing = [hour for hour in range(first, last + 1) if hour not in found]
        if missing:
            new = _counted(connection, missing[0], missing[-1], groups)
            found |= new
            with self._lock:
                known |= {h: c for h, c in new.items() if h + _SETTLED <= this}
                while len(known) > 2 * MAX_HOURS:
                    del known[min(known)]
        return _summed(found)

    def _of(self, groups: Groups, this: int) -> dict[int, _Counted]:
        if this < self._latest:  # the clock was ahead: those hours were not over
            self._kept.clear()
        self._latest = this
        known = self._kept.setdefault(groups, {})
        self._kept.move_to_end(groups)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return known


def _counted(
    connection: Connection, first: int, last: int, groups: Groups
) -> dict[int, _Counted]:
    """Each hour from ``first`` to ``last``, both included."""
    # Not bound values: PostgreSQL would take two of them for two expressions.
    hour: sa.ColumnElement[int] = sa.literal_column(f"decision_log.at / {_HOUR_US}")
    wanted = (
        sa.select(
            hour.label("hour"), decision_log.c.outcome, decision_log.c.reason,
            sa.func.sum(decision_log.c.times).label("times"),
        )
        .where(decision_log.c.at >= first * _HOUR_US)
        .where(decision_log.c.at < (last + 1) * _HOUR_US)
        .group_by(hour, decision_log.c.outcome, decision_log.c.reason)
    )  # fmt: skip
    if groups is not None:
        wanted = wanted.where(decision_log.c.group.in_(sorted(groups)))
    found: dict[int, _Counted] = {number: {} for number in range(first, last + 1)}
    for row in connection.execute(wanted):
        found[int(row.hour)][row.reason, row.outcome] = int(row.times)
    return found


def _summed(found: dict[int, _Counted]) -> LogCounts:
    hours, reasons = [], dict[tuple[str, str], int]()
    for number, counted in sorted(found.items()):
        hour = Hour(from_us(number * _HOUR_US))
        hours.append(hour)
        for (reason, outcome), times in counted.items():
            hour.counts[outcome] = hour.counts.get(outcome, 0) + times
            reasons[reason, outcome] = reasons.get((reason, outcome), 0) + times
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return LogCounts(hours, [(*of, times) for of, times in ranked])
