"""Browsers that are logged in to the console.

A session is 256 random bits in a cookie, and here their SHA-256. It ends when it was
not used for ``Ends.idle``, and ``Ends.absolute`` after the log-in whatever happens
(OWASP's Session Management Cheat Sheet; NIST SP 800-63B §2.2.3: 12 hours, and 30
minutes without activity or more where there is a reason).

Rules: a log-in makes a new session and ends the one that the browser had. Each is on
record with the user's name. Of a user MAX_EACH are kept; the eldest goes.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from linekey.provisioning.device import hash_token
from linekey.provisioning.difference import Difference
from linekey.store.changes import Actor, Changed, put_on_record
from linekey.store.database import Database
from linekey.store.schema import from_us, sessions, to_us, users
from linekey.store.users import User, read_user

MAX_EACH = 20
USED_EVERY = timedelta(minutes=1)
"""How exactly it is known when a session was last used."""
_TOKEN = 43  # characters of 256 bits in base64


@dataclass(frozen=True, slots=True)
class Ends:
    """How long a session lasts."""

    idle: timedelta = timedelta(hours=1)
    absolute: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that is logged in."""

    user: User
    way: str
    """``password``, ``link`` or ``provider``."""
    created_at: datetime
    proved_at: datetime
    """When the user last proved to be it."""
    used_at: datetime
    token_sha256: str


class Sessions:
    """The sessions, to begin, find and end."""

    def __init__(self, database: Database, ends: Ends) -> None:
        self._database, self._ends = database, ends

    def begin(
        self, user: User, way: str, actor: Actor, source: str, now: datetime,
        *, instead_of: str = "",
    ) -> str:  # fmt: skip
        """Log a user in; return the cookie's token. ``instead_of`` ends."""
        token = secrets.token_urlsafe(32)
        with self._database.change_uncounted() as connection:
            self._prune(connection, user, now)
            if instead_of:
                old = sessions.c.token_sha256 == hash_token(instead_of)
                connection.execute(sa.delete(sessions).where(old))
            connection.execute(
                sa.insert(sessions).values(
                    token_sha256=hash_token(token), user=user.name, way=way,
                    address=actor.place[-64:], created_at=to_us(now),
                    proved_at=to_us(now), used_at=to_us(now),
                )
            )  # fmt: skip
            connection.execute(
                sa.update(users)
                .where(users.c.name == user.name)
                .values(used_at=to_us(now), source=source[:64])
            )
            details = [Difference("by", None, way)]
            done = Changed("log-in", f"user {user.name}", details)
            put_on_record(connection, actor, [done], now)
        return token

    def find(self, token: str, now: datetime) -> Session | None:
        """Return the session of a cookie, if it lasts and its user may be here.

        Its use is noted, a minute exactly.
        """
        if len(token) != _TOKEN or not token.isascii():
            return None
        wanted = (
            sa.select(
                users, sessions.c.way, sessions.c.proved_at, sessions.c.token_sha256,
                sessions.c.created_at.label("began_at"),
                sessions.c.used_at.label("last_at"),
            )
            .join_from(sessions, users, sessions.c.user == users.c.name)
            .where(sessions.c.token_sha256 == hash_token(token))
        )  # fmt: skip
        with self._database.read() as connection:
            row = connection.execute(wanted).first()
        if row is None:
            return None
        found = _read(row)
        idle, whole = now - found.used_at, now - found.created_at
        over = idle >= self._ends.idle or whole >= self._ends.absolute
        if over or found.user.revoked_at is not None:
            return None
        if idle >= USED_EVERY:
            with self._database.write() as connection:
                connection.execute(
                    sa.update(sessions)
                    .where(sessions.c.token_sha256 == found.token_sha256)
                    .values(used_at=to_us(now))
                )
        return found

    def end(self, session: Session, actor: Actor, now: datetime) -> None:
        """Log a browser out."""
        with self._database.change_uncounted() as connection:
            mine = sessions.c.token_sha256 == session.token_sha256
            connection.execute(sa.delete(sessions).where(mine))
            done = Changed("log-out", f"user {session.user.name}", [])
            put_on_record(connection, actor, [done], now)

    def _prune(self, connection: sa.Connection, user: User, now: datetime) -> None:
        idle, whole = to_us(now - self._ends.idle), to_us(now - self._ends.absolute)
        over = (sessions.c.used_at <= idle) | (sessions.c.created_at <= whole)
        connection.execute(sa.delete(sessions).where(over))
        kept = (
            sa.select(sessions.c.token_sha256)
            .where(sessions.c.user == user.name)
            .order_by(sessions.c.created_at.desc())
            .offset(MAX_EACH - 1)
            .limit(MAX_EACH)
        )
        names = list(connection.execute(kept).scalars())
        gone = sessions.c.token_sha256.in_(names)
        connection.execute(sa.delete(sessions).where(gone))


def _read(row: Any) -> Session:
    return Session(
        user=read_user(row),
        way=row.way,
        created_at=from_us(row.began_at),
        proved_at=from_us(row.proved_at),
        used_at=from_us(row.last_at),
        token_sha256=row.token_sha256,
    )
