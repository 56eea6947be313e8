"""Decisions, searched."""

from starlette.responses import Response

from linekey.console.web.language import Language
from linekey.console.web.lists import LIMIT, asked, paged, to_utc
from linekey.console.web.reasons import name_of, told
from linekey.console.web.route import Route
from linekey.console.web.visit import Visit
from linekey.provisioning.decision import Reason
from linekey.wire.door.refusal import REFUSALS

FILTERS = ("q", "mac", "outcome", "kind", "reason", "peer", "since", "until")
TIMES = ("since", "until")


async def show(visit: Visit) -> Response:
    """The list, newest first."""
    filters = asked(visit, FILTERS)
    zone = visit.language.zone
    query = {
        name: to_utc(text, zone) if name in TIMES else text
        for name, text in filters.items()
    }
    found = await visit.api.get(
        "/decisions", **query, limit=LIMIT, cursor=visit.query("cursor")
    )
    lines = [line | told(line, visit.language)._asdict() for line in found["items"]]
    return visit.page(
        "decisions.html", visit.t("Decisions"), lines=lines, filters=filters,
        reasons=_reasons(visit.language), exact=found["total_is"] == "exact",
        searched_to=found["searched_to"],
        **paged(visit, "decisions", filters, found),
    )  # fmt: skip


def _reasons(language: Language) -> list[tuple[str, str]]:
    names = [*(reason.value for reason in Reason), *REFUSALS]
    return [(name, name_of(name, language)) for name in dict.fromkeys(names)]


ROUTES = (Route("decisions", show),)
