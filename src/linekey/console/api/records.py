"""``/decisions``, ``/changes``, ``/health``: what happened, and how things stand."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from linekey import __version__
from linekey.console.api.bodies import Time
from linekey.console.api.desk import (
    Cursor,
    Desk,
    JsonAnswer,
    Limit,
    Page,
    mac_of,
    next_url,
)
from linekey.console.api.devices import Differs
from linekey.console.api.problems import ProblemError
from linekey.store.changes import ChangeSearch, count_changes, read_changes
from linekey.store.database import Database
from linekey.store.log_search import LogSearch, count_lines, find_lines

Mac = Annotated[str | None, Query(max_length=32, description="Only of this phone.")]


Since = Annotated[
    Time | None, Query(description="From then on; UTC unless it says otherwise.")
]
Until = Annotated[Time | None, Query(description="Before then.")]


class DecisionShown(BaseModel):
    """A decision, or a refused connection; with ``network``: as many as ``times``."""

    id: int
    at: datetime
    kind: str
    outcome: str
    reason: str
    sentence: str
    cure: str | None
    detail: str
    mac: str | None
    target_mac: str | None
    resource: str
    status: int | None
    peer: str
    peer_port: int
    tls_version: str | None
    suite: str | None
    fingerprint: str | None
    policy: str | None
    server_name: str | None
    certificate_sha256: str | None
    vendor: str | None
    generation: str | None
    user_agent: str | None
    times: int
    last_at: datetime | None
    network: str | None


class DecisionPage(Page):
    """A part of the decisions, the newest first."""

    items: list[DecisionShown]


class ChangeShown(BaseModel):
    """Who changed what."""

    id: int
    at: datetime
    who: str
    """A system account, or a token's name."""
    place: Annotated[str, Field(alias="from")]
    """``command line``, or an address."""
    action: Literal["add", "change", "remove"]
    subject: str
    """Such as ``device 000413AABBCC``."""
    changes: list[Differs]


class ChangePage(Page):
    """A part of the changes, the newest first."""

    items: list[ChangeShown]


class Health(BaseModel):
    """Whether phones can be served now."""

    status: Literal["ready", "not ready"]
    version: str
    workers: int
    """How many have said anything lately."""
    cause: str | None
    reason: str | None


def record_routes(desk: Desk) -> APIRouter:
    """Return the paths."""
    router = APIRouter(tags=["records"])

    @router.get("/decisions", response_model=DecisionPage)
    async def list_decisions(
        request: Request,
        limit: Limit = 100,
        cursor: Cursor = None,
        mac: Mac = None,
        outcome: Literal["granted", "blanked", "refused"] | None = None,
        reason: Annotated[str, Query(max_length=64)] = "",
        since: Since = None,
        until: Until = None,
    ) -> Response:
        """Search the decisions, the newest first."""
        search = LogSearch(
            mac=None if mac is None else mac_of(mac),
            outcome=outcome or "",
            reason=_text("reason", reason),
            since=_aware(since),
            until=_aware(until),
        )
        before = _before(cursor)

        def find(database: Database) -> dict[str, Any]:
            with database.read() as connection:
                total = count_lines(connection, search)
                found = find_lines(connection, search, before=before, limit=limit + 1)
            last = str(found[limit - 1].row_id) if len(found) > limit else None
            return {
                "items": [entry.as_json() for entry in found[:limit]],
                "total": total,
                "next": next_url(request, last),
            }

        return JsonAnswer(await desk.read(find))

    @router.get("/changes", response_model=ChangePage)
    async def list_changes(
        request: Request,
        limit: Limit = 100,
        cursor: Cursor = None,
        who: Annotated[str, Query(max_length=128)] = "",
        mac: Mac = None,
        subject: Annotated[str, Query(max_length=128)] = "",
        since: Since = None,
        until: Until = None,
    ) -> Response:
        """Search who changed what, the newest first."""
        search = ChangeSearch(
            who=_text("who", who),
            subject=_text("subject", subject)
            if mac is None
            else f"device {mac_of(mac)}",
            since=_aware(since),
            until=_aware(until),
        )
        before = _before(cursor)

        def find(database: Database) -> dict[str, Any]:
            with database.read() as connection:
                total = count_changes(connection, search)
                found = read_changes(connection, search, before=before, limit=limit + 1)
            last = str(found[limit - 1].row_id) if len(found) > limit else None
            return {
                "items": [line.as_json() for line in found[:limit]],
                "total": total,
                "next": next_url(request, last),
            }

        return JsonAnswer(await desk.read(find))

    @router.get("/health", response_model=Health)
    async def health() -> Response:
        """Say whether phones can be served now."""
        found = (await desk.ready()).as_json()
        plain = {"version": __version__, "cause": None, "reason": None} | found
        return JsonAnswer(plain)

    return router


def _text(name: str, text: str) -> str:
    if "\0" in text:
        raise ProblemError("parameter", f"{name} has a NUL in it", "leave it out")
    return text


def _aware(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise ProblemError(
            "parameter",
            "this cursor is not one of this list",
            "begin again without a cursor",
        )
    return int(cursor)
