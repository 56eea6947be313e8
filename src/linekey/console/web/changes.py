"""Who changed what."""

from starlette.responses import Response

from linekey.console.web.lists import LIMIT, asked, paged, to_utc
from linekey.console.web.route import Route
from linekey.console.web.visit import Visit

FILTERS = ("who", "mac", "subject", "since", "until")


async def show(visit: Visit) -> Response:
    """The list, newest first."""
    filters = asked(visit, FILTERS)
    zone = visit.language.zone
    query = {
        name: to_utc(text, zone) if name in ("since", "until") else text
        for name, text in filters.items()
    }
    found = await visit.api.get(
        "/changes", **query, limit=LIMIT, cursor=visit.query("cursor")
    )
    return visit.page(
        "changes.html", visit.t("Changes"), lines=found["items"], filters=filters,
        **paged(visit, "changes", filters, found),
    )  # fmt: skip


ROUTES = (Route("changes", show),)
