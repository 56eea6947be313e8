"""A new key for the database's secrets.

The new key goes into the key file first, then every sealed value is sealed with it, in
one transaction. A server that runs meanwhile finds the new key in the file when it
meets the first value that it cannot open.

Rule: the old keys stay in the file, since backups of the database need them; who is
sure that none is left deletes their lines.
"""

import sqlalchemy as sa

from linekey.mac import Mac
from linekey.store.database import Database
from linekey.store.records import device_place, layer_place, reseal
from linekey.store.schema import devices, layers, meta


def rotate_key(database: Database) -> int:
    """Seal all secrets with a new key; return how many rows had some.

    Raises StorageError; then every value is as before, and opens as before.
    """
    keys = database.keys
    keys.rotate()
    count = 0
    with database.change("layers") as connection:
        for table, column, place in (
            (meta, meta.c.name, lambda _: "key check"),
            (layers, layers.c.scope, layer_place),
            (devices, devices.c.mac, lambda digits: device_place(Mac(digits))),
        ):
            query = sa.select(column, table.c.sealed).where(table.c.sealed.is_not(None))
            for name, sealed in connection.execute(query).all():
                connection.execute(
                    sa.update(table)
                    .where(column == name)
                    .values(sealed=reseal(bytes(sealed), keys, place(name)))
                )
                count += table is not meta
    return count
