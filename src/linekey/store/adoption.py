"""The rules for phones that are expected: to change and to list, and to register by.

A rule is a list of MACs and ranges with what the record is to say
(``provisioning.pending.AdoptionRule``). ``Adopter`` registers a phone by one, in the
server, at the request of that very phone.

Rules: no two rules speak of one MAC, so nothing depends on their order. A phone is
registered only if in that very transaction it has no record, the rule still says so,
and the operator did not refuse it; a record that is there is never changed. That is in
the record of changes, by ``rule NAME``.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import Cause, InputError, StorageError
from linekey.mac import Mac
from linekey.provisioning.decision import Newcomer
from linekey.provisioning.difference import Difference
from linekey.provisioning.pending import (
    Adoption,
    AdoptionRule,
    MacRange,
    overlap,
)
from linekey.said import say
from linekey.store.changes import Actor, Changed, put_on_record
from linekey.store.database import Database
from linekey.store.deadline import within
from linekey.store.devices import Change, Devices
from linekey.store.known_groups import known_groups, no_group
from linekey.store.records import dump
from linekey.store.schema import adoption_rules, groups, pending, to_us

ANSWER_WITHIN_S = 2.0
"""Seconds to register a phone by a rule, as for the registry's answers."""
_THREADS = 1  # in each worker; a change takes the registry's one lock anyway
_TOLD = 20  # ranges that the record of changes names


def read_adoption_rule(row: Any) -> AdoptionRule:
    """Return the rule of a row. Raises StorageError if it was changed elsewhere."""
    try:
        ranges = tuple(MacRange(Mac(a), Mac(b)) for a, b in json.loads(row.ranges))
    except (ValueError, TypeError) as error:
        raise StorageError(
            f"the rule {row.name!r} was changed outside linekey and cannot be read",
            hint=f"linekey pending rules remove {row.name}, and add it again",
        ) from error
    return AdoptionRule(
        row.name, ranges, row.label, row.group, row.model, row.vendor, bool(row.adopts)
    )


