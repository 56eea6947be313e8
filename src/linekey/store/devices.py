"""The devices as the operator changes them.

Every change is one transaction, raises the device's ``version`` and the registry's
counter, and so is seen by every worker at its next request.

Rules: a change reads the device inside its own transaction, so two operators at once
cannot lose each other's work. A one-time token is shown once, when it is made; the
database has its hash. Through a database that is limited to groups (``within``) other
phones are not there, none is added, and none leaves these groups.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device, hash_token
from linekey.provisioning.difference import Difference, between_devices
from linekey.said import say
from linekey.store.attempts import forget_attempts
from linekey.store.changes import Changed, put_on_record
from linekey.store.database import Database
from linekey.store.device_places import Places, count, places, places_and_total
from linekey.store.expected import check_expected
from linekey.store.known_groups import known_groups, no_group
from linekey.store.many_rows import insert_rows, update_rows
from linekey.store.marks import check_marks, keep_marks
from linekey.store.newcomers import NEVER, came_from, no_longer_pending
from linekey.store.records import (
    DEVICE_COLUMNS,
    device_row,
    differing_columns,
    read_device,
)
from linekey.store.schema import devices, revision, to_us
from linekey.store.selection import BY_MAC, EVERYTHING, Order, Selection, own_settings
from linekey.store.sightings import forget_sightings

_COLUMNS = [devices.c[name] for name in DEVICE_COLUMNS]
_SEALED = {"layer": sa.literal("{}"), "sealed": sa.null(), "digest_username": sa.null()}
_WITHOUT_LAYER = [_SEALED.get(c.name, c) for c in _COLUMNS]
_CHUNK = 500


class Change(NamedTuple):
    """A device before and after; None: it was not, or is no longer, there."""

    before: Device | None
    after: Device | None

    @property
    def mac(self) -> Mac:
        """Whose record it is."""
        device = self.after or self.before
        assert device is not None
        return device.mac

    @property
    def action(self) -> Literal["add", "change", "remove"]:
        """What it is."""
        if self.before is None:
            return "add"
        return "remove" if self.after is None else "change"

    @property
    def of_groups(self) -> tuple[str | None, str | None]:
        """Whose it is now, and whose it was, as ``Changed`` has them."""
        before = self.before.group if self.before else None
        after = self.after.group if self.after else None
        if self.action != "change" or before == after:
            return after or before, None
        # Nobody who is limited to groups is told of what left all of them.
        return after or before, (before if after else None) or ""

    @property
    def new_digest(self) -> bool:
        """Whether the device is new, gone, or has another password for digest."""
        before, after = self
        return before is None or after is None or before.digest != after.digest


class Done(NamedTuple):
    """What was done, or would be; ``details`` for a change only."""

    mac: Mac
    action: Literal["add", "change", "remove"]
    details: tuple[Difference, ...] = ()


class _Written(NamedTuple):
    """Changes as they were written, and what differs in each."""

    changes: list[Change]
    differences: list[tuple[Difference, ...]]
    fresh: bool
    """Whether a name was marked as a secret for the first time (``marks.Kept``)."""


class Devices:
    """The registry's devices, to change and to list."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, mac: Mac) -> Device:
        """Return a device. Raises InputError if it is not registered."""
        if (device := self.find(mac)) is None:
            raise _unknown(mac)
        return device

    def find(self, mac: Mac) -> Device | None:
        """Return a device, or None. Raises StorageError."""
        with self._database.read() as connection:
            return self._read(connection, mac)

    def all(
        self,
        wanted: Selection = EVERYTHING,
        order: Order = BY_MAC,
        limit: int | None = None,
    ) -> Iterator[Device]:
        """Yield devices in this order, a part of them in memory at a time."""
        for found, _ in self.pages(wanted, order, limit=limit):
            yield from found

    def pages(
        self,
        wanted: Selection = EVERYTHING,
        order: Order = BY_MAC,
        cursor: str | None = None,
        limit: int | None = None,
        *,
        layers: bool = True,
    ) -> Iterator[tuple[list[Device], str | None]]:
        """Yield parts of a list, each with the cursor that goes on after it, if any.

        Without ``layers`` the devices have no settings, and no digest user.
        """
        left = limit
        while left is None or left > 0:
            part = _CHUNK if left is None else min(left, _CHUNK)
            found, cursor = self.page(wanted, order, cursor, part, layers=layers)
            yield found, cursor
            if cursor is None:
                return
            left = None if left is None else left - len(found)

    def page(
        self,
        wanted: Selection,
        order: Order,
        cursor: str | None,
        limit: int,
        *,
        layers: bool = True,
    ) -> tuple[list[Device], str | None]:
        """Return devices from a cursor on, and the cursor to go on with, if any.

        Raises InputError for a cursor of another order.
        """
        with self._database.read() as connection:
            where = self._where(wanted)
            found = places(connection, where, order, cursor, limit + 1)
            return self._records(connection, found, order, limit, layers=layers)

    def page_and_total(
        self, wanted: Selection, order: Order, cursor: str | None, limit: int
    ) -> tuple[list[Device], str | None, int]:
        """``page``, and how many devices the whole list has."""
        with self._database.read() as connection:
            where, quick = self._where(wanted), wanted.is_quick
            asked = order, cursor, limit + 1
            found, total = places_and_total(connection, where, *asked, is_quick=quick)
            return *self._records(connection, found, order, limit), total

    def _records(
        self,
        connection: Connection,
        found: Places,
        order: Order,
        limit: int,
        *,
        layers: bool = True,
    ) -> tuple[list[Device], str | None]:
        """The devices of ``limit`` places, and the cursor if there are more places."""
        read = sa.select(*(_COLUMNS if layers else _WITHOUT_LAYER))
        macs = [place[-1] for place in found[:limit]]
        rows = {
            row.mac: row
            for start in range(0, len(macs), _CHUNK)
            for row in connection.execute(
                read.where(devices.c.mac.in_(macs[start : start + _CHUNK]))
            )
        }
        listed = [read_device(rows[mac], self._database.keys) for mac in macs]
        return listed, order.cursor(found[limit - 1]) if len(found) > limit else None

    def count(self, wanted: Selection = EVERYTHING) -> int:
        """Return how many devices there are."""
        with self._database.read() as connection:
            return count(connection, self._where(wanted))

    def _where(self, wanted: Selection) -> list[sa.ColumnElement[bool]]:
        database = self._database
        return [*self._reached(), *wanted.clauses(database.is_sqlite, database.within)]

    def _reached(self) -> list[sa.ColumnElement[bool]]:
        within = self._database.within
        return [] if within is None else [devices.c.group.in_(sorted(within))]

    def add(self, device: Device, now: datetime) -> Device:
        """Add one device. Raises InputError if its MAC is registered already."""
        self.add_all([device], now)
        return self.get(device.mac)

    def add_all(self, added: Iterable[Device], now: datetime) -> int:
        """Add devices, all or none; return how many.

        Raises InputError, naming every MAC that is registered already.
        """
        pairs = [Change(None, device) for device in added]  # read before any lock
        macs = [pair.mac.digits for pair in pairs]

        def parts(connection: Connection) -> Iterator[list[Change]]:
            if there := self._registered(connection, macs):
                raise _already(there)
            for start in range(0, len(pairs), _CHUNK):
                yield pairs[start : start + _CHUNK]

        return len(self.apply(parts, now))

    def apply(
        self,
        parts: Callable[[Connection], Iterable[Sequence[Change]]],
        now: datetime,
        *,
        dry_run: bool = False,
        registers: bool = False,
    ) -> list[Done]:
        """Make all changes that ``parts`` yields in one transaction; say what differs.

        ``parts`` reads by the transaction's connection, and what it raises undoes all.
        A change that changes nothing is left out. With ``dry_run`` nothing is written;
        with ``registers`` who is limited to groups may add phones to these, too.
        """
        done: list[Done] = []
        fresh = False
        begin = self._database.read if dry_run else self._database.change
        with begin() as connection:
            for part in parts(connection):
                real = [pair for pair in part if pair.before != pair.after]
                if dry_run:
                    self._check_writing(connection, real, registers)
                    done += [_done(pair, between_devices(*pair)) for pair in real]
                else:
                    written = self._write(connection, real, now, registers)
                    fresh |= written.fresh
                    done += map(_done, real, written.differences)
        if fresh:
            self._database.forget_deleted()
        return done

    def registered(self, macs: Iterable[Mac]) -> frozenset[Mac]:
        """Return which of these MACs are registered."""
        with self._database.read() as connection:
            return self._registered(connection, [mac.digits for mac in macs])

    def change(
        self, mac: Mac, how: Callable[[Device], Device], now: datetime
    ) -> Device:
        """Change one device by ``how``, which gets it as it is now.

        Returns the changed device with its raised version; if ``how`` returns an equal
        one, nothing is written. Raises InputError if it is not registered, and whatever
        ``how`` raises; then nothing is changed.
        """
        with self._database.change() as connection:
            before = self._read(connection, mac)
            if before is None:
                raise _unknown(mac)
            changed = replace(how(before), mac=mac)
            if changed == before:
                return before
            written = self._write(connection, [Change(before, changed)], now)
        if written.fresh:
            self._database.forget_deleted()
        (after,) = (change.after for change in written.changes)
        assert after is not None
        return after

    def change_all(
        self,
        wanted: Selection,
        how: Callable[[Device], Device],
        now: datetime,
        *,
        expected: int | None = None,
        dry_run: bool = False,
        seen: Callable[[int], None] = lambda count: None,
    ) -> list[Done]:
        """Change all devices of a selection by ``how``, or none of them.

        ``expected`` is how many there were when the operator agreed; ``seen`` is told
        how many have been looked at. Raises InputError if there are more or fewer now,
        if a MAC that the selection names is not registered, and whatever ``how``
        raises.
        """

        def parts(connection: Connection) -> Iterator[list[Change]]:
            self._check(connection, wanted, expected)
            for part in self._parts(connection, wanted):
                yield [Change(device, how(device)) for device in part]
                seen(len(part))

        return self.apply(parts, now, dry_run=dry_run)

    def change_within(
        self,
        connection: Connection,
        wanted: Selection,
        how: Callable[[Device], Device],
        now: datetime,
    ) -> None:
        """Change all devices of a selection in a transaction that is under way."""
        for part in self._parts(connection, wanted):
            self._write(connection, [Change(d, how(d)) for d in part], now)

    def revoke(self, mac: Mac, reason: str, now: datetime) -> Device:
        """Revoke a device: from the next request on it gets nothing.

        Raises InputError if it is not registered.
        """
        return self.change(
            mac, lambda d: replace(d, state="revoked", revoked_reason=reason), now
        )

    def restore(self, mac: Mac, now: datetime) -> Device:
        """Take a revocation back. Raises InputError if it is not registered."""
        return self.change(
            mac, lambda d: replace(d, state="active", revoked_reason=""), now
        )

    def remove(
        self,
        mac: Mac,
        now: datetime,
        unless: Callable[[Device], None] = lambda device: None,
    ) -> None:
        """Remove a device with its layer.

        Raises InputError if it is not registered, and whatever ``unless`` raises, which
        gets it as it is now; then nothing is removed.
        """
        with self._database.change() as connection:
            before = self._read(connection, mac)
            if before is None:
                raise _unknown(mac)
            unless(before)
            self._write(connection, [Change(before, None)], now)

    def new_token(self, mac: Mac, now: datetime) -> str:
        """Make a one-time token for a device, in place of one it had.

        It is returned here and never again: the database has its SHA-256. 192 random
        bits, 32 URL-safe characters. Raises InputError if the device is not registered.
        """
        token = secrets.token_urlsafe(24)
        hashed = hash_token(token)
        self.change(
            mac, lambda d: replace(d, token_sha256=hashed, token_used_at=None), now
        )
        return token

    def _write(
        self,
        connection: Connection,
        changes: Sequence[Change],
        now: datetime,
        registers: bool = False,
    ) -> _Written:
        """Write changes, the only place that does."""
        keys = self._database.keys  # sealed under the change's lock: see its docstring
        version = counter_of(connection)
        self._check_groups(connection, changes, registers)
        came = no_longer_pending(connection, [c.mac for c in changes if not c.before])
        new = [after for _, after in changes if after is not None]
        old = [before for before, after in changes if before and after]
        kept, fresh = keep_marks(
            connection,
            keys,
            [d.layer for d in new],
            now,
            [d.layer for d in old],
            may_mark=self._database.within is None,
        )
        layers = iter(kept)
        written = [
            Change(
                before,
                after
                and replace(
                    after,
                    version=version,
                    layer=next(layers),
                    waited=after.waited or came.get(after.mac, NEVER).waited,
                    registered_at=before.registered_at if before else now,
                ),
            )
            for before, after in changes
        ]
        at = to_us(now)
        added = [after for before, after in written if after and before is None]
        insert_rows(
            connection,
            devices,
            (*DEVICE_COLUMNS, "changed_at"),
            [(*device_row(device, DEVICE_COLUMNS, keys), at) for device in added],
        )
        changed = [(before, after) for before, after in written if before and after]
        names = differing_columns(changed)
        update_rows(
            connection,
            devices.c.mac,
            (*names, "changed_at"),
            [
                (*device_row(after, names, keys), at, after.mac.digits)
                for _, after in changed
            ],
        )
        if gone := [change.mac for change in written if change.after is None]:
            connection.execute(
                sa.delete(devices).where(devices.c.mac.in_([m.digits for m in gone]))
            )
            forget_sightings(connection, gone)
        if new_digests := [c.mac for c in written if c.new_digest]:
            forget_attempts(connection, new_digests)
        differences = [between_devices(*c) + came_from(came, c.mac) for c in written]
        put_on_record(
            connection,
            self._database.actor,
            (
                Changed(
                    change.action, f"device {change.mac}", details, *change.of_groups
                )
                for change, details in zip(written, differences, strict=True)
            ),
            now,
        )
        return _Written(written, differences, fresh)

    def _check_writing(
        self, connection: Connection, changes: Sequence[Change], registers: bool
    ) -> None:
        """Raise what ``_write`` would, and write nothing."""
        self._check_groups(connection, changes, registers)
        check_marks(
            connection,
            [after.layer for _, after in changes if after],
            [before.layer for before, after in changes if before and after],
            may_mark=self._database.within is None,
        )

    def _check_groups(
        self, connection: Connection, changes: Sequence[Change], registers: bool
    ) -> None:
        """Refuse what would put a device where it cannot be. Raises InputError."""
        within = self._database.within
        moved = {
            after.group
            for before, after in changes
            if after and (before is None or before.group != after.group)
        }
        if within is not None and not registers and any(not c.before for c in changes):
            raise InputError(
                say("no phone is registered by who is limited to groups"),
                hint=say("who may see all phones registers it, in one of these groups"),
            )
        if within is not None and None in moved:
            raise InputError(
                say(
                    "a phone stays in one of the groups %(names)s",
                    names=", ".join(sorted(within)),
                ),
                hint=say("leave the group out, or name one of these"),
            )
        named = {group for group in moved if group}
        if named and (missing := sorted(named - known_groups(connection, within))):
            raise no_group(missing[0], known_groups(connection, within), within)

    def _check(
        self, connection: Connection, wanted: Selection, expected: int | None
    ) -> None:
        if wanted.macs is not None:
            listed = [mac.digits for mac in wanted.macs]
            if missing := wanted.macs - self._registered(connection, listed):
                raise InputError(
                    say("not registered: %(named)s", named=_named(missing)),
                    hint=say("take them from the list, or register them first"),
                )
        if expected is None:
            return
        check_expected(count(connection, self._where(wanted)), expected)

    def _parts(
        self, connection: Connection, wanted: Selection
    ) -> Iterator[list[Device]]:
        last = ""
        where = self._where(wanted)
        while True:
            query = sa.select(*_COLUMNS).where(*where, devices.c.mac > last)
            query = query.order_by(devices.c.mac).limit(_CHUNK)
            rows = connection.execute(query).all()
            if not rows:
                return
            yield [read_device(row, self._database.keys) for row in rows]
            last = rows[-1].mac

    def those(self, connection: Connection, macs: Sequence[Mac]) -> dict[Mac, Device]:
        """Return those of up to some hundred MACs that are registered."""
        wanted = devices.c.mac.in_([mac.digits for mac in macs])
        query = sa.select(*_COLUMNS).where(wanted, *self._reached())
        rows = connection.execute(query).all()
        found = [read_device(row, self._database.keys) for row in rows]
        return {device.mac: device for device in found}

    def macs(self, connection: Connection) -> frozenset[Mac]:
        """Return the MACs of all devices."""
        query = sa.select(devices.c.mac).where(*self._reached())
        return frozenset(map(Mac, connection.execute(query).scalars()))

    def vendors(self) -> dict[Mac, str]:
        """Return the vendor of each device."""
        query = sa.select(devices.c.mac, devices.c.vendor).where(*self._reached())
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {Mac(row.mac): row.vendor for row in rows}

    def slots(self, wanted: Selection = EVERYTHING) -> list[tuple[str, int | None]]:
        """Return name and idx of every setting that any of these has of its own."""
        table, field = own_settings(self._database.is_sqlite)
        joined = devices.join(table, sa.true())
        query = sa.select(field("name"), field("idx")).select_from(joined)
        with self._database.read() as connection:
            rows = connection.execute(
                query.where(*self._where(wanted)).distinct()
            ).all()
        return [(name, None if idx is None else int(idx)) for name, idx in rows]

    def _read(self, connection: Connection, mac: Mac) -> Device | None:
        wanted = sa.select(*_COLUMNS).where(devices.c.mac == mac.digits)
        row = connection.execute(wanted.where(*self._reached())).first()
        return None if row is None else read_device(row, self._database.keys)

    def _registered(self, connection: Connection, macs: list[str]) -> frozenset[Mac]:
        found: set[Mac] = set()
        for start in range(0, len(macs), _CHUNK):
            part = macs[start : start + _CHUNK]
            query = sa.select(devices.c.mac).where(
                devices.c.mac.in_(part), *self._reached()
            )
            found.update(Mac(digits) for digits in connection.execute(query).scalars())
        return frozenset(found)


def counter_of(connection: Connection) -> int:
    """Return the version of what is changed now: the registry's counter.

    So it rises with every change, also when a device is removed and added again.
    """
    return int(connection.execute(sa.select(revision.c.registry)).scalar_one())


def _unknown(mac: Mac) -> InputError:
    return InputError(
        say("no device %(mac)s is registered", mac=mac),
        hint=say("linekey device add %(mac)s", mac=mac),
    )


def _already(macs: frozenset[Mac]) -> InputError:
    return InputError(
        say("registered already: %(named)s", named=_named(macs)),
        hint=say("change a device with linekey device set MAC"),
    )


def _named(macs: frozenset[Mac]) -> str:
    named = ", ".join(str(mac) for mac in sorted(macs)[:10])
    return named + (f" and {len(macs) - 10} more" if len(macs) > 10 else "")


def _done(change: Change, differences: tuple[Difference, ...]) -> Done:
    details = differences if change.action == "change" else ()
    return Done(change.mac, change.action, details)
