"""``/alerts``: what holds now, and which messages about it were not delivered."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from linekey.alerts.kinds import Kind
from linekey.console.api.desk import Desk, JsonAnswer
from linekey.store import alerts, outbox
from linekey.store.database import Database

Number = Annotated[int, Path(ge=1, le=2**63 - 1, description="The message's number.")]
MOST = 1_000


class AlertShown(BaseModel):
    """Something that holds now, and since when; ``told_at`` null: not yet told."""

    kind: str
    mac: str | None
    text: str
    cause: str
    sentence: str
    cure: str
    phones: int
    since: datetime
    told_at: datetime | None


class AlertsShown(BaseModel):
    """The newest; ``total`` is how many there are."""

    total: int
    items: list[AlertShown]


class MessageShown(BaseModel):
    """A message for one target; its URL's path is not shown."""

    id: int
    message: str
    target: str
    kind: str
    summary: str
    state: Literal["waiting", "sent", "undelivered"]
    attempts: int
    made_at: datetime
    tried_at: datetime | None
    next_at: datetime | None
    problem: str


class MessagesShown(BaseModel):
    """The newest first; ``total`` is how many there are."""

    total: int
    items: list[MessageShown]


class Retried(BaseModel):
    """How many messages wait again."""

    waiting: int


def alert_routes(desk: Desk) -> APIRouter:
    """Return the paths."""
    router = APIRouter(tags=["alerts"])

    @router.get("/alerts", response_model=AlertsShown)
    async def list_alerts(request: Request, kind: Kind | None = None) -> Response:
        """List what holds now, newest first, at most 1,000."""

        def find(database: Database) -> dict[str, Any]:
            held, total = alerts.holding(database, kind or "", MOST)
            return {"total": total, "items": held}

        return JsonAnswer(await desk.read(request, find))

    @router.get("/alerts/messages", response_model=MessagesShown)
    async def list_messages(
        request: Request,
        state: Annotated[
            Literal["waiting", "sent", "undelivered"] | None,
            Query(description="Unless given: all that were not delivered."),
        ] = None,
    ) -> Response:
        """List messages about alerts, newest first, at most 1,000."""

        def find(database: Database) -> dict[str, Any]:
            states = outbox.OPEN if state is None else (state,)
            found = outbox.listed(database, states, MOST)
            counts = outbox.counts(database)
            return {
                "total": sum(counts[one] for one in states),
                "items": [one.as_json() for one in found],
            }

        return JsonAnswer(await desk.read(request, find))

    @router.post("/alerts/messages/{number}/retry", response_model=Retried)
    async def retry_message(request: Request, number: Number) -> Response:
        """Have a message that was not delivered sent again by the running server."""

        def put_back(database: Database) -> dict[str, int]:
            return {"waiting": outbox.retry(database, number, desk.clock())}

        return JsonAnswer(await desk.change(request, put_back))

    return router
