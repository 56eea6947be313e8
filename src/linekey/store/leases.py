"""What one process at a time does for all that share a database.

Whoever takes the lease has it for ``LEASE``, and takes it again before it ends. When he
is gone, another has it after that time at the latest.

Rule: it saves work, and is no lock. Two whose clocks differ by more than ``LEASE`` may
both have it for a moment; what is done under it must bear that.
"""

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa

from linekey.store.database import Database
from linekey.store.schema import from_us, leases, to_us

LEASE = timedelta(seconds=60)
_RENEW_LEFT = timedelta(seconds=40)


class Lease:
    """One process's claim to one name."""

    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name
        self._me = secrets.token_hex(8)
        self._until: datetime | None = None
        self.since: datetime | None = None
        """Since when it is done at all; None: nobody has said ``begin``."""

    def take(self, now: datetime) -> bool:
        """Take it, or keep it; False: another has it. Raises StorageError."""
        if self._until is not None and now < self._until - _RENEW_LEFT < now + LEASE:
            return True
        until = to_us(now + LEASE)
        mine = leases.c.name == self._name
        with self._database.change_uncounted() as connection:
            row = connection.execute(sa.select(leases).where(mine)).first()
            if row is None:
                connection.execute(
                    sa.insert(leases).values(
                        name=self._name, holder=self._me, until_at=until
                    )
                )
            else:
                # One that ends later than any that begins now is of a wrong clock.
                theirs = row.holder != self._me and to_us(now) < row.until_at <= until
                if theirs:
                    self._until = None
                    return False
                connection.execute(
                    sa.update(leases)
                    .where(mine)
                    .values(holder=self._me, until_at=until)
                )
                self.since = None if row.since_at is None else from_us(row.since_at)
        self._until = now + LEASE
        return True

    def begin(self, connection: sa.Connection, now: datetime) -> None:
        """Note that it is done from now on."""
        connection.execute(
            sa.update(leases)
            .where(leases.c.name == self._name, leases.c.since_at.is_(None))
            .values(since_at=to_us(now))
        )
        self.since = now

    def give_back(self) -> None:
        """Let another have it at once. Raises StorageError."""
        if self._until is None:
            return
        self._until = None
        with self._database.write() as connection:
            connection.execute(
                sa.update(leases)
                .where(leases.c.name == self._name, leases.c.holder == self._me)
                .values(until_at=0)
            )
