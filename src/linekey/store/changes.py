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
from typing import Any, NamedTuple, Self

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.engine import Connection

from linekey.makers.known import is_secret
from linekey.provisioning.difference import CHANGED, SECRET, Difference
from linekey.store.many_rows import insert_rows
from linekey.store.schema import changes, from_us, to_us

HERE = "command line"
_MAX_WHO, _MAX_SUBJECT = 128, 128
_WRITTEN = (
    "at", "who", "place", "action", "subject", "details", "group", "left_group",
)  # fmt: skip


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
    group: str | None = None
    """Whose phone or layer it is."""
    left_group: str | None = None
    """Whose phone it was before, empty for nobody's; None: the same."""


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


class Moment(NamedTuple):
    """A place in a list without the lines' numbers: their time, and how many lines of
    that time came before the place.

    For who is limited to groups: a line's number says how many there are of others.
    """

    at: int
    """Microseconds since 1970."""
    passed: int


def newest_first(
    query: sa.Select[Any], table: sa.FromClause, before: int | Moment | None
) -> sa.Select[Any]:
    """Order a query of lines, and have it begin behind one, or at a moment."""
    if isinstance(before, Moment):
        query = query.where(table.c.at <= before.at).offset(before.passed)
        return query.order_by(table.c.at.desc(), table.c.id.desc())
    if before is not None:
        query = query.where(table.c.id < before)
    return query.order_by(table.c.id.desc())


def put_on_record(
    connection: Connection,
    actor: Actor,
    done: Iterable[Changed],
    at: datetime | None = None,
) -> None:
    """Write lines of changes, made ``at`` or now, into the transaction of these."""
    at = at or datetime.now(UTC)
    us, who, place = to_us(at), actor.who, actor.place
    lines = [
        (
            us,
            who,
            place,
            one.action,
            one.subject[:_MAX_SUBJECT],
            _dump(one.details),
            one.group,
            one.left_group,
        )
        for one in done
    ]
    insert_rows(connection, changes, _WRITTEN, lines)


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


def hide_secrets(connection: Connection) -> None:
    """Take out of all lines the values of settings that are secrets by their names.

    For an older linekey's lines, which knew fewer such names.
    """
    wanted = sa.select(changes.c.id, changes.c.details).where(
        changes.c.details.contains('"setting ', autoescape=True)
    )
    for row in connection.execute(wanted).all():
        before = _read(row.details)
        names = {one.what.partition("[")[0].removeprefix("setting ") for one in before}
        details = before
        for name in names:
            if is_secret(name):
                details = [_hidden(one, name.lower()) for one in details]
        if details != before:
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
    group: str = ""
    """What belongs to it, or did before."""
    groups: frozenset[str] | None = None
    """Only what belongs to one of these groups, and did before, too."""

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
        if self.group:
            its = (changes.c.group == self.group, changes.c.left_group == self.group)
            found.append(sa.or_(*its))
        if self.groups is not None:
            those = sorted(self.groups)
            left = changes.c.left_group
            found.append(changes.c.group.in_(those))
            found.append(sa.or_(left.is_(None), left.in_(those)))
        return found


def read_changes(
    connection: Connection,
    search: ChangeSearch,
    *,
    before: int | Moment | None = None,
    limit: int | None = None,
) -> list[ChangeLine]:
    """Return the newest lines, newest first; ``before``: older than that line."""
    wanted = newest_first(sa.select(changes).where(*search.where()), changes, before)
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
    plain = [{"what": what, "from": old, "to": new} for what, old, new in details]
    try:
        return to_json(plain).decode()
    except ValueError:  # half a character in a label
        return json.dumps(plain, separators=(",", ":"))


def _read(text: str) -> list[Difference]:
    return [Difference(one["what"], one["from"], one["to"]) for one in json.loads(text)]
