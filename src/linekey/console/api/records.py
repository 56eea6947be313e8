"""``/decisions``, ``/changes``, ``/health``, ``/metrics``: what happened, and is.

To follow decisions is to ask again and again (long poll), each time with the place that
the answer before named. So every answer is whole: a database in trouble is a problem as
everywhere, and the place still holds afterwards.
"""

import asyncio
import base64
import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from starlette.responses import Response

from linekey import __version__
from linekey.console.api.bodies import Time
from linekey.console.api.desk import (
    Cursor,
    Desk,
    JsonAnswer,
    Limit,
    ListAnswer,
    Page,
    WordsShown,
    groups_of,
    mac_of,
    next_url,
)
from linekey.console.api.devices import Differs
from linekey.console.api.problems import ProblemError
from linekey.errors import LinekeyError, StorageError
from linekey.said import say, words_of
from linekey.store.changes import (
    ChangeLine,
    ChangeSearch,
    Moment,
    count_changes,
    read_changes,
)
from linekey.store.database import Database
from linekey.store.decisions import LogEntry
from linekey.store.log_counts import HOUR, MAX_HOURS
from linekey.store.log_search import (
    LogSearch,
    follow_lines,
    lines_and_total,
)
from linekey.store.schema import from_us, to_us
from linekey.trust.findings import Finding

Mac = Annotated[str | None, Query(max_length=32, description="Only of this phone.")]


Since = Annotated[
    Time | None, Query(description="From then on; UTC unless it says otherwise.")
]
Until = Annotated[Time | None, Query(description="Before then.")]
Exact = Annotated[str, Query(max_length=128)]

MAX_FOLLOWERS = 16
"""Calls that may wait for decisions at once; each keeps looking into the database."""
LOOK_EVERY_S = 0.5
_FOLLOWED = "place in the decisions"


class LogQuery:
    """What decisions are searched by: one set of parameters for list and follow."""

    def __init__(
        self,
        request: Request,
        mac: Mac = None,
        kind: Literal["decision", "handshake", "request"] | None = None,
        outcome: Literal["granted", "blanked", "refused", "absent"] | None = None,
        reason: Exact = "",
        peer: Annotated[
            str, Query(max_length=64, description="The address it came from.")
        ] = "",
        vendor: Exact = "",
        policy: Exact = "",
        group: Annotated[
            str,
            Query(max_length=64, description="That in which the phone was then."),
        ] = "",
        tls_version: Annotated[str, Query(max_length=128, description="TLSv1.2")] = "",
        certificate_sha256: Exact = "",
        status: Annotated[
            int | None, Query(ge=100, le=599, description="The answer's.")
        ] = None,
        q: Annotated[
            str,
            Query(
                max_length=256,
                description="In resource, detail, user agent, server's name.",
            ),
        ] = "",
        since: Since = None,
        until: Until = None,
    ) -> None:
        texts = {
            "reason": reason, "peer": peer, "vendor": vendor, "policy": policy,
            "group": group, "tls_version": tls_version,
            "certificate_sha256": certificate_sha256,
        }  # fmt: skip
        self.search = LogSearch(
            mac=None if mac is None else mac_of(mac),
            kind=kind or "",
            outcome=outcome or "",
            status=status,
            text=_text("q", q),
            since=_aware(since),
            until=_aware(until),
            groups=groups_of(request),
            **{name: _text(name, text) for name, text in texts.items()},
        )


class DecisionShown(BaseModel):
    """A decision, or a refused connection; with ``network``: as many as ``times``."""

    id: int | None
    """null for a token that is limited to groups: it counts everybody's."""
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
    group: str | None


class DecisionPage(Page):
    """A part of the decisions, the newest first.

    Those with a text (``q``) are counted up to 10,000; one or two letters, or a text
    with other filters, in the newest decisions only: then ``total_is`` says so.
    ``next`` goes on to the last of them all the same.
    """

    items: list[DecisionShown]
    total_is: Literal["exact", "at least"]
    searched_to: datetime | None
    """The time of the last decision that was looked at, where one answer looks at no
    more: there may be fewer ``items`` than ``limit`` then, or none, and ``next`` goes
    on from there. null: the page is whole."""


class HourShown(BaseModel):
    """What was decided in an hour, which begins ``at``."""

    at: datetime
    granted: int
    blanked: int
    refused: int
    absent: int


class ReasonCount(BaseModel):
    """How often something was decided for a reason."""

    reason: str
    outcome: str
    times: int


class DecisionCounts(BaseModel):
    """Decisions and refused connections, counted."""

    hours: list[HourShown]
    """In order; none is left out."""
    reasons: list[ReasonCount]
    """The most frequent first."""


class DecisionsFollowed(BaseModel):
    """Decisions as they came, the oldest first."""

    items: list[DecisionShown]
    next: str
    """Where to ask for those that come after."""


