"""Who fails when: the forecast in the console's frame."""

from starlette.responses import Response

from linekey.console.web.lists import Filters, asked
from linekey.console.web.reasons import tell_forecast
from linekey.console.web.route import Route
from linekey.console.web.visit import Visit

FILTERS = ("until", "vendor", "model", "group")
MACS = 200
"""Shown of each event."""
GOOD_ENOUGH_S = 86400
"""Seconds: the page says when it was made, and has a button for a new one."""


async def show(visit: Visit) -> Response:
    """Of all active phones, or some."""
    filters = asked(visit, FILTERS)
    old = None if visit.query("anew") else GOOD_ENOUGH_S
    found = await visit.api.get("/forecast", **filters, max_age=old, macs=MACS)
    tell_forecast(found, visit.language)
    return visit.page(
        "forecast.html", visit.t("Forecast"), forecast=found, filters=filters,
        asked_chain=False, macs=MACS,
    )  # fmt: skip


async def ask(visit: Visit) -> Response:
    """With a chain before it is deployed: nothing is changed, and nothing is kept."""
    body: dict[str, object] = {"chain": visit.form.raw("chain")}
    body |= {n: visit.form.get(n) for n in FILTERS if visit.form.get(n)}
    said = await visit.api.call("POST", "/forecast", body=body)
    found = said.json
    tell_forecast(found, visit.language)
    return visit.page(
        "forecast.html", visit.t("Forecast"), forecast=found, filters=Filters(),
        asked_chain=True, macs=MACS,
    )  # fmt: skip


ROUTES = (Route("forecast", show, ask),)
