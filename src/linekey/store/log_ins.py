"""Wrong passwords at the console's log-in: pauses that grow, and survive a restart.

Wrong ones are counted three times over, each with its rule (``provisioning.brake``):

=======  ==================================  ====  =======  ===============
count    of wrong passwords                  free  longest  one is forgotten
=======  ==================================  ====  =======  ===============
pair     for this user from this source      5     15 min   in 15 min
user     for this user from all sources      30    1 min    in 2 min
source   from this source for all users      60    1 min    in 1 min
=======  ==================================  ====  =======  ===============

From the source that a user last logged in from, ``user`` does not count: a crowd that
guesses elsewhere keeps nobody out of an office.

Rules: in a pause no password is read, and none is counted. The right one clears its
pair alone: an account of one's own buys no guesses at others'. A name that nobody has
counts like one. Rows are bounded; those that are forgotten first go first.
"""

import hashlib
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.provisioning.brake import Rule, Tally
from linekey.store.database import Database
from linekey.store.schema import from_us, log_in_attempts
from linekey.store.tallies import keep, prune

PAIR = Rule(free=5, longest_s=900, forget_s=900)
USER = Rule(free=30, longest_s=60, forget_s=120)
SOURCE = Rule(free=60, longest_s=60, forget_s=60)
MAX_ROWS = 20_000
"""Counts kept, some 150 bytes each."""


class _Count(NamedTuple):
    scope: str
    rule: Rule


class LogIns:
    """The counts of one user name and one source."""

    def __init__(
        self, database: Database, user: str, source: str, *, at_home: bool
    ) -> None:
        self._database = database
        # Hashed: a name that is typed may be a password, and has any length.
        name = hashlib.sha256(user.lower().encode("utf-8", "replace")).hexdigest()[:32]
        self._pair = _Count(f"{name} from {source[:64]}", PAIR)
        self._counts = [self._pair, _Count(f"from {source[:64]}", SOURCE)]
        if not at_home:
            self._counts.append(_Count(name, USER))

    def wait_s(self, now: datetime) -> int:
        """Seconds until a password is read; 0: now."""
        with self._database.read() as connection:
            return self._wait_s(connection, now)

    def wrong(self, now: datetime) -> int:
        """Count a wrong password; return the seconds until the next one is read."""
        with self._database.change_uncounted() as connection:
            if not self._wait_s(connection, now):
                for count in self._counts:
                    tally = _read(connection, count.scope).one_more(count.rule, now)
                    keep(connection, log_in_attempts, count.scope, tally, count.rule)
                prune(connection, log_in_attempts, now, MAX_ROWS)
            return self._wait_s(connection, now)

    def right(self, now: datetime) -> bool:
        """Clear the pair; False: a pause began meanwhile, and the password is not read.

        So of many guesses at one moment none counts beyond the free ones.
        """
        with self._database.change_uncounted() as connection:
            if self._wait_s(connection, now):
                return False
            mine = log_in_attempts.c.scope == self._pair.scope
            connection.execute(sa.delete(log_in_attempts).where(mine))
        return True

    def _wait_s(self, connection: Connection, now: datetime) -> int:
        return max(_read(connection, c.scope).wait_s(c.rule, now) for c in self._counts)


def _read(connection: Connection, scope: str) -> Tally:
    wanted = sa.select(log_in_attempts).where(log_in_attempts.c.scope == scope)
    row = connection.execute(wanted).first()
    return Tally() if row is None else Tally(row.wrong, from_us(row.at))
