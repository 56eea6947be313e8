"""A forecast as one self-contained HTML page, with a timeline.

As the check's page (``check.page``): made from the JSON form, nothing loaded, no
script, every value escaped by the template engine.
"""

from datetime import datetime
from typing import Any

from linekey.check.forecast import Forecast
from linekey.check.page import template

_LEAST = 0.012
"""Of the timeline's height: the smallest bar that one still sees."""

_LAST_NAMED = 0.95
"""Of the timeline's width: a month's name beyond would stand out of the page."""


def render_forecast(forecast: Forecast) -> str:
    """Return the page, complete."""
    document = forecast.as_dict()
    return template("forecast.html.j2").render(
        forecast=document,
        bars=_bars(document, forecast.made_at, forecast.until, forecast.phones),
        months=_months(forecast.made_at, forecast.until),
    )


def _bars(
    document: dict[str, Any], start: datetime, end: datetime, phones: int
) -> list[dict[str, Any]]:
    """Each event's place on the timeline, in percent."""
    return [
        {
            "left": round(100 * _share(datetime.fromisoformat(e["at"]), start, end), 2),
            "height": round(100 * max(_LEAST, e["phones"] / max(phones, 1)), 1),
            "kind": e["kind"],
            "id": e["id"],
            "sentence": f"{e['at'][:10]}: {e['sentence']}",
        }
        for e in document["events"]
    ]


def _share(at: datetime, start: datetime, end: datetime) -> float:
    return (at - start) / (end - start)


def _months(start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Where months begin; at most some fifteen are named."""
    found = []
    at = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while True:
        at = at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
        if _share(at, start, end) > _LAST_NAMED:
            break
        found.append(at)
    step = max(1, len(found) // 12)
    return [
        {"left": round(100 * _share(month, start, end), 2), "text": f"{month:%Y-%m}"}
        for month in found[::step]
    ]
