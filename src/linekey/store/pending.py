"""Pending phones as the operator sees them: listed, approved, refused, forgotten.

A phone is approved by its MAC, or by a selection whose number the operator saw; never
by its code, which two phones may share. Approving makes the record, takes the phone off
the list and puts both on the record of changes, in one transaction; the phone has its
file at its next request.

Rules: what is approved is what is listed: a phone with a record meanwhile is not there
any more. Who is limited to groups sees phones that a rule means for one of these, and
approves them into that group alone.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.provisioning.difference import Difference
from linekey.provisioning.group import parse_group
from linekey.provisioning.pending import Adoption, known_model, record_vendor
from linekey.said import say
from linekey.store.adoption import read_adoption_rule
from linekey.store.changes import Changed, put_on_record
from linekey.store.database import Database
from linekey.store.device_rows import parse_model, vendor_of_model
from linekey.store.devices import Change, Devices
from linekey.store.expected import check_expected
from linekey.store.schema import adoption_rules, devices, from_us, pending
from linekey.store.selection import like, one_of, search_in

State = Literal["open", "refused"]
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingPhone:
    """A phone that proved itself and has no record."""

    mac: Mac
    state: State
    refused_reason: str
    code: str
    """As a waiting file shows it on the display."""
    vendor: str
    model: str | None
    model_by: str | None
    """``certificate`` proves it; ``user_agent`` and ``file`` are its own word."""
    generation: str | None
    """Of its certificate."""
    issuer: str
    issuer_key_sha256: str | None
    certificate_sha256: str | None
    certificate_ends_at: datetime | None
    user_agent: str | None
    peer: str
    first_at: datetime
    last_at: datetime
    """May be a minute too early (``sightings.HELD``)."""
    count: int
    """Of its requests; those of the last minute may be missing."""
    waited: bool
    """Whether it ever got a waiting file."""
    group: str | None
    """That a rule means it for."""

    def as_json(self) -> dict[str, Any]:
        """It as JSON values."""
        return {
            "mac": self.mac.digits,
            "state": self.state,
            "refused_reason": self.refused_reason,
            "code": self.code,
            "vendor": self.vendor,
            "model": self.model,
            "model_by": self.model_by,
            "generation": self.generation,
            "issuer": self.issuer,
            "issuer_key_sha256": self.issuer_key_sha256,
            "certificate_sha256": self.certificate_sha256,
            "certificate_ends_at": _iso(self.certificate_ends_at),
            "user_agent": self.user_agent,
            "peer": self.peer,
            "first_at": _iso(self.first_at),
            "last_at": _iso(self.last_at),
            "count": self.count,
            "waited": self.waited,
            "group": self.group,
        }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSearch:
    """Which pending phones; None and empty: any. Patterns have ``*`` and ``?``."""

    macs: frozenset[Mac] | None = None
    search: str = ""
    """In MAC, model, User-Agent, address, issuer and code."""
    vendor: str | None = None
    model: str | None = None
    generation: str | None = None
    peer: str | None = None
    group: str | None = None
    """That a rule means it for; empty: none does."""
    code: str | None = None
    state: State | None = None

    @property
    def is_all(self) -> bool:
        """Whether every phone is meant, in this state or any."""
        named = (
            self.macs, self.vendor, self.model, self.generation, self.peer,
            self.group, self.code,
        )  # fmt: skip
        return all(each is None for each in named) and not self.search

    def clauses(self, sqlite: bool) -> list[sa.ColumnElement[bool]]:
        """It as conditions. Raises InputError for a pattern that is none."""
        found: list[sa.ColumnElement[bool]] = []
        if self.macs is not None:
            found.append(one_of(pending.c.mac, self.macs, sqlite))
        if self.search:
            columns = [
                pending.c.mac, pending.c.model, pending.c.user_agent, pending.c.peer,
                pending.c.issuer, pending.c.code,
            ]  # fmt: skip
            found.append(search_in(columns, pending.c.mac, self.search, sqlite))
        for name in ("vendor", "model", "generation", "peer", "group", "code"):
            pattern = getattr(self, name)
            if pattern is not None:
                column = sa.func.coalesce(pending.c[name], "")
                found.append(like(column, pattern, sqlite))
        if self.state is not None:
            found.append(pending.c.state == self.state)
        return found


EVERYTHING = PendingSearch()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What the records of approved phones are to say; what is None is left to the rule
    that speaks of the phone, then to what is known of it."""

    label: str | None = None
    group: str | None = None
    """Empty: none."""
    model: str | None = None


class Told(NamedTuple):
    """What was done with one pending phone, or would be."""

    mac: Mac
    code: str
    device: Device | None = None
    """The record that it gets, if it is approved."""