class ChangeShown(BaseModel):
    """Who changed what."""

    id: int | None
    """null for a token that is limited to groups: it counts everybody's."""
    at: datetime
    who: str
    """A system account, a token's name, or a user of the console."""
    place: Annotated[str, Field(alias="from")]
    """``command line``, an address, or ``console`` and an address."""
    action: Literal["add", "change", "remove", "log-in", "log-out", "refused"]
    subject: str
    """Such as ``device 000413AABBCC``."""
    changes: list[Differs]


class ChangePage(Page):
    """A part of the changes, the newest first."""

    items: list[ChangeShown]


class Found(BaseModel):
    """What a start of the server would refuse, or warn of."""

    rule: str
    severity: Literal["refused", "warning"]
    message: str
    cure: str


class Health(BaseModel):
    """Whether phones can be served now, and what a start would say."""

    status: Literal["ready", "not ready"]
    version: str
    workers: int
    """How many have said anything lately."""
    cause: str | None
    reason: str | None
    words: dict[str, WordsShown]
    """What the reason was made of, by sentence."""
    findings: list[Found] | None
    """null: they cannot be asked for now, or not by a token that is limited to groups,
    since they tell of other groups' CAs."""


def record_routes(desk: Desk) -> APIRouter:
    """Return the paths."""
    router = APIRouter(tags=["records"])

    @router.get("/decisions", response_model=DecisionPage)
    async def list_decisions(
        request: Request,
        query: Annotated[LogQuery, Depends()],
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> Response:
        """Search the decisions, the newest first."""
        search = query.search
        before = _before(request, cursor)

        def find(database: Database) -> Response:
            with database.read() as connection:
                found = lines_and_total(
                    connection, search, before=before, limit=limit + 1
                )
            last = _last(request, found.lines, before, limit)
            reached = found.reached if last is None else None
            if reached is not None:
                last = _cursor(reached.before)
            return ListAnswer(
                {
                    "items": [_shown(request, entry) for entry in found.lines[:limit]],
                    "total": found.total,
                    "total_is": "exact" if found.is_exact else "at least",
                    "searched_to": (
                        None if reached is None else from_us(reached.at).isoformat()
                    ),
                    "next": next_url(request, last),
                }
            )

        return await desk.read(request, find)

    @router.get("/decisions/counts", response_model=DecisionCounts)
    async def count_decisions(
        request: Request, since: Since = None, until: Until = None
    ) -> Response:
        """Count the decisions by hour, and by reason; of the last day unless given."""
        end = _aware(until) or desk.clock()
        begin = _aware(since) or end - timedelta(hours=23)
        if not timedelta(0) <= end - begin <= MAX_HOURS * HOUR:
            raise ProblemError(
                "parameter",
                say("since is after until, or too long before"),
                say("ask for %(days)s days at most", days=MAX_HOURS // 24),
            )

        def find(database: Database) -> dict[str, Any]:
            with database.read() as connection:
                found = desk.hours.count(
                    connection, begin, end, desk.clock(), groups_of(request)
                )
            return {
                "hours": [hour.as_json() for hour in found.hours],
                "reasons": [
                    {"reason": reason, "outcome": outcome, "times": times}
                    for reason, outcome, times in found.reasons
                ],
            }

        return JsonAnswer(await desk.read(request, find))

    followers = 0

    @router.get("/decisions/follow", response_model=DecisionsFollowed)
    async def follow_decisions(
        request: Request,
        query: Annotated[LogQuery, Depends()],
        after: Annotated[
            str | None,
            Query(max_length=256, description="From next; without it: from now on."),
        ] = None,
        limit: Limit = 100,
        wait: Annotated[
            int, Query(ge=0, le=60, description="Seconds to wait for the first one.")
        ] = 30,
    ) -> Response:
        """Wait for decisions after a place; none came in time: an empty list."""
        nonlocal followers
        if followers >= MAX_FOLLOWERS:
            raise ProblemError(
                "rate",
                say("%(count)s calls wait for decisions already", count=MAX_FOLLOWERS),
                Retry_After="5",
            )  # fmt: skip

        def find(database: Database) -> tuple[list[dict[str, Any]], str]:
            with database.read() as connection:
                lines, last = follow_lines(
                    connection,
                    query.search,
                    after=None if after is None else _place(request, database, after),
                    limit=limit,
                )
            items = [_shown(request, line) for line in lines]
            return items, _place_text(request, database, last)

        end = time.monotonic() + wait
        followers += 1
        try:
            while True:
                begins_now = after is None
                items, after = await desk.read(request, find)
                left = end - time.monotonic()
                if items or begins_now or left <= 0 or await request.is_disconnected():
                    break
                await asyncio.sleep(min(left, LOOK_EVERY_S))
        finally:
            followers -= 1
        place = str(request.url.include_query_params(after=after))
        return JsonAnswer({"items": items, "next": place})

    @router.get("/changes", response_model=ChangePage)
    async def list_changes(
        request: Request,
        limit: Limit = 100,
        cursor: Cursor = None,
        who: Annotated[str, Query(max_length=128)] = "",
        mac: Mac = None,
        subject: Annotated[str, Query(max_length=128)] = "",
        group: Annotated[
            str,
            Query(max_length=64, description="What belongs to it, or did before."),
        ] = "",
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
            group=_text("group", group),
            groups=groups_of(request),
        )
        before = _before(request, cursor)

        def find(database: Database) -> dict[str, Any]:
            with database.read() as connection:
                total = count_changes(connection, search)
                found = read_changes(connection, search, before=before, limit=limit + 1)
            last = _last(request, found, before, limit)
            return {
                "items": [_shown(request, line) for line in found[:limit]],
                "total": total,
                "next": next_url(request, last),
            }

        return JsonAnswer(await desk.read(request, find))

    @router.get("/health", response_model=Health)
    async def health(request: Request) -> Response:
        """Say whether phones can be served now, and what a start would warn of."""
        ready = await desk.ready()
        found = ready.as_json() | {"words": words_of([ready.reason])}
        plain = {"version": __version__, "cause": None, "reason": None} | found
        findings = None
        ask = desk.findings
        if groups_of(request) is None and ask is not None:
            with contextlib.suppress(StorageError):  # which is the cause above
                findings = await desk.read(request, lambda database: _findings(ask))
        return JsonAnswer(plain | {"findings": findings})

    @router.get(
        "/metrics",
        response_class=Response,
        responses={
            200: {
                "content": {"text/plain": {"schema": {"type": "string"}}},
                "description": "Prometheus' text format.",
            }
        },
    )
    async def metrics() -> Response:
        """Get the numbers of all workers, for Prometheus."""
        return Response(await desk.metrics(), media_type=CONTENT_TYPE_LATEST)

    return router


def _findings(ask: Callable[[], Sequence[Finding]]) -> list[dict[str, str]]:
    try:
        failing = [finding for finding in ask() if not finding.ok]
    except StorageError:
        raise
    except LinekeyError as error:
        row = {"rule": "files", "severity": "refused", "message": error.message}
        return [row | {"cure": error.hint or ""}]
    return [
        {"rule": f.rule, "severity": f.severity, "message": f.message, "cure": f.cure}
        for f in failing
    ]


def _text(name: str, text: str) -> str:
    if "\0" in text:
        raise ProblemError(
            "parameter", say("%(name)s has a NUL in it", name=name), say("leave it out")
        )
    return text


def _aware(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


_NOW_OR_LATER = Moment(2**63 - 1, 0)


def _before(request: Request, cursor: str | None) -> int | Moment | None:
    """Read a cursor: a line's number, or a moment for who is limited to groups.

    His first page begins at a moment, too: one order from the first page to the last,
    also where a clock was set back between two lines.
    """
    if cursor is None:
        return None if groups_of(request) is None else _NOW_OR_LATER
    wanted = 1 if groups_of(request) is None else 2
    parts = cursor.split(".")
    if len(parts) != wanted or not all(
        part.isascii() and part.isdigit() and len(part) < 19 for part in parts
    ):
        raise ProblemError(
            "parameter",
            say("this cursor is not one of this list"),
            say("begin again without a cursor"),
        )
    numbers = [int(part) for part in parts]
    return numbers[0] if wanted == 1 else Moment(*numbers)


def _last(
    request: Request,
    found: Sequence[LogEntry | ChangeLine],
    before: int | Moment | None,
    limit: int,
) -> str | None:
    """The cursor behind the last of ``limit`` lines; None: there are no more."""
    if len(found) <= limit:
        return None
    last = found[limit - 1]
    if groups_of(request) is None:
        return _cursor(last.row_id)
    passed = sum(1 for line in found[:limit] if line.at == last.at)
    at = to_us(last.at)
    if isinstance(before, Moment) and before.at == at:
        passed += before.passed
    return _cursor(Moment(at, passed))


def _cursor(place: int | Moment) -> str:
    return ".".join(map(str, place)) if isinstance(place, Moment) else str(place)


def _place_text(request: Request, database: Database, last: int) -> str:
    """Write a line's number; sealed for who is limited to groups: it counts all."""
    if groups_of(request) is None:
        return str(last)
    sealed = database.keys.seal(str(last).encode(), _FOLLOWED)
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _place(request: Request, database: Database, text: str) -> int:
    """Read what ``_place_text`` wrote. Raises ProblemError."""
    try:
        if groups_of(request) is not None:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            text = database.keys.unseal(sealed, _FOLLOWED).decode()
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise ValueError(text)
    except (ValueError, StorageError):
        raise ProblemError(
            "parameter",
            say("after is not a place to follow from"),
            say("begin without it"),
        ) from None
    return int(text)


def _shown(request: Request, line: LogEntry | ChangeLine) -> dict[str, Any]:
    document = line.as_json()
    if groups_of(request) is not None:
        document["id"] = None
    return document
