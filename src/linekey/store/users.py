"""The users of the console: made, found, given a role, a password or a log-in link.

A user is a person: a name, a role, and perhaps groups beyond which it sees nothing, as
an API token has (``store.tokens``). It proves to be itself by a password, by a link
that works once, or at an identity provider.

Rules: a password is kept as argon2id's hash alone, a link as SHA-256 of 192 random
bits. Every change is on record, and whatever takes rights away ends the user's sessions
in the same transaction.
"""

import difflib
import json
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.engine import Connection

from linekey.errors import InputError
from linekey.provisioning.device import hash_token
from linekey.provisioning.difference import CHANGED, SECRET, Difference
from linekey.said import say
from linekey.store.changes import Changed, put_on_record
from linekey.store.database import Database
from linekey.store.known_groups import known_groups, no_group
from linekey.store.schema import from_us, log_in_links, sessions, to_us, users
from linekey.store.token_scope import Scope
from linekey.words import choice_hint

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
LEAST_PASSWORD, MOST_PASSWORD = 12, 1024
"""Characters. NIST SP 800-63B asks for 8 at least, and for no rules of composition."""
LINK_FOR = timedelta(minutes=30)
"""How long a log-in link works, unless it is said."""

CONSOLE = "/console/"
"""Where the console is on its listener."""

ROLES = {"viewer": Scope.READ, "helpdesk": Scope.HELPDESK, "admin": Scope.ADMIN}
"""A role and the scope of the API that it is: a page may ask what it may ask."""

_HASHER = PasswordHasher()  # argon2id, RFC 9106's second choice: 64 MiB, 3 passes


@dataclass(frozen=True, slots=True)
class User:
    """A user as it is on record, without its password's hash."""

    name: str
    role: str
    groups: frozenset[str] | None
    """Groups beyond which it sees and changes nothing; None: it is not limited."""
    has_password: bool
    issuer: str | None
    subject: str | None
    language: str | None
    source: str | None
    """Where it last logged in from (``wire.sources``)."""
    created_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None

    @property
    def scope(self) -> Scope:
        """What it may ask the API."""
        return ROLES[self.role]

    def as_json(self) -> dict[str, Any]:
        """It as JSON values."""
        return {
            "name": self.name,
            "role": self.role,
            "groups": None if self.groups is None else sorted(self.groups),
            "state": "revoked" if self.revoked_at else "active",
            "password": self.has_password,
            "issuer": self.issuer,
            "subject": self.subject,
            "created_at": self.created_at,
            "revoked_at": self.revoked_at,
            "used_at": self.used_at,
        }


def link_url(console: str, token: str) -> str:
    """The link that ``token`` is the end of; ``console`` is where the console is."""
    return f"{console}link?token={token}"


def parse_role(text: str) -> str:
    """Read a role. Raises InputError."""
    if text not in ROLES:
        raise InputError(
            say("not a role: %(text)s", text=repr(text)), hint=choice_hint(text, ROLES)
        )
    return text


def hash_password(name: str, password: str) -> str:
    """Hash a new password. Raises InputError for one that is too short or the name."""
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        raise InputError(
            say(
                "a password has %(least_password)s to %(most_password)s characters",
                least_password=LEAST_PASSWORD,
                most_password=MOST_PASSWORD,
            ),
            hint=say("some words that nobody would guess make a good one"),
        )
    if password.lower() == name.lower():
        raise InputError(
            say("the password is the user's name"),
            hint=say("choose one nobody would guess"),
        )
    return _HASHER.hash(password)


def is_password(hashed: str | None, password: str) -> bool:
    """Whether a password is the one that was hashed; as slow where there is none."""
    try:
        right = _HASHER.verify(hashed or _nobodys(), password[: MOST_PASSWORD + 1])
    except (VerificationError, InvalidHashError):
        return False
    return bool(right) and hashed is not None


@lru_cache(1)
def _nobodys() -> str:
    """What is verified where there is no password, so that it takes as long."""
    return _HASHER.hash(secrets.token_urlsafe())


