"""Decisions found again, the newest first, page by page: for the API and the pages.

Rule: every value is bound. A page begins before the last line of the one before it, so
what comes meanwhile moves nothing.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.mac import Mac
from linekey.store.decisions import LogEntry, entry_of
from linekey.store.schema import decision_log, to_us


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSearch:
    """Which lines are wanted; what is empty or None asks for nothing."""

    mac: Mac | None = None
    """Where it is the phone that was proved, or the one asked for."""
    outcome: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None
    """Before then."""

    def where(self) -> list[sa.ColumnElement[bool]]:
        """It as conditions."""
        found: list[sa.ColumnElement[bool]] = []
        if self.mac is not None:
            digits = self.mac.digits
            found.append(
                sa.or_(
                    decision_log.c.mac == digits, decision_log.c.target_mac == digits
                )
            )
        if self.outcome:
            found.append(decision_log.c.outcome == self.outcome)
        if self.reason:
            found.append(decision_log.c.reason == self.reason)
        if self.since is not None:
            found.append(decision_log.c.at >= to_us(self.since))
        if self.until is not None:
            found.append(decision_log.c.at < to_us(self.until))
        return found


def find_lines(
    connection: Connection, search: LogSearch, *, before: int | None, limit: int
) -> list[LogEntry]:
    """Return the newest lines, newest first; ``before``: older than that line."""
    wanted = sa.select(decision_log).where(*search.where())
    if before is not None:
        wanted = wanted.where(decision_log.c.id < before)
    rows = connection.execute(wanted.order_by(decision_log.c.id.desc()).limit(limit))
    return [entry_of(row) for row in rows]


def count_lines(connection: Connection, search: LogSearch) -> int:
    """Return how many lines there are."""
    wanted = sa.select(sa.func.count()).select_from(decision_log)
    return int(connection.execute(wanted.where(*search.where())).scalar_one())
