"""What the records of phones say of the time after their certificates' end."""

from collections.abc import Sequence

import sqlalchemy as sa

from linekey.provisioning.expired import AtEnd
from linekey.store.database import Database
from linekey.store.records import read_expired
from linekey.store.schema import devices, from_us

_CHUNK = 500


def phones_at_end(database: Database, macs: Sequence[str]) -> dict[str, AtEnd]:
    """Return it by MAC (12 hex digits) of those that are registered.

    Raises StorageError.
    """
    query = sa.select(
        devices.c.mac,
        devices.c.expired,
        devices.c.registered_at,
        devices.c.digest_username,
    )
    found: dict[str, AtEnd] = {}
    with database.read() as connection:
        for start in range(0, len(macs), _CHUNK):
            part = macs[start : start + _CHUNK]
            for row in connection.execute(query.where(devices.c.mac.in_(part))):
                at = row.registered_at
                found[row.mac] = AtEnd(
                    read_expired(row.expired),
                    None if at is None else from_us(at),
                    row.digest_username is not None,
                )
    return found