class Users:
    """The users, to make, find and change."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        name: str,
        role: str,
        now: datetime,
        *,
        groups: Collection[str] | None = None,
        password: str | None = None,
        issuer: str | None = None,
        subject: str | None = None,
    ) -> User:
        """Make a user. Raises InputError for a name that is none or is taken, a group
        that is not there, and a password that is none."""
        if not _NAME.fullmatch(name):
            raise InputError(
                say("not a user's name: %(name)s", name=repr(name)),
                hint=say(
                    "up to 64 letters, digits, '.', '_', '@' and '-', such as anna"
                ),
            )
        parse_role(role)
        hashed = None if password is None else hash_password(name, password)
        limits = None if groups is None else sorted(set(groups))
        with self._database.change_uncounted() as connection:
            _check_groups(connection, limits)
            taken = sa.func.lower(users.c.name) == name.lower()
            there = connection.execute(sa.select(users).where(taken)).first()
            if there is not None and there.revoked_at is None:
                raise InputError(
                    say("there is a user %(name)s already", name=repr(there.name)),
                    hint=say(
                        "choose another name, or first: linekey user revoke %(name)s",
                        name=there.name,
                    ),
                )
            if subject is not None:
                _refuse_taken(connection, issuer, subject)
            connection.execute(sa.delete(users).where(taken))
            connection.execute(
                sa.insert(users).values(
                    name=name,
                    role=role,
                    groups=_dump(limits),
                    password=hashed,
                    issuer=issuer,
                    subject=subject,
                    created_at=to_us(now),
                )
            )
            details = [Difference("role", None, role)]
            if limits is not None:
                details.append(Difference("groups", None, _words(limits)))
            if hashed:
                details.append(Difference("password", None, SECRET))
            if subject is not None:
                details.append(Difference("subject", None, subject))
            self._record(connection, "add", name, details, now)
        return self.get(name)

    def all(self) -> list[User]:
        """Return all, by name."""
        with self._database.read() as connection:
            wanted = sa.select(users).order_by(users.c.name)
            return [read_user(row) for row in connection.execute(wanted)]

    def find(self, name: str) -> User | None:
        """Return a user, revoked or not; None: there is none. Case does not matter."""
        with self._database.read() as connection:
            row = _row(connection, name)
        return None if row is None else read_user(row)

    def get(self, name: str) -> User:
        """Return a user. Raises InputError."""
        if (found := self.find(name)) is None:
            raise self._missing(name)
        return found

    def find_subject(self, issuer: str, subject: str) -> User | None:
        """Return the user that an identity provider calls so."""
        wanted = sa.select(users).where(
            users.c.issuer == issuer, users.c.subject == subject
        )
        with self._database.read() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else read_user(row)

    def check_password(self, name: str, password: str) -> User | None:
        """Return the user if it has this password and may log in; else None.

        It takes as long for a name that nobody has.
        """
        with self._database.read() as connection:
            row = _row(connection, name)
        right = is_password(None if row is None else row.password, password)
        if row is None or not right or row.revoked_at is not None:
            return None
        if _HASHER.check_needs_rehash(row.password):
            with self._database.change_uncounted() as connection:
                new = _HASHER.hash(password)
                mine = users.c.name == row.name
                connection.execute(sa.update(users).where(mine).values(password=new))
        return read_user(row)

    def set_password(self, name: str, password: str | None, now: datetime) -> User:
        """Give a user a password, or take it away; its sessions end."""
        user = self.get(name)
        hashed = None if password is None else hash_password(user.name, password)
        before = SECRET if user.has_password else None
        after = None if hashed is None else (CHANGED if before else SECRET)
        self._change(
            user, now, [Difference("password", before, after)], password=hashed
        )
        return self.get(name)

    def set_role(self, name: str, role: str, now: datetime) -> User:
        """Give a user another role; its sessions end."""
        user = self.get(name)
        if parse_role(role) != user.role:
            difference = Difference("role", user.role, role)
            self._change(user, now, [difference], role=role)
        return self.get(name)

    def set_groups(
        self, name: str, groups: Collection[str] | None, now: datetime
    ) -> User:
        """Limit a user to groups, or to none (None: it sees all); its sessions end."""
        user = self.get(name)
        limits = None if groups is None else sorted(set(groups))
        before = None if user.groups is None else sorted(user.groups)
        if limits != before:
            words = [None if one is None else _words(one) for one in (before, limits)]
            with self._database.read() as connection:
                _check_groups(connection, limits)
            self._change(
                user, now, [Difference("groups", *words)], groups=_dump(limits)
            )
        return self.get(name)

    def set_subject(
        self, name: str, issuer: str | None, subject: str | None, now: datetime
    ) -> User:
        """Say who a user is at an identity provider; its sessions end."""
        user = self.get(name)
        if (issuer, subject) != (user.issuer, user.subject):
            with self._database.read() as connection:
                _refuse_taken(connection, issuer, subject)
            difference = Difference("subject", user.subject, subject)
            self._change(user, now, [difference], issuer=issuer, subject=subject)
        return self.get(name)

    def set_language(self, name: str, language: str | None) -> None:
        """Remember which language a user wants; None: the browser's."""
        with self._database.write() as connection:
            mine = users.c.name == name
            connection.execute(sa.update(users).where(mine).values(language=language))

    def revoke(self, name: str, now: datetime) -> User:
        """Shut a user out from its next request on. Twice is fine."""
        user = self.get(name)
        if user.revoked_at is None:
            with self._database.change_uncounted() as connection:
                mine = users.c.name == user.name
                gone = {"revoked_at": to_us(now), "password": None}
                connection.execute(sa.update(users).where(mine).values(gone))
                _forget(connection, user.name)
                self._record(connection, "remove", user.name, [], now)
        return self.get(name)

    def new_link(self, name: str, now: datetime, lasting: timedelta = LINK_FOR) -> str:
        """Make what a log-in link ends with; links made before work no more.

        Raises InputError for a user that is not there or is revoked.
        """
        user = self.get(name)
        if user.revoked_at is not None:
            raise InputError(
                say("the user %(name)s is revoked", name=repr(user.name)),
                hint=say("linekey user add %(name)s makes it anew", name=user.name),
            )
        token = secrets.token_urlsafe(24)
        with self._database.change_uncounted() as connection:
            mine = log_in_links.c.user == user.name
            connection.execute(sa.delete(log_in_links).where(mine))
            connection.execute(
                sa.insert(log_in_links).values(
                    token_sha256=hash_token(token),
                    user=user.name,
                    ends_at=to_us(now + lasting),
                )
            )
            made = Difference("log-in link", None, SECRET)
            self._record(connection, "change", user.name, [made], now)
        return token

    def take_link(self, token: str, now: datetime) -> User | None:
        """Use up a link; None: it is none, was used, has ended or its user is gone."""
        mine = log_in_links.c.token_sha256 == hash_token(token)
        with self._database.change_uncounted() as connection:
            found = connection.execute(sa.select(log_in_links).where(mine)).first()
            if found is None:
                return None
            connection.execute(sa.delete(log_in_links).where(mine))
            row = _row(connection, found.user)
        good = row is not None and row.revoked_at is None and found.ends_at > to_us(now)
        return read_user(row) if good and row is not None else None

    def _change(
        self, user: User, now: datetime, details: list[Difference], **values: Any
    ) -> None:
        with self._database.change_uncounted() as connection:
            mine = users.c.name == user.name
            connection.execute(sa.update(users).where(mine).values(values))
            _forget(connection, user.name)
            self._record(connection, "change", user.name, details, now)

    def _record(
        self,
        connection: Connection,
        action: str,
        name: str,
        details: list[Difference],
        now: datetime,
    ) -> None:
        done = Changed(action, f"user {name}", details)
        put_on_record(connection, self._database.actor, [done], now)

    def _missing(self, name: str) -> InputError:
        near = difflib.get_close_matches(name, [user.name for user in self.all()], n=1)
        return InputError(
            say("there is no user %(name)s", name=repr(name)),
            hint=say("did you mean %(near)s?", near=near[0])
            if near
            else say("linekey user list shows those there are"),
        )


