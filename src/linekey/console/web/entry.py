"""Who gets in: passwords, links and sessions, asked from the event loop.

A password costs 64 MiB and a tenth of a second of a processor on purpose, so there are
two threads for that and no more; who hammers at the door waits there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from linekey.console.asking import Asking
from linekey.console.web.grants import Grant
from linekey.errors import InputError
from linekey.provisioning.difference import Difference
from linekey.settings import ConsoleSettings
from linekey.store.changes import Actor, Changed, put_on_record
from linekey.store.database import Database
from linekey.store.log_ins import LogIns
from linekey.store.sessions import Ends, Session, Sessions
from linekey.store.users import MOST_PASSWORD, User, Users

_WITHIN_S = 10.0
_LONGEST_NAME = 64

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refused:
    """A log-in that was refused; ``wait_s`` until the next is looked at."""

    wait_s: int


class Entry:
    """Log-ins and sessions; close it."""

    def __init__(self, database: Database, settings: ConsoleSettings) -> None:
        self._database = database
        self._ends = Ends(
            timedelta(minutes=settings.idle_minutes),
            timedelta(hours=settings.session_hours),
        )
        self.provider: object | None = None
        """The identity provider, once somebody asked for it (``oidc``)."""
        self._passwords = Asking(database, 2, "console-log-ins")
        self._asking = Asking(database, 2, "console-sessions")

    def close(self) -> None:
        """Let the threads go."""
        self._passwords.close()
        self._asking.close()

    async def session(self, token: str, now: datetime) -> Session | None:
        """Return the session of a cookie, if there is one."""
        if not token:
            return None
        return await self._ask(
            lambda: Sessions(self._database, self._ends).find(token, now)
        )

    async def log_in(
        self, name: str, password: str, address: str, source: str, now: datetime,
        *, instead_of: str = "",
    ) -> str | Refused:  # fmt: skip
        """Log in with a password; return the new session's token."""

        def look() -> str | Refused:
            user = self._user(name)
            at_home = user is not None and user.source == source
            counts = LogIns(self._database, name, source, at_home=at_home)
            if wait := counts.wait_s(now):
                return Refused(wait)
            fits = user is not None and len(password) <= MOST_PASSWORD
            found = Users(self._database).check_password(
                user.name if fits and user else "", password
            )
            actor = Actor(name[:_LONGEST_NAME], f"console {address}"[:64])
            if found is None:
                if user is not None:
                    self._note_refused(user, actor, now)
                return Refused(counts.wrong(now))
            if not counts.right(now):
                return Refused(counts.wait_s(now))
            return self._begin(found, "password", address, source, now, instead_of)

        return await self._passwords.ask(look, _WITHIN_S)

    async def log_in_by_link(
        self, token: str, address: str, source: str, now: datetime,
        *, instead_of: str = "",
    ) -> str | None:  # fmt: skip
        """Log in with a link; None: it is none, or not any more."""

        def look() -> str | None:
            user = Users(self._database).take_link(token, now)
            if user is None:
                return None
            return self._begin(user, "link", address, source, now, instead_of)

        return await self._ask(look)

    async def log_in_by_provider(
        self, issuer: str, subject: str, address: str, source: str, now: datetime,
        *, instead_of: str = "", only: str | None = None,
    ) -> str | None:  # fmt: skip
        """Log in whom an identity provider names; ``only`` if it is this user."""

        def look() -> str | None:
            user = Users(self._database).find_subject(issuer, subject)
            if user is None or user.revoked_at is not None:
                return None
            if only not in (None, user.name):
                return None
            return self._begin(user, "provider", address, source, now, instead_of)

        return await self._ask(look)

    async def grant(
        self, issuer: str, subject: str, names: Sequence[str], grant: Grant,
        address: str, now: datetime,
    ) -> None:  # fmt: skip
        """Give whom an identity provider names this role, and a record if it has none.

        Nobody else's name is taken, and who is revoked stays so. Raises InputError for
        a group that is not there.
        """
        actor = Actor("identity provider", f"console {address}"[:64])
        groups = None if grant.groups is None else sorted(grant.groups)

        def give() -> None:
            users = Users(self._database.acting(actor))
            user = users.find_subject(issuer, subject)
            if user is None:
                free = next(name for name in names if users.find(name) is None)
                users.add(
                    free, grant.role, now, groups=groups, issuer=issuer, subject=subject
                )
            elif user.revoked_at is None:
                users.set_groups(user.name, groups, now)
                users.set_role(user.name, grant.role, now)

        await self._ask(give)

    async def log_out(self, session: Session, actor: Actor, now: datetime) -> None:
        """End a session."""
        sessions = Sessions(self._database, self._ends)
        await self._ask(lambda: sessions.end(session, actor, now))

    async def users(self, actor: Actor, how: Callable[[Users], T]) -> T:
        """Work on the users as somebody."""
        return await self._ask(lambda: how(Users(self._database.acting(actor))))

    async def database(
        self,
        actor: Actor,
        how: Callable[[Database], T],
        within: frozenset[str] | None = None,
    ) -> T:
        """Work on the database as somebody, who may be limited to groups."""
        return await self._ask(lambda: how(self._database.acting(actor, within)))

    async def _ask(self, question: Callable[[], T]) -> T:
        return await self._asking.ask(question, _WITHIN_S)

    def _user(self, name: str) -> User | None:
        if len(name) > _LONGEST_NAME:
            return None
        return Users(self._database).find(name)

    def _begin(
        self, user: User, way: str, address: str, source: str, now: datetime,
        instead_of: str,
    ) -> str:  # fmt: skip
        if user.revoked_at is not None:
            raise InputError(f"the user {user.name!r} is revoked")
        actor = Actor(user.name, f"console {address}"[:64])
        sessions = Sessions(self._database, self._ends)
        return sessions.begin(user, way, actor, source, now, instead_of=instead_of)

    def _note_refused(self, user: User, actor: Actor, now: datetime) -> None:
        wrong = Difference("password", None, "wrong")
        with self._database.change_uncounted() as connection:
            done = Changed("refused", f"user {user.name}", [wrong])
            put_on_record(connection, actor, [done], now)
