"""``/forecast``: who fails when, and what a new chain would change."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from linekey.certs.pem import parse_certificates
from linekey.check.forecast import DEFAULT_AHEAD, Served
from linekey.console.api.bodies import Body, Short, Text, Time
from linekey.console.api.desk import Desk, JsonAnswer, WordsShown, groups_of, mac_of
from linekey.console.api.problems import ProblemError
from linekey.console.forecasting import ACTIVE, ahead_of, name_of
from linekey.errors import InputError
from linekey.said import say
from linekey.store.database import Database
from linekey.store.groups import Groups
from linekey.store.selection import Selection

Until = Annotated[
    Time | None, Query(description="How far ahead; 400 days unless given.")
]
Pattern = Annotated[
    str | None,
    Query(max_length=1024, description="The whole of it; * is anything."),
]
MAX_SERVERS = 16
MAX_UNDER_WAY = 2
"""Forecasts that one token or user may wait for at once."""


class ModelCount(BaseModel):
    """Phones of one model and firmware."""

    model: str
    firmware: str
    phones: int


class EventShown(BaseModel):
    """One day's change for some phones, by one cause."""

    id: str
    at: datetime
    kind: Literal["accepts", "recognised", "begins"]
    server: str | None
    phones: int
    sentence: str
    cause: str
    cure: str
    rule: str | None
    condition: str | None
    models: list[ModelCount]
    macs: list[str]


class RenewalShown(BaseModel):
    """What the new chain changes, as of ``at``."""

    server: str
    at: datetime
    kept: int
    lost: list[EventShown]
    gained: list[EventShown]


class ForecastShown(BaseModel):
    """What ends until then. See docs/reference/forecast-json.md."""

    format: Literal[1]
    made_at: datetime
    until: datetime
    phones: int
    judged: int
    unknown: int
    failing: int
    without_server_authentication: int
    condition: str
    already: list[EventShown]
    events: list[EventShown]
    renewal: RenewalShown | None
    notes: list[str]
    words: dict[str, WordsShown]
    """What causes, cures, conditions and notes were made of, by sentence."""


class ServerBody(Body):
    """Another server of these phones."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    """What phones call it: a host name, or an address."""
    chain: Text
    """What it sends, leaf first: PEM."""

    def served(self) -> Served:
        """It as the forecast has it. Raises InputError."""
        return Served(
            self.name, self.name, tuple(parse_certificates(self.chain.encode()))
        )


class ForecastAsked(Body):
    """What to look at."""

    until: Time | None = None
    """How far ahead; 400 days unless given."""
    chain: Text | None = None
    """A chain that shall replace this server's, leaf first: PEM."""
    name: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """What phones call this server, unless as it is set."""
    also: Annotated[tuple[ServerBody, ...], Field(max_length=MAX_SERVERS)] = ()
    """Other servers."""
    vendor: Short | None = None
    model: Short | None = None
    group: Short | None = None
    macs: Annotated[tuple[Short, ...], Field(max_length=1000)] = ()
    """Of these phones alone."""


def forecast_routes(desk: Desk) -> APIRouter:
    """Return the paths."""
    router = APIRouter(tags=["forecast"])
    under_way: Counter[str] = Counter()
    """By who asked: one is made at a time, and nobody's are to keep others out."""

    async def look(
        request: Request, asked: ForecastAsked, macs: int | None = None
    ) -> Response:
        now = desk.clock()
        until = _until(asked.until, now)
        servers = list(desk.served())
        if asked.name is not None:
            servers = [Served.of(asked.name, asked.name, s.chains) for s in servers]
        renewal = None
        if asked.chain is not None:
            chain = tuple(parse_certificates(asked.chain.encode()))
            host = asked.name or (servers[0].name if servers else name_of((), chain))
            label = f"the new chain as {host}"
            renewal = Served(label, host, chain)
            if servers:
                renewal = servers[0].renewed(label, chain)
        servers += [server.served() for server in asked.also]
        wanted = Selection(
            vendor=asked.vendor, model=asked.model, group=asked.group,
            state=ACTIVE.state,
            macs=frozenset(map(mac_of, asked.macs)) if asked.macs else None,
        )  # fmt: skip

        def find(database: Database) -> dict[str, Any]:
            return ahead_of(
                database, servers, at=now, until=until, renewal=renewal, wanted=wanted,
                expired=desk.expired,
            ).as_dict(macs)  # fmt: skip

        who = request.state.actor.who
        if under_way[who] >= MAX_UNDER_WAY:
            raise ProblemError(
                "rate",
                say(
                    "%(count)s forecasts of %(who)s are being made already",
                    count=MAX_UNDER_WAY,
                    who=repr(who),
                ),
                Retry_After="5",
            )  # fmt: skip
        under_way[who] += 1
        try:
            return JsonAnswer(await desk.work(request, find))
        finally:
            under_way[who] -= 1
            if not under_way[who]:
                del under_way[who]

    @router.get("/forecast", response_model=ForecastShown)
    async def get_forecast(
        request: Request,
        until: Until = None,
        vendor: Pattern = None,
        model: Pattern = None,
        group: Pattern = None,
        max_age: Annotated[
            int | None,
            Query(ge=0, le=7 * 86400, description="Seconds: one that was made for all "
                  "phones not longer ago is good enough."),
        ] = None,
        macs: Annotated[
            int | None,
            Query(ge=0, description="At most so many MACs of each event; phones says "
                  "how many there are."),
        ] = None,
    ) -> Response:  # fmt: skip
        """Say what ends for the active phones: this server's chain, makers' CAs."""
        asked = ForecastAsked(until=until, vendor=vendor, model=model, group=group)
        if max_age is not None and desk.watch is not None and asked == ForecastAsked():
            groups, age = groups_of(request), timedelta(seconds=max_age)
            versions: frozenset[int] = frozenset()
            if groups is not None:
                versions = await desk.read(request, _versions)
            kept = await desk.watch.kept(groups, age, versions)
            if kept is not None:
                return JsonAnswer(kept.as_dict(macs))
        return await look(request, asked, macs)

    @router.post("/forecast", response_model=ForecastShown)
    async def ask_forecast(request: Request, asked: ForecastAsked) -> Response:
        """The same, with a chain before it is deployed, or with other servers'.

        Nothing is changed, and nothing is kept.
        """
        return await look(request, asked)

    return router


def _versions(database: Database) -> frozenset[int]:
    return frozenset(group.version for group in Groups(database).all())


def _until(asked: datetime | None, now: datetime) -> datetime:
    if asked is None:
        return now + DEFAULT_AHEAD
    until = asked if asked.tzinfo else asked.replace(tzinfo=now.tzinfo)
    if until <= now:
        raise InputError(
            say("until is not ahead"),
            hint=say("give a date to come, such as 2027-01-31"),
        )
    return until