class AdoptionRules:
    """The rules. None of them is there for who is limited to groups."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[AdoptionRule]:
        """Return all, by name."""
        with self._database.read() as connection:
            return self._read(connection)

    def get(self, name: str) -> AdoptionRule:
        """Return a rule. Raises InputError if there is none of this name."""
        return _found(self.all(), name)

    def put(
        self,
        name: str,
        how: Callable[[AdoptionRule | None], AdoptionRule],
        now: datetime,
    ) -> AdoptionRule:
        """Add or change a rule by ``how``, which gets it as it is, None for none.

        Raises InputError for a group that is not there, for MACs that another rule
        speaks of, and whatever ``how`` raises; then nothing is changed.
        """
        with self._database.change("layers") as connection:
            there = self._read(connection)
            before = next((rule for rule in there if rule.name == name), None)
            after = replace(how(before), name=name)
            if after == before:
                return after
            if after.group is not None:
                known = known_groups(connection)
                if after.group not in known:
                    raise no_group(after.group, known)
            other, both = overlap(after, there)
            if other:
                raise InputError(
                    say(
                        "the rule %(other)s speaks of %(both)s already",
                        other=repr(other),
                        both=both,
                    ),
                    hint=say(
                        "linekey pending rules show %(other)s; take these MACs out "
                        "of one of the two",
                        other=other,
                    ),
                )
            connection.execute(
                sa.delete(adoption_rules).where(adoption_rules.c.name == name)
            )
            connection.execute(sa.insert(adoption_rules).values(_values(after, now)))
            rules = [rule for rule in there if rule.name != name] + [after]
            _note_groups(connection, Adoption(tuple(rules)))
            self._record(connection, before, after, now)
        return after

    def remove(self, name: str, now: datetime) -> AdoptionRule:
        """Remove a rule. Raises InputError if there is none of this name."""
        with self._database.change("layers") as connection:
            there = self._read(connection)
            gone = _found(there, name)
            self._remove(connection, there, [gone], now)
        return gone

    def forget_group(self, connection: Connection, group: str, now: datetime) -> None:
        """Remove the rules of a group that is being removed.

        Without it they would register phones into none, where nothing is forbidden.
        """
        there = self._read(connection)
        gone = [rule for rule in there if rule.group == group]
        if gone:
            self._remove(connection, there, gone, now)

    def _remove(
        self,
        connection: Connection,
        there: list[AdoptionRule],
        gone: list[AdoptionRule],
        now: datetime,
    ) -> None:
        names = [rule.name for rule in gone]
        connection.execute(
            sa.delete(adoption_rules).where(adoption_rules.c.name.in_(names))
        )
        left = tuple(rule for rule in there if rule.name not in names)
        _note_groups(connection, Adoption(left))
        for rule in gone:
            self._record(connection, rule, None, now)

    def _read(self, connection: Connection) -> list[AdoptionRule]:
        if self._database.within is not None:
            return []
        query = sa.select(adoption_rules).order_by(adoption_rules.c.name)
        return [read_adoption_rule(row) for row in connection.execute(query)]

    def _record(
        self,
        connection: Connection,
        before: AdoptionRule | None,
        after: AdoptionRule | None,
        now: datetime,
    ) -> None:
        one = after or before
        assert one is not None
        old, new = _words(before), _words(after)
        action = "add" if before is None else "remove" if after is None else "change"
        details = [
            Difference(what, old.get(what), new.get(what))
            for what in dict.fromkeys((*old, *new))
            if old.get(what) != new.get(what)
        ]
        done = Changed(action, f"rule {one.name}", details)
        put_on_record(connection, self._database.actor, [done], now)


class Adopter:
    """Registers phones by rules. One a process and loop; use it in a ``with``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="adoption")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    async def adopt(
        self, newcomer: Newcomer, rule: str, peer: str, now: datetime
    ) -> bool:
        """Register a phone by the rule of this name, if it may be; say whether it was.

        False: it has a record meanwhile, or the rule or the operator say otherwise.
        Raises StorageError.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await loop.run_in_executor(
                    self._pool, self._bounded, newcomer, rule, peer, now
                )
        except TimeoutError:
            raise StorageError(
                f"{self._database.name} has not answered within {ANSWER_WITHIN_S:g} s",
                hint="look at its load, and for another process that holds it",
                cause=Cause.SLOW,
            ) from None

    def _bounded(self, newcomer: Newcomer, rule: str, peer: str, now: datetime) -> bool:
        with within(ANSWER_WITHIN_S):
            return adopt(self._database, newcomer, rule, peer, now)


def adopt(
    database: Database, newcomer: Newcomer, name: str, peer: str, now: datetime
) -> bool:
    """Register a phone by a rule, at its own request; as ``Adopter.adopt``."""
    mac = newcomer.mac

    def parts(connection: Connection) -> Iterator[list[Change]]:
        wanted = sa.select(adoption_rules).where(adoption_rules.c.name == name)
        row = connection.execute(wanted).first()
        rule = None if row is None else read_adoption_rule(row)
        state = connection.execute(
            sa.select(pending.c.state).where(pending.c.mac == mac.digits)
        ).scalar()
        if (
            rule is None
            or not rule.adopts
            or not rule.fits(mac, newcomer.vendor)
            or state == "refused"
            or devices.those(connection, [mac])
            or not _is_there(connection, rule.group)
        ):
            return
        yield [Change(None, rule.device(newcomer))]

    devices = Devices(database.acting(Actor(f"rule {name}", f"phone at {peer}"[:64])))
    return bool(devices.apply(parts, now))


def _is_there(connection: Connection, group: str | None) -> bool:
    if group is None:
        return True
    wanted = sa.select(groups.c.name).where(groups.c.name == group)
    return connection.execute(wanted).first() is not None


def _note_groups(connection: Connection, adoption: Adoption) -> None:
    """Say anew of each pending phone for which group it is meant."""
    rows = connection.execute(
        sa.select(pending.c.mac, pending.c.vendor, pending.c.group)
    ).all()
    for row in rows:
        rule = adoption.find(Mac(row.mac), row.vendor)
        group = rule.group if rule else None
        if group != row.group:
            connection.execute(
                sa.update(pending).where(pending.c.mac == row.mac).values(group=group)
            )


def _found(rules: Iterable[AdoptionRule], name: str) -> AdoptionRule:
    there = {rule.name: rule for rule in rules}
    if name not in there:
        raise InputError(
            say("there is no rule %(name)s", name=repr(name)),
            hint=say(
                "there are: %(listed)s", listed=", ".join(sorted(there)[:20]) or "none"
            ),
        )
    return there[name]


def _values(rule: AdoptionRule, now: datetime) -> dict[str, Any]:
    return {
        "name": rule.name,
        "ranges": dump([[r.first.digits, r.last.digits] for r in rule.ranges]),
        "label": rule.label,
        "group": rule.group,
        "model": rule.model,
        "vendor": rule.vendor,
        "adopts": int(rule.adopts),
        "changed_at": to_us(now),
    }


def _words(rule: AdoptionRule | None) -> dict[str, str]:
    if rule is None:
        return {}
    ranges = ", ".join(map(str, rule.ranges[:_TOLD]))
    if len(rule.ranges) > _TOLD:
        ranges += f" and {len(rule.ranges) - _TOLD} more, {rule.count} MACs in all"
    words = {
        "MACs": ranges,
        "label": rule.label,
        "group": rule.group,
        "model": rule.model,
        "vendor": rule.vendor,
        "registers": "by itself" if rule.adopts else "after approval",
    }
    return {what: text for what, text in words.items() if text}
