"""What a start asks of other makers' phones: how many there are, which CAs all have.

Raises StorageError.
"""

from collections.abc import Iterable

import sqlalchemy as sa

from linekey.catalog.vendors import LAB_PREFIX
from linekey.certs.certificate import Certificate
from linekey.store.database import Database
from linekey.store.layers import Layers, Scope
from linekey.store.schema import devices


def fleets_cas(database: Database) -> tuple[Certificate, ...]:
    """The certificates of the layer that all phones have."""
    layer = Layers(database).get(Scope.fleet())
    return tuple(entry.certificate for entry in layer.certificates)


def count_of_makers(database: Database, makers: Iterable[str]) -> int:
    """Count the active phones whose records name one of these vendors, or the lab's."""
    wanted = [name for maker in makers for name in (maker, f"{LAB_PREFIX}{maker}")]
    question = (
        sa.select(sa.func.count())
        .select_from(devices)
        .where(devices.c.vendor.in_(wanted), devices.c.state == "active")
    )
    with database.read() as connection:
        return int(connection.execute(question).scalar_one())
