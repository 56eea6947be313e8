"""Who changed what, when and from where: in the same transaction as the change.

A line is one thing that was changed (``subject``: ``device 000413AABBCC``, ``layer
fleet``, ``vendor-ca SHA-256``, ``token NAME``, ``mark NAME``) with what differs.

Rules: a change that is rolled back leaves no line, and none is made without its line.
No line holds a secret (``provisioning.difference``); what is marked as one later is
taken out of the lines there are.
"""

import json
import os
import pwd
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.provisioning.difference import CHANGED, SECRET, Difference
from linekey.store.schema import changes, from_us, to_us

HERE = "command line"
_MAX_WHO, _MAX_SUBJECT = 128, 128


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something: a system account, or the name of a token; and where."""

    who: str
    place: str
    """``command line``, or the address that a request came from."""

    @classmethod
    def here(cls) -> Self:
        """The account that runs this process."""
        user = os.geteuid()
        try:
            return cls(pwd.getpwuid(user).pw_name[:_MAX_WHO], HERE)
        except KeyError:
            return cls(f"uid {user}", HERE)


@dataclass(frozen=True, slots=True)
class Changed:
    """What one thing's change was: ``action`` is add, change or remove."""

    action: str
    subject: str
    details: Sequence[Difference]


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A line of the record."""

    row_id: int
    at: datetime
    who: str
    place: str
    action: str
    subject: str
    details: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        """It as JSON values."""
        return {
            "id": self.row_id,
            "at": self.at.isoformat(),
            "who": self.who,
            "from": self.place,
            "action": self.action,
            "subject": self.subject,
            "changes": [one.as_json() for one in self.details],
        }


def put_on_record(
    connection: Connection,
    actor: Actor,
    done: Iterable[Changed],
    at: datetime | None = None,
) -> None:
    """Write lines of changes, made ``at`` or now, into the transaction of these."""
    at = at or datetime.now(UTC)
    lines = [
        {
            "at": to_us(at),
            "who": actor.who,
            "place": actor.place,
            "action": one.action,
            "subject": one.subject[:_MAX_SUBJECT],
            "details": _dump(one.details),
        }
        for one in done
    ]
    if lines:
        connection.execute(sa.insert(changes), lines)


def hide_values(connection: Connection, names: Collection[str]) -> None:
    """Take the values of settings of these names (lower case) out of all lines.

    For names that are marked as secrets from now on.
    """
    for name in names:
        wanted = sa.select(changes.c.id, changes.c.details).where(
            changes.c.details.icontains(f'"setting {name}', autoescape=True)
        )
        for row in connection.execute(wanted).all():
            details = [_hidden(one, name) for one in _read(row.details)]
            connection.execute(
                sa.update(changes)
                .where(changes.c.id == row.id)
                .values(details=_dump(details))
            )


def _hidden(one: Difference, name: str) -> Difference:
    if one.what.partition("[")[0].lower() != f"setting {name}":
        return one
    return Difference(
        one.what,
        None if one.before is None else SECRET,
        None if one.after is None else CHANGED,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSearch:
    """Which lines are wanted; empty texts and None: all. Times: from, and before."""

    who: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def where(self) -> list[sa.ColumnElement[bool]]:
        """It as conditions."""
        found: list[sa.ColumnElement[bool]] = []
        if self.who:
            found.append(changes.c.who == self.who)
        if self.subject:
            found.append(changes.c.subject == self.subject)
        if self.since is not None:
            found.append(changes.c.at >= to_us(self.since))
        if self.until is not None:
            found.append(changes.c.at < to_us(self.until))
        return found


def read_changes(
    connection: Connection,
    search: ChangeSearch,
    *,
    before: int | None = None,
    limit: int | None = None,
) -> list[ChangeLine]:
    """Return the newest lines, newest first; ``before``: older than that line."""
    wanted = sa.select(changes).where(*search.where()).order_by(changes.c.id.desc())
    if before is not None:
        wanted = wanted.where(changes.c.id < before)
    rows = connection.execute(wanted.limit(limit)).all()
    return [
        ChangeLine(
            row.id,
            from_us(row.at),
            row.who,
            row.place,
            row.action,
            row.subject,
            tuple(_read(row.details)),
        )
        for row in rows
    ]


def count_changes(connection: Connection, search: ChangeSearch) -> int:
    """Return how many lines there are."""
    wanted = sa.select(sa.func.count()).select_from(changes).where(*search.where())
    return int(connection.execute(wanted).scalar_one())


def _dump(details: Iterable[Difference]) -> str:
    plain = [one.as_json() for one in details]
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=True)


def _read(text: str) -> list[Difference]:
    return [Difference(one["what"], one["from"], one["to"]) for one in json.loads(text)]
