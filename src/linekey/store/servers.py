"""Which servers share this database, and which keys each of them has.

A running server writes a row: the ids of the keys in its key file, and that it lives.
So a rotation (``rotation``) knows who lacks the new key before anything is sealed with
it. Each worker learns on the same occasion which key is in use.

Rules: ids are written, never keys. What is written is what the *file* has, not what the
process still remembers: a restart knows the file alone. Two servers of one name never
hide each other: the second takes a name with its run's number behind it.
"""

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from linekey.store.database import Database
from linekey.store.deadline import within
from linekey.store.paths import StateDir
from linekey.store.schema import from_us, servers, to_us
from linekey.store.secrets import KEY_FILE, LACKS_HINT

TELL_EVERY = timedelta(seconds=10)
"""How often a server writes that it lives."""
LIVE = timedelta(minutes=1)
"""A server that was seen within this time lives: six of its lines were due."""
_TELL_WITHIN_S = 5.0
FORGOTTEN = timedelta(days=30)
"""A server that was not seen for so long is taken off the list by those that live."""


@dataclass(frozen=True, slots=True)
class KnownServer:
    """One row: a server and its keys."""

    name: str
    place: str
    """The machine and the key file, such as ``phones1:/var/lib/linekey``."""
    keys: tuple[str, ...]
    """The ids of the keys in its file."""
    started_at: datetime
    seen_at: datetime

    def lives(self, now: datetime) -> bool:
        """Whether it was seen lately. A clock that is ahead counts as alive."""
        return now - self.seen_at <= LIVE


def place_of(state: StateDir) -> str:
    """Return what names this machine and its state folder."""
    return f"{socket.gethostname()}:{state.root.resolve()}"[:255]


def called(state: StateDir, instance: str) -> str:
    """A server's name for people: the setting ``instance``, or its machine's."""
    return instance or place_of(state).partition(":")[0]


def known_servers(connection: Connection) -> list[KnownServer]:
    """Return all servers on the list, by name."""
    rows = connection.execute(sa.select(servers).order_by(servers.c.name)).all()
    return [
        KnownServer(
            row.name,
            row.place,
            tuple(key for key in row.key_ids.split(",") if key),
            from_us(row.started_at),
            from_us(row.seen_at),
        )
        for row in rows
    ]


class Presence:
    """What one server process tells of itself; ``tell`` may wait for the database.

    ``name`` is the server's, empty for ``place_of``. Without ``writes`` (workers but
    the first) it only learns which key is in use. Not for several threads at once.
    ``on_trouble`` is told, in a sentence, what the operator should mend.
    """

    def __init__(
        self,
        database: Database,
        now: datetime,
        *,
        name: str = "",
        writes: bool = True,
        on_trouble: Callable[[str, str], None] = lambda said, cure: None,
    ) -> None:
        self._database = database
        self._place = place_of(database.state)
        self._plain = self.name = name or self._place
        self._run = secrets.token_hex(8)
        self._writes = writes
        self._on_trouble = on_trouble
        self._started_at = now
        self._told_at: datetime | None = None
        self._told: tuple[str, ...] = ()
        self._mine = False

    def tell_if_due(self, now: datetime) -> None:
        """``tell``, if the key file has changed or it was not told for a while."""
        self._database.keys.read_again()
        due = self._told_at is None or not (
            timedelta(0) <= now - self._told_at < TELL_EVERY
        )
        if due or self._told != self._database.keys.file_ids:
            self.tell(now)

    def tell(self, now: datetime) -> None:
        """Write this server's row, and learn which key is in use.

        Raises StorageError if the database cannot be written, if the key file cannot be
        read, or if it lacks the key that is in use.
        """
        keys = self._database.keys
        keys.read_again()
        ids = keys.file_ids
        with (
            within(_TELL_WITHIN_S),
            self._database.change_uncounted() as connection,
        ):
            if self._writes:
                self._write(connection, ids, now)
        if keys.in_use not in ids:
            self._on_trouble(
                f"keys/{KEY_FILE} no longer has the key in use, {keys.in_use}; this "
                "server goes on with what it has read, but could not start again",
                LACKS_HINT,
            )
        self._told_at, self._told = now, ids

    def end(self) -> None:
        """Take a second name back. The plain one stays: a server that is down must have
        the key, too, before it starts again. Raises StorageError."""
        if self._writes and self.name != self._plain:
            with within(_TELL_WITHIN_S), self._database.write() as connection:
                connection.execute(sa.delete(servers).where(self._is_mine()))

    def _write(
        self, connection: Connection, ids: tuple[str, ...], now: datetime
    ) -> None:
        values: dict[str, Any] = {
            "place": self._place,
            "key_ids": ",".join(ids),
            "seen_at": to_us(now),
            "started_at": to_us(self._started_at),
        }
        changed = sa.update(servers).values(values)
        if self._mine:
            if connection.execute(changed.where(self._is_mine())).rowcount:
                return
            there = sa.select(servers.c.run).where(servers.c.name == self.name)
            if connection.execute(there).first() is not None:
                # Two machines that were copied from one; or one that starts anew while
                # this one still finishes its answers, and will take the name back.
                self.name = f"{self._plain[:230]} #{self._run}"
                self._on_trouble(
                    f"another server calls itself {self._plain!r}, too",
                    "give each its own name with the setting instance",
                )
        connection.execute(sa.delete(servers).where(servers.c.name == self.name))
        connection.execute(
            sa.insert(servers).values(name=self.name, run=self._run, **values)
        )
        self._mine = True
        old = to_us(now - FORGOTTEN)
        connection.execute(sa.delete(servers).where(servers.c.seen_at < old))

    def _is_mine(self) -> Any:
        return sa.and_(servers.c.name == self.name, servers.c.run == self._run)
