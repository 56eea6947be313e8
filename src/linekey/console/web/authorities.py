"""The CAs whose device certificates are believed."""

from starlette.responses import Response

from linekey.console.web.route import Route
from linekey.console.web.visit import Visit


async def show(visit: Visit) -> Response:
    """The list, roots first."""
    found = await visit.api.get("/vendor-cas")
    return visit.page(
        "authorities.html", visit.t("Authorities"), cas=found["items"],
        may_change=visit.api.may("POST", "/vendor-cas"),
    )  # fmt: skip


async def add(visit: Visit) -> Response:
    """Believe what a PEM text holds."""
    form = visit.form
    body = {"pem": form.raw("pem")}
    body |= {name: form.get(name) for name in ("rule", "vendor") if form.get(name)}
    await visit.api.call("POST", "/vendor-cas", body=body)
    return visit.to("authorities", done="added")


async def say_of_expired(visit: Visit) -> Response:
    """Say what its phones get once their certificates have ended."""
    path = f"/vendor-cas/{visit.path_value('sha256')}"
    body = {"expired": visit.form.get("expired") or None}
    await visit.api.call("PATCH", path, body=body)
    return visit.to("authorities", done="saved")


async def remove(visit: Visit) -> Response:
    """Believe one no more."""
    path = f"/vendor-cas/{visit.path_value('sha256')}"
    await visit.api.call("DELETE", path)
    return visit.to("authorities", done="removed")


async def ask_to_remove(visit: Visit) -> Response:
    """Show what is removed, and ask."""
    found = await visit.api.get(f"/vendor-cas/{visit.path_value('sha256')}")
    visit.api.check("DELETE", f"/vendor-cas/{found['sha256']}")
    return visit.page("authority_remove.html", visit.t("Remove this CA?"), ca=found)


ROUTES = (
    Route("authorities", show, add),
    Route("authorities/{sha256}/expired", None, say_of_expired),
    Route("authorities/{sha256}/remove", ask_to_remove, remove),
)