def _row(connection: Connection, name: str) -> Any:
    mine = sa.func.lower(users.c.name) == name.lower()[:64]
    return connection.execute(sa.select(users).where(mine)).first()


def _check_groups(connection: Connection, limits: list[str] | None) -> None:
    known = known_groups(connection)
    if missing := [group for group in limits or () if group not in known]:
        raise no_group(missing[0], known)


def _refuse_taken(
    connection: Connection, issuer: str | None, subject: str | None
) -> None:
    if subject is None:
        return
    theirs = (users.c.issuer == issuer) & (users.c.subject == subject)
    row = connection.execute(sa.select(users.c.name).where(theirs)).first()
    if row is not None:
        raise InputError(
            say(
                "the subject %(subject)s is the user %(name)s already",
                subject=repr(subject),
                name=repr(row.name),
            ),
            hint=say("one subject is one user"),
        )


def _forget(connection: Connection, name: str) -> None:
    """End all sessions and links of a user."""
    for table in (sessions, log_in_links):
        connection.execute(sa.delete(table).where(table.c.user == name))


def _dump(limits: list[str] | None) -> str | None:
    return None if limits is None else json.dumps(limits)


def _words(limits: list[str]) -> str:
    return ", ".join(limits) or "none"


def read_user(row: sa.Row[Any]) -> User:
    """A row of ``users`` as a user."""

    def at(us: int | None) -> datetime | None:
        return None if us is None else from_us(us)

    return User(
        name=row.name,
        role=row.role,
        groups=None if row.groups is None else frozenset(json.loads(row.groups)),
        has_password=row.password is not None,
        issuer=row.issuer,
        subject=row.subject,
        language=row.language,
        source=row.source,
        created_at=from_us(row.created_at),
        revoked_at=at(row.revoked_at),
        used_at=at(row.used_at),
    )
