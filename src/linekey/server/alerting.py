"""Alerts: what holds is seen, told once, and sent until it is delivered.

Of all servers that share a database one does it at a time (``store.leases``); what only
a server itself knows, its own chain, each notes. Nothing waits for this: it has a
thread and tasks of its own.

Rules: trouble with the database is logged once, and all is tried again; nothing is lost
by it, since what is told is what holds. A clock that was never set tells nothing.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

from sqlalchemy.engine import Connection

from linekey.alerts import message
from linekey.alerts.kinds import Kind, Noticed
from linekey.alerts.sender import Sender
from linekey.alerts.targets import Target
from linekey.certs.certificate import Certificate
from linekey.console.asking import Asking
from linekey.console.watch import Outlook
from linekey.errors import StorageError
from linekey.settings import Settings
from linekey.store import alerts, notices, outbox
from linekey.store.database import Database
from linekey.store.leases import Lease
from linekey.store.servers import called, place_of
from linekey.trust.validity import CLOCK_FLOOR_YEAR
from linekey.wire.faults import log_fault

_log = logging.getLogger("linekey.alerts")

TICK_S: Final = 5.0
"""How often it is looked for what is to be sent."""
LOOK_EVERY: Final = timedelta(seconds=15)
"""How often phones are looked at."""
SELDOM: Final = timedelta(hours=1)
"""How often certificates are."""
_WITHIN_S = 60.0
_AT_ONCE = 4  # messages to one target, one after the other, in a tick
LEASE_NAME: Final = "alerts"


class Alerting:
    """Keeps it going; an async context manager. Without a target it does nothing.

    ``chain`` is the server's now, ``outlook`` the forecast there is. Raises InputError
    for settings that cannot be right.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        chain: Callable[[], Sequence[Certificate]],
        outlook: Callable[[], Outlook | None],
        clock: Callable[[], datetime],
        tick_s: float = TICK_S,
    ) -> None:
        self._settings = settings.alerts
        self._kinds = {Kind(name) for name in settings.alerts.kinds}
        self._database = database
        self._chain, self._outlook, self._clock = chain, outlook, clock
        self._tick_s = tick_s
        self._sender = Sender(settings.alerts, database.state.root)
        self._name = called(database.state, settings.instance)
        # Of each server: two that share a name must not take each other's rows away.
        self._place = f"server:{place_of(database.state)[-64:]}:"
        self._lease = Lease(database, LEASE_NAME)
        self._asking = Asking(database, 1, "alerts")
        self._task: asyncio.Task[None] | None = None
        self._looked_at: datetime | None = None
        self._seldom_at: datetime | None = None
        self._own_at: datetime | None = None
        self._revision: int | None = None
        self._forecast_at: datetime | None = None
        self._leads = False
        self._told: set[str] = set()

    async def __aenter__(self) -> Self:
        if self._sender.targets:
            self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            try:
                await self._asking.ask(self._lease.give_back, 2.0)
            except StorageError as trouble:
                _log.info("another server waits for the alerts: %s", trouble.message)
        self._asking.close()

    async def _run(self) -> None:
        while True:
            try:
                await self.step()
            except StorageError as error:
                self._say(f"no alert is made or sent now: {error.message}")
            except Exception as error:  # noqa: BLE001 - told, and tried again
                log_fault(_log, "no alert is made or sent now", error)
            else:
                self._told.clear()
            await asyncio.sleep(self._tick_s)

    def _say(self, said: str) -> None:
        if said not in self._told:
            self._told.add(said)
            _log.warning("%s", said)

    async def step(self) -> None:
        """Look, tell, and send what is due. Raises StorageError."""
        now = self._clock()
        if now.year < CLOCK_FLOOR_YEAR:
            self._say(
                f"no alert is made: this machine's clock shows {now:%Y-%m-%d}, so it "
                "was not set (timedatectl set-ntp true)"
            )
            return
        # A forecast is work: only who tells of it makes one.
        wanted = self._leads and Kind.FORECAST in self._kinds
        outlook = self._outlook() if wanted else None
        chain = tuple(self._chain())
        due = await self._asking.ask(lambda: self._look(now, chain, outlook), _WITHIN_S)
        by_target: dict[str, list[outbox.Delivery]] = {}
        for one in due:
            by_target.setdefault(one.target, []).append(one)
        async with asyncio.TaskGroup() as group:
            for name, deliveries in by_target.items():
                if (target := self._sender.targets.get(name)) is not None:
                    group.create_task(self._send(target, deliveries[:_AT_ONCE]))

    # In the thread

    def _look(
        self, now: datetime, chain: Sequence[Certificate], outlook: Outlook | None
    ) -> list[outbox.Delivery]:
        self._look_at_own(now, chain)
        self._leads = self._lease.take(now)
        if not self._leads:
            return []
        if _is_due(self._looked_at, LOOK_EVERY, now):
            self._look_at_phones(now)
            self._looked_at = now
        if _is_due(self._seldom_at, SELDOM, now):
            self._look_at_certificates(now)
            outbox.tidy(self._database, self._sender.targets, now)
            self._seldom_at = now
        if outlook is not None and outlook.made_at != self._forecast_at:
            self._see(Kind.FORECAST, forecast_notices(outlook), now)
            self._forecast_at = outlook.made_at
        rules = self._settings
        alerts.tell(
            self._database,
            now,
            wait=timedelta(seconds=rules.wait_s),
            every=timedelta(seconds=rules.every_s),
            put=lambda connection, told: self._put(connection, told, now),
        )
        return outbox.due(self._database, now)

    def _look_at_own(self, now: datetime, chain: Sequence[Certificate]) -> None:
        if _is_due(self._own_at, SELDOM, now):
            days = self._settings.certificate_days
            ending = notices.ending_here(chain, self._place, days, now)
            self._see(Kind.ENDS, ending, now, self._place)
            self._own_at = now

    def _look_at_phones(self, now: datetime) -> None:
        # The first time ever, what was so before is not news.
        first = self._lease.since is None
        since = now - notices.DAY
        version = notices.registry_version(self._database)
        if version != self._revision:
            revoked = notices.revoked(self._database, now)
            self._see(Kind.REVOKED, revoked, now, silently=first)
            self._revision = version
        if first:
            with self._database.change_uncounted() as connection:
                self._lease.begin(connection, now)
        if self._lease.since is not None:
            since = max(since, self._lease.since)
        self._see(Kind.FIRST_SEEN, notices.first_seen(self._database, since), now)
        lately = now - notices.DAY
        if self._looked_at is not None:
            lately = max(lately, self._looked_at - notices.OVERLAP)
        self._see(
            Kind.REFUSED,
            [
                *notices.refused(self._database, now),
                *notices.refused_handshakes(self._database, now, lately),
            ],
            now,
        )

    def _look_at_certificates(self, now: datetime) -> None:
        days = self._settings.certificate_days
        for beginning, found in (
            ("ca:", notices.ending_authorities(self._database, days, now)),
            ("phone:", notices.ending_phones(self._database, days, now)),
        ):
            self._see(Kind.ENDS, found, now, beginning)

    def _see(
        self,
        kind: Kind,
        holds: Sequence[Noticed],
        now: datetime,
        beginning: str = "",
        *,
        silently: bool = False,
    ) -> None:
        if kind in self._kinds:
            alerts.see(
                self._database, kind, holds, now,
                beginning=beginning, silently=silently,
            )  # fmt: skip

    def _put(self, connection: Connection, told: alerts.Told, now: datetime) -> None:
        body = message.document(
            told.kind, now, server=self._name, cause=told.cause,
            sentence=told.sentence, cure=told.cure, items=told.items, count=told.count,
        )  # fmt: skip
        to = [(target.name, target.label) for target in self._sender.targets.values()]
        outbox.put(connection, message.message_id(), told.kind.value, body, to, now)

    # On the loop

    async def _send(self, target: Target, due: Sequence[outbox.Delivery]) -> None:
        for one in due:
            outcome = await self._sender.send(
                target, one.message, one.body, self._clock()
            )
            again = await self._asking.ask(
                lambda one=one, outcome=outcome: outbox.note(  # type: ignore[misc]
                    self._database,
                    one,
                    outcome,
                    self._clock(),
                    random.random(),  # noqa: S311
                ),
                _WITHIN_S,
            )
            if outcome.delivered:
                _log.info("told %s: message %d", target.label, one.row_id)
                continue
            then = (
                f"tried again at {again:%Y-%m-%d %H:%M} UTC"
                if again
                else "given up (linekey alert retry)"
            )
            _log.warning(
                "message %d is not delivered to %s: %s; %s",
                one.row_id, target.label, outcome.problem, then,
            )  # fmt: skip
            return  # the others would fare the same


def _is_due(last: datetime | None, every: timedelta, now: datetime) -> bool:
    # A clock that was set back makes it due, too.
    return last is None or not timedelta(0) <= now - last < every


def forecast_notices(outlook: Outlook) -> list[Noticed]:
    """Return what ends by a forecast, one for each day and cause."""
    return [
        Noticed(
            kind=Kind.FORECAST, key=one.id, cause="forecast",
            sentence="the forecast has a new end",
            cure="linekey forecast lists the phones, and each cause's cure",
            since=outlook.made_at, size=one.phones,
            text=f"{one.at:%Y-%m-%d}: {one.sentence} ({one.cause})",
        )
        for one in outlook.ends
    ]  # fmt: skip
