"""The first page: how things are, what was decided lately, what ends next."""

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from linekey.console.api.problems import ProblemError
from linekey.console.web.chart import HEIGHT, NARROW, bars_of
from linekey.console.web.forecast import GOOD_ENOUGH_S
from linekey.console.web.reasons import name_of, tell_forecast, told
from linekey.console.web.route import Route
from linekey.console.web.visit import Visit

KINDS = ("granted", "blanked", "refused")
SPANS = {"day": 24, "week": 24 * 7}
_TOP, _LATEST = 6, 8
_PATIENCE_S = 0.2


async def show(visit: Visit) -> Response:
    """Ask for what the user may see of all this."""
    span = visit.query("span") if visit.query("span") in SPANS else "day"
    now, api, language = visit.parts.desk.clock(), visit.api, visit.language
    since = now - timedelta(hours=SPANS[span] - 1)
    asked: dict[str, Coroutine[Any, Any, Any]] = {
        "counts": api.get("/decisions/counts", since=since.isoformat()),
        "latest": _latest(visit, now - timedelta(days=1)),
        "phones": api.get("/devices", limit=1),
        "revoked": api.get("/devices", limit=1, state="revoked"),
        "never": api.get("/devices", limit=1, seen="never"),
        "pending": api.get("/pending", limit=1, state="open"),
        "health": api.get("/health"),
        "server": _server(visit, now),
        "undelivered": _undelivered(visit),
        "ends": _ends(visit),
    }
    # At once: a page is not to wait for one answer after the other.
    answers = await asyncio.gather(*asked.values(), return_exceptions=True)
    said: dict[str, Any] = dict(zip(asked, answers, strict=True))
    for error in answers:
        if isinstance(error, BaseException):
            raise error
    counts, latest = said["counts"], said["latest"]
    sums = {kind: sum(hour[kind] for hour in counts["hours"]) for kind in KINDS}
    hours = counts["hours"] if span == "day" else _days(counts["hours"])
    return visit.page(
        "overview.html", visit.t("Overview"), span=span, sums=sums,
        health=said["health"], server=said["server"],
        undelivered=said["undelivered"],
        phones=said["phones"]["total"], revoked=said["revoked"]["total"],
        never=said["never"]["total"], pending=said["pending"]["total"],
        charts=[bars_of(hours, KINDS), bars_of(hours, KINDS, NARROW)], height=HEIGHT,
        narrow=NARROW, kinds=KINDS,
        hours=hours,
        reasons=[
            one | {"sentence": name_of(one["reason"], language)}
            for one in counts["reasons"]
            if one["outcome"] not in ("granted", "absent")
        ][:_TOP],
        ends=said["ends"],
        lines=[line | told(line, language)._asdict() for line in latest],
    )  # fmt: skip


async def _latest(visit: Visit, since: datetime) -> list[dict[str, Any]]:
    """The newest decisions; to count 1,000,000 of them for that takes a while."""
    for begins in (since.isoformat(), None):
        found = await visit.api.get("/decisions", limit=_LATEST, since=begins)
        lines: list[dict[str, Any]] = found["items"]
        if len(lines) == _LATEST:
            break
    return lines


async def _server(visit: Visit, now: datetime) -> Any:
    """The server's own facts, for who sees all phones."""
    if visit.user.groups is not None:
        return None
    return await visit.parts.standing(now)


async def _undelivered(visit: Visit) -> int:
    """How many messages about alerts were given up, for who sees all phones."""
    if visit.user.groups is not None:
        return 0
    found = await visit.api.get("/alerts/messages", state="undelivered")
    return int(found["total"])


async def _ends(visit: Visit) -> list[dict[str, Any]] | None:
    """What ends next, of the forecast; None: it is not there yet."""
    asked = visit.api.get("/forecast", max_age=GOOD_ENOUGH_S, macs=0)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            found = await asked
    except TimeoutError:
        return None  # it is being made, for the next who asks
    except ProblemError:
        return []  # the forecast's own page says why
    tell_forecast(found, visit.language)
    events: list[dict[str, Any]] = found["already"] + [
        event for event in found["events"] if event["kind"] != "begins"
    ]
    return events[:_TOP]


def _days(hours: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Six hours of a week in one bar."""
    found = []
    for start in range(0, len(hours), 6):
        part = hours[start : start + 6]
        sums = {kind: sum(hour[kind] for hour in part) for kind in KINDS}
        found.append({"at": part[0]["at"], **sums})
    return found


ROUTES = (Route("", show),)
