"""Messages on their way: written with what they tell, deleted long after.

A message has one row for each target. It waits until it is delivered, or until it was
tried ``retries.ATTEMPTS`` times; then it is undelivered, is listed, and can be put back
(``retry``). A crash between delivery and its note sends it again, with the same id.

Rules: nothing here grows without end: ``MAX_WAITING`` wait for a target at most, and
``KEPT`` of those that are done are kept, for ``KEEP``.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.alerts.retries import next_attempt
from linekey.alerts.targets import Outcome
from linekey.errors import InputError
from linekey.store.database import Database
from linekey.store.schema import from_us, messages, to_us

WAITING, SENT, UNDELIVERED = "waiting", "sent", "undelivered"
STATES = (WAITING, SENT, UNDELIVERED)
OPEN = (WAITING, UNDELIVERED)
"""Of what was not delivered."""
MAX_WAITING: Final = 1_000
"""Of one target. The oldest beyond are undelivered."""
KEPT: Final = 1_000
"""Of those sent, and of those undelivered; the newest."""
KEEP: Final = timedelta(days=30)
_AT_ONCE = 20
_GONE = "it is no longer a target: linekey.toml has another"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one target."""

    row_id: int
    message: str
    target: str
    label: str
    kind: str
    body: str
    state: str
    attempts: int
    made_at: datetime
    next_at: datetime | None
    tried_at: datetime | None
    problem: str

    def as_json(self) -> dict[str, Any]:
        """It as JSON values."""
        data = json.loads(self.body)["data"]
        return {
            "id": self.row_id,
            "message": self.message,
            "target": self.label,
            "kind": self.kind,
            "summary": data["summary"],
            "state": self.state,
            "attempts": self.attempts,
            "made_at": self.made_at.isoformat(),
            "tried_at": None if self.tried_at is None else self.tried_at.isoformat(),
            "next_at": None if self.next_at is None else self.next_at.isoformat(),
            "problem": self.problem,
        }


def put(
    connection: Connection,
    message: str,
    kind: str,
    body: dict[str, Any],
    to: Iterable[tuple[str, str]],
    now: datetime,
) -> None:
    """Write a message for each target (name, label), into the caller's transaction."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    rows = [
        {
            "message": message, "target": name, "label": label, "kind": kind,
            "body": text, "state": WAITING, "attempts": 0, "made_at": to_us(now),
            "next_at": to_us(now), "tried_at": None, "problem": "",
        }
        for name, label in to
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(messages), rows)


def due(database: Database, now: datetime, limit: int = _AT_ONCE) -> list[Delivery]:
    """Return messages that are to be sent now, oldest first."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(messages)
            .where(messages.c.state == WAITING, messages.c.next_at <= to_us(now))
            .order_by(messages.c.next_at, messages.c.id)
            .limit(limit)
        ).all()
    return list(map(_read, rows))


def note(
    database: Database,
    delivery: Delivery,
    outcome: Outcome,
    now: datetime,
    chance: float,
) -> datetime | None:
    """Write down what came of an attempt; return when the next one is, if one is."""
    attempts = delivery.attempts + 1
    again = None
    if not outcome.delivered and not outcome.final:
        again = next_attempt(attempts, now, chance, outcome.asked_s)
    state = SENT if outcome.delivered else UNDELIVERED if again is None else WAITING
    with database.write() as connection:
        connection.execute(
            sa.update(messages)
            .where(messages.c.id == delivery.row_id, messages.c.state == WAITING)
            .values(
                state=state,
                attempts=attempts,
                tried_at=to_us(now),
                next_at=None if again is None else to_us(again),
                problem=outcome.problem,
            )
        )
    return again


def tidy(database: Database, targets: Collection[str], now: datetime) -> None:
    """Keep within the bounds; what is for a target that there is no more is done."""
    waiting = messages.c.state == WAITING
    done = messages.c.state != WAITING
    stray = sa.and_(waiting, messages.c.target.not_in(list(targets)))
    old = sa.and_(done, messages.c.made_at < to_us(now - KEEP))
    with database.write() as connection:
        _give_up(connection, stray, _GONE)
        for target in targets:
            mine = sa.and_(waiting, messages.c.target == target)
            beyond = _beyond(connection, mine, MAX_WAITING)
            if beyond is not None:
                rest = sa.and_(mine, messages.c.id <= beyond)
                _give_up(connection, rest, f"more than {MAX_WAITING:,} waited for it")
        connection.execute(sa.delete(messages).where(old))
        for state in (SENT, UNDELIVERED):
            mine = messages.c.state == state
            beyond = _beyond(connection, mine, KEPT)
            if beyond is not None:
                rest = sa.and_(mine, messages.c.id <= beyond)
                connection.execute(sa.delete(messages).where(rest))


def _give_up(connection: Connection, which: sa.ColumnElement[bool], why: str) -> None:
    given_up = {"state": UNDELIVERED, "next_at": None, "problem": why}
    connection.execute(sa.update(messages).where(which).values(given_up))


def _beyond(
    connection: Connection, mine: sa.ColumnElement[bool], most: int
) -> int | None:
    """The newest row that is one too many."""
    wanted = sa.select(messages.c.id).where(mine)
    query = wanted.order_by(messages.c.id.desc()).offset(most).limit(1)
    return connection.execute(query).scalar()


def listed(
    database: Database, states: Sequence[str] = OPEN, limit: int | None = None
) -> list[Delivery]:
    """Return messages in one of these states, newest first; all without a limit."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(messages)
            .where(messages.c.state.in_(states))
            .order_by(messages.c.id.desc())
            .limit(limit)
        ).all()
    return list(map(_read, rows))


def counts(database: Database) -> dict[str, int]:
    """Return how many there are, by state."""
    with database.read() as connection:
        found = connection.execute(
            sa.select(messages.c.state, sa.func.count()).group_by(messages.c.state)
        ).all()
    return dict.fromkeys(STATES, 0) | {row[0]: int(row[1]) for row in found}


def retry(database: Database, row_id: int | None, now: datetime) -> int:
    """Have what was not delivered tried again at once, all or one; return how many.

    Raises InputError for a number that none has that was not delivered.
    """
    open_ = messages.c.state != SENT
    which = open_ if row_id is None else sa.and_(open_, messages.c.id == row_id)
    again = {"state": WAITING, "attempts": 0, "next_at": to_us(now)}
    with database.write() as connection:
        found = connection.execute(sa.update(messages).where(which).values(again))
    count = int(found.rowcount)
    if row_id is not None and not count:
        raise InputError(
            f"no message {row_id} waits or is undelivered",
            hint="linekey alert list shows those there are",
        )
    return count


def _read(row: sa.Row[Any]) -> Delivery:
    def at(us: int | None) -> datetime | None:
        return None if us is None else from_us(us)

    return Delivery(
        row.id, row.message, row.target, row.label, row.kind, row.body, row.state,
        row.attempts, from_us(row.made_at), at(row.next_at), at(row.tried_at),
        row.problem,
    )  # fmt: skip