class Pending:
    """The pending phones, to list and to decide on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, mac: Mac) -> PendingPhone:
        """Return one. Raises InputError if it is not pending."""
        wanted = PendingSearch(macs=frozenset({mac}))
        found, _ = self.page(wanted, None, 1)
        if not found:
            raise _not_pending([mac])
        return found[0]

    def page(
        self, wanted: PendingSearch, cursor: str | None, limit: int
    ) -> tuple[list[PendingPhone], str | None]:
        """Return phones from a cursor on, those first that came last for the first
        time, and the cursor to go on with, if any. Raises InputError."""
        columns = (pending.c.first_at, pending.c.mac)
        query = sa.select(pending).where(*self._where(wanted))
        if cursor is not None:
            query = query.where(sa.tuple_(*columns) < sa.tuple_(*_place(cursor)))
        query = query.order_by(*(c.desc() for c in columns)).limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        found = [_phone(row) for row in rows[:limit]]
        more = len(rows) > limit
        return found, _cursor(rows[limit - 1]) if more else None

    def all(self, wanted: PendingSearch = EVERYTHING) -> Iterator[PendingPhone]:
        """Yield all, a part of them in memory at a time."""
        cursor = None
        while True:
            found, cursor = self.page(wanted, cursor, _CHUNK)
            yield from found
            if cursor is None:
                return

    def count(self, wanted: PendingSearch = EVERYTHING) -> int:
        """Return how many there are."""
        with self._database.read() as connection:
            return self._count(connection, wanted)

    def states(self) -> dict[str, int]:
        """Return how many there are in each state."""
        query = sa.select(pending.c.state, sa.func.count()).where(
            *self._where(EVERYTHING)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(pending.c.state)).all()
        found = {"open": 0, "refused": 0}
        return found | {row[0]: int(row[1]) for row in rows}

    def approve(
        self,
        wanted: PendingSearch,
        approval: Approval,
        now: datetime,
        *,
        expected: int | None = None,
        dry_run: bool = False,
        unless: Callable[[PendingPhone], None] = lambda phone: None,
    ) -> list[Told]:
        """Register all phones of a selection, or none; return their records.

        ``expected`` is how many there were when the operator agreed. Raises InputError
        for a MAC that is not pending, if there are more or fewer now, for a model or
        group that is not there, and whatever ``unless`` raises, which gets each phone
        as it is now.
        """
        told: list[Told] = []

        def parts(connection: Connection) -> Iterator[list[Change]]:
            self._check(connection, wanted, expected)
            rules = _rules(connection)
            for phones in self._parts(connection, wanted):
                part = []
                for phone in phones:
                    unless(phone)
                    device = self._record(phone, approval, rules)
                    told.append(Told(phone.mac, phone.code, device))
                    part.append(Change(None, device))
                yield part

        devices = Devices(self._database)
        devices.apply(parts, now, dry_run=dry_run, registers=True)
        if dry_run:
            return told
        made: dict[Mac, Device] = {}
        with self._database.read() as connection:
            for start in range(0, len(told), _CHUNK):
                part = [one.mac for one in told[start : start + _CHUNK]]
                made |= devices.those(connection, part)
        return [one._replace(device=made.get(one.mac, one.device)) for one in told]

    def refuse(
        self,
        wanted: PendingSearch,
        reason: str,
        now: datetime,
        *,
        expected: int | None = None,
        dry_run: bool = False,
        unless: Callable[[PendingPhone], None] = lambda phone: None,
    ) -> list[Told]:
        """Refuse all phones of a selection: whatever the policy, they get nothing."""
        values = {"state": "refused", "refused_reason": reason}
        return self._decide(wanted, "refuse", values, now, expected, dry_run, unless)

    def forget(
        self,
        wanted: PendingSearch,
        now: datetime,
        *,
        expected: int | None = None,
        dry_run: bool = False,
        unless: Callable[[PendingPhone], None] = lambda phone: None,
    ) -> list[Told]:
        """Take phones off the list, as if they had never come; also refused ones."""
        return self._decide(wanted, "forget", None, now, expected, dry_run, unless)

    def _decide(
        self,
        wanted: PendingSearch,
        verb: str,
        values: dict[str, Any] | None,
        now: datetime,
        expected: int | None,
        dry_run: bool,
        unless: Callable[[PendingPhone], None],
    ) -> list[Told]:
        told: list[Told] = []
        begin = self._database.read if dry_run else self._database.change
        with begin() as connection:
            self._check(connection, wanted, expected)
            # All first: what is changed may not fit the selection any more.
            for phones in list(self._parts(connection, wanted)):
                for phone in phones:
                    unless(phone)
                if not dry_run:
                    self._write(connection, phones, values, now)
                told += [Told(phone.mac, phone.code) for phone in phones]
        return told

    def _write(
        self,
        connection: Connection,
        phones: Sequence[PendingPhone],
        values: dict[str, Any] | None,
        now: datetime,
    ) -> None:
        those = pending.c.mac.in_([phone.mac.digits for phone in phones])
        if values is None:
            connection.execute(sa.delete(pending).where(those))
        else:
            connection.execute(sa.update(pending).where(those).values(values))
        done = [
            Changed(
                "remove" if values is None else "change",
                f"pending {phone.mac}",
                [*_differences(phone, values)],
                group=phone.group,
            )
            for phone in phones
        ]
        put_on_record(connection, self._database.actor, done, now)

    def _record(
        self, phone: PendingPhone, approval: Approval, rules: Adoption
    ) -> Device:
        """The record that an approved phone gets. Raises InputError."""
        vendor = record_vendor(phone.vendor)
        rule = rules.find(phone.mac, phone.vendor)
        model = approval.model or (rule.model if rule else None)
        if model:
            vendor = vendor or vendor_of_model(model, "")
            model = parse_model(model, vendor)
        else:
            model = known_model(phone.vendor, phone.model)
        label = approval.label
        if label is None:
            label = rule.label if rule else ""
        group = rule.group if rule else None
        if approval.group is not None:
            group = parse_group(approval.group) if approval.group else None
        if self._database.within is not None and group != phone.group:
            raise InputError(
                say(
                    "%(mac)s is meant for the group %(group)s",
                    mac=phone.mac,
                    group=repr(phone.group),
                ),
                hint=say("leave the group out"),
            )
        return Device(phone.mac, vendor, model, label=label, group=group)

    def _parts(
        self, connection: Connection, wanted: PendingSearch
    ) -> Iterator[list[PendingPhone]]:
        last = ""
        where = self._where(wanted)
        while True:
            query = sa.select(pending).where(*where, pending.c.mac > last)
            rows = connection.execute(query.order_by(pending.c.mac).limit(_CHUNK)).all()
            if not rows:
                return
            last = rows[-1].mac
            yield [_phone(row) for row in rows]

    def _check(
        self, connection: Connection, wanted: PendingSearch, expected: int | None
    ) -> None:
        if wanted.macs is not None:
            query = sa.select(pending.c.mac).where(
                *self._where(PendingSearch(macs=wanted.macs))
            )
            there = set(map(Mac, connection.execute(query).scalars()))
            if missing := wanted.macs - there:
                raise _not_pending(sorted(missing))
        if expected is None:
            return
        check_expected(self._count(connection, wanted), expected)

    def _count(self, connection: Connection, wanted: PendingSearch) -> int:
        query = sa.select(sa.func.count()).select_from(pending)
        found = connection.execute(query.where(*self._where(wanted)))
        return int(found.scalar_one())

    def _where(self, wanted: PendingSearch) -> list[sa.ColumnElement[bool]]:
        # A line that was being written while the phone was registered is no phone.
        found = [~sa.exists().where(devices.c.mac == pending.c.mac)]
        if self._database.within is not None:
            found.append(pending.c.group.in_(sorted(self._database.within)))
        return [*found, *wanted.clauses(self._database.is_sqlite)]


def _rules(connection: Connection) -> Adoption:
    rows = connection.execute(sa.select(adoption_rules))
    return Adoption(tuple(map(read_adoption_rule, rows)))


def _differences(
    phone: PendingPhone, values: dict[str, Any] | None
) -> Iterator[Difference]:
    yield Difference("code", phone.code, None if values is None else phone.code)
    if values is None:
        yield Difference("state", phone.state, None)
        return
    yield Difference("state", phone.state, values["state"])
    if values["refused_reason"] != phone.refused_reason:
        yield Difference(
            "reason", phone.refused_reason or None, values["refused_reason"] or None
        )


def _phone(row: Any) -> PendingPhone:
    plain = dict(row._mapping)
    plain["mac"] = Mac(plain["mac"])
    plain["waited"] = bool(plain["waited"])
    for name in ("certificate_ends_at", "first_at", "last_at"):
        plain[name] = None if plain[name] is None else from_us(plain[name])
    return PendingPhone(**plain)


def _cursor(row: Any) -> str:
    text = json.dumps([row.first_at, row.mac], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[int, str]:
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        first_at, mac = json.loads(data)
        if type(first_at) is not int or abs(first_at) >= 2**63:
            raise ValueError(cursor)
        return first_at, Mac(mac).digits
    except (binascii.Error, ValueError, TypeError):
        raise InputError(
            say("this cursor is not one of this list"),
            hint=say("begin again without a cursor"),
        ) from None


def _not_pending(macs: Sequence[Mac]) -> InputError:
    named = ", ".join(map(str, macs[:10]))
    more = f" and {len(macs) - 10} more" if len(macs) > 10 else ""
    return InputError(
        say("not pending: %(named)s%(more)s", named=named, more=more),
        hint=say(
            "linekey pending list shows which phones are; one that is "
            "registered is in linekey device list"
        ),
    )
