"""The bearer tokens of the API: made, found again by their hash, revoked.

A token is ``linekey_`` and 32 URL-safe characters (192 random bits). Rules: it is shown
once, when it is made; the database has its SHA-256, which is enough for what is random
and long. When a token was last used is written at most once a minute.
"""

import difflib
import json
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from linekey.errors import InputError
from linekey.provisioning.device import hash_token, is_token
from linekey.provisioning.difference import Difference
from linekey.said import say
from linekey.store.changes import Changed, put_on_record
from linekey.store.database import Database
from linekey.store.known_groups import known_groups, no_group
from linekey.store.schema import api_tokens, from_us, to_us
from linekey.store.token_scope import Scope

_PREFIX = "linekey_"
USED_EVERY = timedelta(minutes=1)
"""How exactly it is known when a token was last used."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it is on record, without the token itself."""

    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    groups: frozenset[str] | None = None
    """Groups beyond which it sees and changes nothing; None: it is not limited."""

    def problem(self, now: datetime) -> str:
        """Why it opens nothing; empty: it does."""
        if self.revoked_at is not None:
            return "this token was revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "this token has expired"
        return ""

    def is_use_news(self, now: datetime) -> bool:
        """Whether a use now is to be noted: none was a moment ago."""
        return self.used_at is None or now - self.used_at >= USED_EVERY

    def as_json(self, now: datetime) -> dict[str, Any]:
        """It as JSON values."""
        state = "revoked" if self.revoked_at else "active"
        return {
            "name": self.name,
            "scope": self.scope.value,
            "groups": None if self.groups is None else sorted(self.groups),
            "state": "expired" if state == "active" and self.problem(now) else state,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
            "used_at": self.used_at,
        }


class ApiTokens:
    """The tokens, to make, find and revoke."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        name: str,
        scope: Scope,
        expires_at: datetime | None,
        now: datetime,
        groups: Collection[str] | None = None,
    ) -> str:
        """Make a token; it is returned here and never again.

        ``groups`` limits it to them. Raises InputError for a name that is none, or that
        a living token has, for an end that has passed, and a group that is not there.
        """
        if not _NAME.fullmatch(name):
            raise InputError(
                say("not a token's name: %(name)s", name=repr(name)),
                hint=say(
                    "up to 64 letters, digits, '.', '_', '@' and '-', such as pbx-1"
                ),
            )
        if expires_at is not None and expires_at <= now:
            raise InputError(
                say(
                    "a token that ends at %(expires_at)s UTC opens nothing",
                    expires_at=f"{expires_at:%Y-%m-%d %H:%M}",
                ),
                hint=say("give an end that is to come, such as 30d"),
            )
        token = f"{_PREFIX}{secrets.token_urlsafe(24)}"
        mine = api_tokens.c.name == name
        limits = None if groups is None else sorted(set(groups))
        with self._database.change_uncounted() as connection:
            known = known_groups(connection)
            if missing := [group for group in limits or () if group not in known]:
                raise no_group(missing[0], known)
            there = connection.execute(sa.select(api_tokens).where(mine)).first()
            if there is not None and not _read(there).problem(now):
                raise InputError(
                    say("there is a token %(name)s already", name=repr(name)),
                    hint=say(
                        "choose another name, or first: linekey token revoke %(name)s",
                        name=name,
                    ),
                )
            connection.execute(sa.delete(api_tokens).where(mine))
            connection.execute(
                sa.insert(api_tokens).values(
                    name=name,
                    token_sha256=hash_token(token),
                    scope=scope.value,
                    created_at=to_us(now),
                    expires_at=None if expires_at is None else to_us(expires_at),
                    groups=None if limits is None else json.dumps(limits),
                )
            )
            ends = None if expires_at is None else expires_at.isoformat()
            details = [Difference("scope", None, scope.value)]
            details += [Difference("expires_at", None, ends)] if ends else []
            if limits is not None:
                details.append(Difference("groups", None, ", ".join(limits) or "none"))
            self._record(connection, Changed("add", f"token {name}", details), now)
        return token

    def all(self) -> list[ApiToken]:
        """Return all, by name."""
        with self._database.read() as connection:
            wanted = sa.select(api_tokens).order_by(api_tokens.c.name)
            return [_read(row) for row in connection.execute(wanted)]

    def find(self, token: str) -> ApiToken | None:
        """Return what is on record of a token, good or not; None: there is none."""
        if not token.startswith(_PREFIX) or not is_token(token):
            return None
        wanted = sa.select(api_tokens).where(
            api_tokens.c.token_sha256 == hash_token(token)
        )
        with self._database.read() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else _read(row)

    def used(self, token: ApiToken, now: datetime) -> None:
        """Note that a token was used, if that was not noted a moment ago."""
        if not token.is_use_news(now):
            return
        with self._database.write() as connection:
            connection.execute(
                sa.update(api_tokens)
                .where(api_tokens.c.name == token.name)
                .values(used_at=to_us(now))
            )

    def revoke(self, name: str, now: datetime) -> ApiToken:
        """Revoke a token: from the next request on it opens nothing.

        Raises InputError for a name that no token has. Twice is fine.
        """
        with self._database.change_uncounted() as connection:
            wanted = sa.select(api_tokens).where(api_tokens.c.name == name)
            row = connection.execute(wanted).first()
            if row is None:
                names = connection.execute(sa.select(api_tokens.c.name)).scalars()
                near = difflib.get_close_matches(name, list(names), n=1)
                raise InputError(
                    say("there is no token %(name)s", name=repr(name)),
                    hint=say("did you mean %(near)s?", near=near[0])
                    if near
                    else say("linekey token list shows those there are"),
                )
            token = _read(row)
            if token.revoked_at is None:
                connection.execute(
                    sa.update(api_tokens)
                    .where(api_tokens.c.name == name)
                    .values(revoked_at=to_us(now))
                )
                self._record(connection, Changed("remove", f"token {name}", ()), now)
        return next(one for one in self.all() if one.name == name)

    def _record(self, connection: sa.Connection, done: Changed, now: datetime) -> None:
        put_on_record(connection, self._database.actor, [done], now)


def _read(row: sa.Row[Any]) -> ApiToken:
    def at(us: int | None) -> datetime | None:
        return None if us is None else from_us(us)

    return ApiToken(
        row.name,
        Scope(row.scope),
        from_us(row.created_at),
        at(row.expires_at),
        at(row.revoked_at),
        at(row.used_at),
        None if row.groups is None else frozenset(json.loads(row.groups)),
    )
