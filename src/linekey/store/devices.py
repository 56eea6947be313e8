"""The devices as the operator changes them.

Every change is one transaction, raises the device's ``version`` and the registry's
counter, and so is seen by every worker at its next request.

Rules: a change reads the device inside its own transaction, so two operators at once
cannot lose each other's work. A one-time token is shown once, when it is made; the
database has its hash.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import InputError
from linekey.mac import Mac
from linekey.provisioning.device import Device, hash_token
from linekey.store.attempts import forget_attempts
from linekey.store.database import Database
from linekey.store.marks import keep_marks
from linekey.store.records import DEVICE_COLUMNS, device_values, read_device
from linekey.store.schema import devices, revision, to_us

_COLUMNS = [devices.c[name] for name in DEVICE_COLUMNS]
_CHUNK = 500


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

    def all(self) -> Iterator[Device]:
        """Yield all devices by MAC, a part of them in memory at a time."""
        last = ""
        while True:
            wanted = (
                sa.select(*_COLUMNS)
                .where(devices.c.mac > last)
                .order_by(devices.c.mac)
                .limit(_CHUNK)
            )
            with self._database.read() as connection:
                rows = connection.execute(wanted).all()
            for row in rows:
                yield read_device(row, self._database.keys)
            if len(rows) < _CHUNK:
                return
            last = rows[-1].mac

    def count(self) -> int:
        """Return how many devices there are."""
        with self._database.read() as connection:
            query = sa.select(sa.func.count()).select_from(devices)
            return int(connection.execute(query).scalar_one())

    def add(self, device: Device, now: datetime) -> Device:
        """Add one device. Raises InputError if its MAC is registered already."""
        self.add_all([device], now)
        return self.get(device.mac)

    def add_all(self, added: Iterable[Device], now: datetime) -> int:
        """Add devices, all or none; return how many.

        Raises InputError, naming every MAC that is registered already.
        """
        listed = list(added)  # what fails while it is read must hold no lock
        with self._database.change() as connection:
            also = {"version": _version(connection), "changed_at": to_us(now)}
            # Sealed here, under the change's lock: see ``Database.change``.
            keys = self._database.keys
            kept, fresh = keep_marks(connection, keys, [d.layer for d in listed], now)
            rows = [
                device_values(replace(device, layer=layer), keys) | also
                for device, layer in zip(listed, kept, strict=True)
            ]
            there = self._registered(connection, [row["mac"] for row in rows])
            if there:
                raise _already(there)
            for start in range(0, len(rows), _CHUNK):
                connection.execute(sa.insert(devices), rows[start : start + _CHUNK])
                part = listed[start : start + _CHUNK]
                forget_attempts(connection, (device.mac for device in part))
        if fresh:
            self._database.forget_deleted()
        return len(rows)

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
            after = how(before)
            if after == before:
                return before
            keys = self._database.keys
            (layer,), fresh = keep_marks(
                connection, keys, [after.layer], now, before.layer
            )
            after = replace(after, mac=mac, version=_version(connection), layer=layer)
            values = device_values(after, self._database.keys)
            values["changed_at"] = to_us(now)
            connection.execute(
                sa.update(devices).where(devices.c.mac == mac.digits).values(values)
            )
            if after.digest != before.digest:
                forget_attempts(connection, [mac])
        if fresh:
            self._database.forget_deleted()
        return after

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

    def remove(self, mac: Mac) -> None:
        """Remove a device with its layer. Raises InputError if it is not registered."""
        with self._database.change() as connection:
            gone = connection.execute(
                sa.delete(devices).where(devices.c.mac == mac.digits)
            )
            if not gone.rowcount:
                raise _unknown(mac)
            forget_attempts(connection, [mac])

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

    def _read(self, connection: Connection, mac: Mac) -> Device | None:
        wanted = sa.select(*_COLUMNS).where(devices.c.mac == mac.digits)
        row = connection.execute(wanted).first()
        return None if row is None else read_device(row, self._database.keys)

    def _registered(self, connection: Connection, macs: list[str]) -> frozenset[Mac]:
        found: set[Mac] = set()
        for start in range(0, len(macs), _CHUNK):
            part = macs[start : start + _CHUNK]
            query = sa.select(devices.c.mac).where(devices.c.mac.in_(part))
            found.update(Mac(digits) for digits in connection.execute(query).scalars())
        return frozenset(found)


def _version(connection: Connection) -> int:
    """Return the version of what is changed now: the registry's counter.

    So it rises with every change, also when a device is removed and added again.
    """
    counter = connection.execute(sa.select(revision.c.registry)).scalar_one()
    return int(counter)


def _unknown(mac: Mac) -> InputError:
    return InputError(
        f"no device {mac} is registered", hint=f"linekey device add {mac}"
    )


def _already(macs: frozenset[Mac]) -> InputError:
    named = ", ".join(str(mac) for mac in sorted(macs)[:10])
    more = f" and {len(macs) - 10} more" if len(macs) > 10 else ""
    return InputError(
        f"registered already: {named}{more}",
        hint="change a device with linekey device set MAC",
    )
