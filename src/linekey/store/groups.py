"""The groups of phones, to change and to list.

A group's layer is in ``Layers`` as ``group:NAME``; which phones are in it, their
records say. So removing one is a change of its phones, too, and of the tokens that are
limited to it: all in one transaction.

Rules: the registry's readers notice every change as one of layers. A group that was
removed and made again is another one (``Group.version``), so nothing that was kept of
the first is taken for the second's.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import InputError
from linekey.provisioning.device import Device
from linekey.provisioning.difference import Difference, between_layers
from linekey.provisioning.document import Layer
from linekey.provisioning.group import Group
from linekey.said import say
from linekey.store.adoption import AdoptionRules
from linekey.store.changes import Changed, put_on_record
from linekey.store.database import Database
from linekey.store.devices import Devices, counter_of
from linekey.store.known_groups import known_groups, no_group
from linekey.store.layers import GROUP
from linekey.store.records import (
    GROUP_COLUMNS,
    group_values,
    read_group,
    read_layer,
)
from linekey.store.schema import api_tokens, devices, groups, layers, to_us, users
from linekey.store.selection import Selection
from linekey.store.vendor_cas import VendorCas

_COLUMNS = [groups.c[name] for name in GROUP_COLUMNS]


class Groups:
    """The groups."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> Group:
        """Return a group. Raises InputError if there is none of this name."""
        with self._database.read() as connection:
            return self._get(connection, name)

    def all(self) -> list[Group]:
        """Return all, by name."""
        wanted = sa.select(*_COLUMNS).order_by(groups.c.name)
        with self._database.read() as connection:
            found = [read_group(row) for row in connection.execute(wanted)]
        return [group for group in found if self._database.reaches(group.name)]

    def phones(self) -> dict[str, int]:
        """Return how many phones each group has that has some."""
        count = sa.select(devices.c.group, sa.func.count()).group_by(devices.c.group)
        with self._database.read() as connection:
            found = connection.execute(count.where(devices.c.group.is_not(None)))
            return {
                row[0]: int(row[1]) for row in found if self._database.reaches(row[0])
            }

    def add(self, group: Group, now: datetime) -> Group:
        """Add a group. Raises InputError if there is one of this name."""
        with self._database.change("layers") as connection:
            if self._find(connection, group.name) is not None:
                raise InputError(
                    say("there is a group %(name)s already", name=repr(group.name)),
                    hint=say("linekey group set %(name)s changes it", name=group.name),
                )
            group = replace(group, version=counter_of(connection))
            values = group_values(group) | {"changed_at": to_us(now)}
            connection.execute(sa.insert(groups).values(values))
            self._record(connection, "add", group.name, _between(None, group), now)
        return group

    def change(
        self,
        name: str,
        how: Callable[[Group], Group],
        now: datetime,
    ) -> Group:
        """Change a group by ``how``, which gets it as it is now; return it changed.

        Raises InputError if there is none, and whatever ``how`` raises.
        """
        with self._database.change("layers") as connection:
            before = self._get(connection, name)
            after = replace(how(before), name=name)
            if after == before:
                return before
            after = replace(after, version=counter_of(connection))
            connection.execute(
                sa.update(groups)
                .where(groups.c.name == name)
                .values(group_values(after) | {"changed_at": to_us(now)})
            )
            self._record(connection, "change", name, _between(before, after), now)
        return after

    def remove(
        self,
        name: str,
        now: datetime,
        *,
        ungroup: bool = False,
    ) -> int:
        """Remove a group with its layer; return how many phones were in it.

        They stay, in no group, if the operator said ``ungroup``; else, if there are
        any, InputError is raised, as it is if there is no such group. Tokens that are
        limited to it lose it.
        """
        wanted = Selection(group=name)
        with self._database.change("layers") as connection:
            before = self._get(connection, name)
            count = connection.execute(
                sa.select(sa.func.count())
                .select_from(devices)
                .where(devices.c.group == name)
            ).scalar_one()
            if count and not ungroup:
                raise InputError(
                    say("1 phone is in the group %(name)s", name=repr(name))
                    if count == 1
                    else say(
                        "%(count)s phones are in the group %(name)s",
                        count=count,
                        name=repr(name),
                    ),
                    hint=say(
                        "move them: linekey device set --group %(name)s "
                        "--new-group OTHER; or, so that they are in none and lose "
                        "what the group's layer sets and forbids: --ungroup",
                        name=name,
                    ),
                )
            Devices(self._database).change_within(connection, wanted, _ungrouped, now)
            self._remove_layer(connection, name, now)
            AdoptionRules(self._database).forget_group(connection, name, now)
            for table in (api_tokens, users):
                self._release(connection, table, name, now)
            connection.execute(sa.delete(groups).where(groups.c.name == name))
            self._record(connection, "remove", name, _between(before, None), now)
        return int(count)

    def _remove_layer(self, connection: Connection, name: str, now: datetime) -> None:
        scope = f"{GROUP}:{name}"
        row = connection.execute(
            sa.select(layers).where(layers.c.scope == scope)
        ).first()
        if row is None:
            return
        layer = read_layer(row.scope, row.layer, row.sealed, self._database.keys)
        connection.execute(sa.delete(layers).where(layers.c.scope == scope))
        gone = Changed(
            "remove", f"layer {scope}", between_layers(layer, Layer()), group=name
        )
        put_on_record(connection, self._database.actor, [gone], now)

    def _release(
        self, connection: Connection, table: sa.Table, name: str, now: datetime
    ) -> None:
        """Take a group out of the limits of tokens, or of users."""
        limited = sa.select(table.c.name, table.c.groups).where(
            table.c.groups.is_not(None)
        )
        for row in connection.execute(limited).all():
            before = json.loads(row.groups)
            if name not in before:
                continue
            after = [group for group in before if group != name]
            connection.execute(
                sa.update(table)
                .where(table.c.name == row.name)
                .values(groups=json.dumps(after))
            )
            detail = Difference("groups", ", ".join(before), ", ".join(after) or "none")
            whose = "token" if table is api_tokens else "user"
            changed = Changed("change", f"{whose} {row.name}", [detail])
            put_on_record(connection, self._database.actor, [changed], now)

    def _find(self, connection: Connection, name: str) -> Group | None:
        row = connection.execute(
            sa.select(*_COLUMNS).where(groups.c.name == name)
        ).first()
        return None if row is None else read_group(row)

    def _get(self, connection: Connection, name: str) -> Group:
        group = self._find(connection, name)
        if group is None or not self._database.reaches(name):
            within = self._database.within
            raise no_group(name, known_groups(connection, within), within)
        return group

    def _record(
        self,
        connection: Connection,
        action: str,
        name: str,
        details: list[Difference],
        now: datetime,
    ) -> None:
        done = Changed(action, f"group {name}", details, group=name)
        put_on_record(connection, self._database.actor, [done], now)


def allowed_cas(database: Database, fingerprints: list[str]) -> dict[str, str]:
    """Return what ``Group.authorities`` is for CAs of the trust list.

    ``fingerprints`` are as for ``VendorCas.find``. Raises InputError for one that is
    not in the list.
    """
    cas = VendorCas(database)
    found = [cas.find(fingerprint).certificate for fingerprint in fingerprints]
    return {c.sha256: c.public_key_sha256 for c in found}


def _ungrouped(device: Device) -> Device:
    return replace(device, group=None)


def _between(before: Group | None, after: Group | None) -> list[Difference]:
    old, new = _words(before), _words(after)
    return [
        Difference(what, old.get(what), new.get(what))
        for what in dict.fromkeys((*old, *new))
        if old.get(what) != new.get(what)
    ]


def _words(group: Group | None) -> dict[str, str]:
    if group is None:
        return {}
    words: dict[str, Any] = {"note": group.note}
    if group.authorities is not None:
        words["CAs"] = ", ".join(sorted(group.authorities)) or "none"
    words |= {f"policy {name}": value for name, value in group.policies.items()}
    return {what: text for what, text in words.items() if text}
