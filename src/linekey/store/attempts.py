"""Wrong answers to HTTP digest challenges, where all workers and servers see them.

``provisioning.brake`` decides; here its counts are kept. An answer in a pause costs a
look and no write. Any other that changes a count is judged and counted in one
transaction, under a lock of this device and this source: a thousand answers at one
moment are judged one after the other, whatever worker or server they came to.

Rules: bounded rows, however many devices and sources are made up: those that are
forgotten go, and beyond MAX_ROWS those that would be forgotten first. Nothing here sees
an answer, only whether it was right. The event loop never waits: a thread does.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.errors import Cause, StorageError
from linekey.mac import Mac
from linekey.provisioning.brake import (
    DEVICE,
    OWN,
    PAIR,
    SOURCE,
    Attempts,
    Rule,
    Tally,
    Verdict,
    judge,
)
from linekey.store.database import Database
from linekey.store.deadline import within
from linekey.store.schema import digest_attempts, digest_places, from_us
from linekey.store.tallies import keep, prune, put

MAX_ROWS = 50_000
"""Counts kept, some 150 bytes each."""
PRUNE_EVERY = 500
"""Counts written by one process between two looks at how many there are."""

ANSWER_WITHIN_S = 2.0
"""Seconds for a judgement, as for the registry's answers."""
_SOURCE = 64  # characters kept of one; an IPv6 network has 43 at most
_THREADS = 2  # answers judged at once, in each worker

_RULES: dict[str, Rule] = {
    "pair": PAIR, "device": DEVICE, "source": SOURCE, "own": OWN,
}  # fmt: skip


class _Guess(NamedTuple):
    mac: Mac
    source: str
    leaf: str | None

    @property
    def scopes(self) -> dict[str, str]:
        """The key of each count's row."""
        return {
            "pair": f"{self.mac} from {self.source}",
            "device": f"{self.mac} from anywhere",
            "source": f"from {self.source}",
            "own": f"{self.mac} at home",
        }


class AttemptStore:
    """The counts in the database. One a process and loop; use it in a ``with``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="attempts")
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    async def judge(
        self, mac: Mac, source: str, leaf: str | None, *, right: bool, now: datetime
    ) -> Verdict:
        """Judge one answer and keep what it changes. Raises StorageError.

        ``source`` is what counts as one (``wire.sources.source_of``), ``leaf`` the
        SHA-256 of the certificate that the peer proved, if it did.
        """
        guess = _Guess(mac, source[:_SOURCE], leaf)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await loop.run_in_executor(
                    self._pool, self._bounded, guess, right, now
                )
        except TimeoutError:
            raise StorageError(
                f"{self._database.name} has not answered within {ANSWER_WITHIN_S:g} s",
                hint="look at its load, and for another process that holds it",
                cause=Cause.SLOW,
            ) from None

    def _bounded(self, guess: _Guess, right: bool, now: datetime) -> Verdict:
        with within(ANSWER_WITHIN_S):
            return self._judge(guess, right, now)

    def _judge(self, guess: _Guess, right: bool, now: datetime) -> Verdict:
        with self._database.read() as connection:
            before = _read(connection, guess)
        verdict, after = judge(before, right=right, now=now)
        moves = right and verdict.read and not before.at_home
        if after is before and not moves:
            return verdict
        with self._database.write() as connection:
            if not self._database.is_sqlite:  # which has one writer anyway
                _lock(connection, guess)
            before = _read(connection, guess)
            verdict, after = judge(before, right=right, now=now)
            _write(connection, guess, before, after)
            if right and verdict.read:
                _move(connection, guess)
            if self._written % PRUNE_EVERY == 0:
                prune(connection, digest_attempts, now, MAX_ROWS)
            self._written += 1
        return verdict


def forget_attempts(connection: Connection, macs: Iterable[Mac]) -> None:
    """Forget what was counted for devices: new, gone, or with a new password."""
    digits = [mac.digits for mac in macs]
    for table in (digest_attempts, digest_places):
        if connection.execute(sa.select(table.c.mac).limit(1)).first() is not None:
            connection.execute(sa.delete(table).where(table.c.mac.in_(digits)))


def _lock(connection: Connection, guess: _Guess) -> None:
    """PostgreSQL: no second judgement of this device or source until the commit.

    Always the device first, so two of them never wait for each other.
    """
    for name in (guess.mac.digits, guess.source):
        number = int.from_bytes(
            hashlib.sha256(f"linekey attempts {name}".encode()).digest()[:8],
            signed=True,
        )
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def _read(connection: Connection, guess: _Guess) -> Attempts:
    scopes = guess.scopes
    wanted = digest_attempts.c.scope.in_(scopes.values())
    rows = connection.execute(
        sa.select(
            digest_attempts.c.scope, digest_attempts.c.wrong, digest_attempts.c.at
        ).where(wanted)
    ).all()
    found = {scope: Tally(wrong, from_us(at)) for scope, wrong, at in rows}
    tallies = {name: found.get(scope, Tally()) for name, scope in scopes.items()}
    place = connection.execute(
        sa.select(digest_places.c.source, digest_places.c.leaf).where(
            digest_places.c.mac == guess.mac.digits
        )
    ).first()
    at_home = place is not None and tuple(place) == (guess.source, guess.leaf)
    return Attempts(**tallies, at_home=at_home)


def _write(
    connection: Connection, guess: _Guess, before: Attempts, after: Attempts
) -> None:
    for name, rule in _RULES.items():
        tally: Tally = getattr(after, name)
        if tally == getattr(before, name):
            continue
        keep(
            connection,
            digest_attempts,
            guess.scopes[name],
            tally,
            rule,
            mac=None if name == "source" else guess.mac.digits,
        )


def _move(connection: Connection, guess: _Guess) -> None:
    put(
        connection,
        digest_places,
        digest_places.c.mac,
        {"mac": guess.mac.digits, "source": guess.source, "leaf": guess.leaf},
    )
