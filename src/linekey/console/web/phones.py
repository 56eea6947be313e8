"""Phones: searched, filtered, sorted, added, and many changed at once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from linekey.console.web.forms import Form, FormError
from linekey.console.web.lists import LIMIT, asked, paged
from linekey.console.web.route import Route
from linekey.console.web.visit import Visit, url
from linekey.said import mark

FILTERS = (
    "q", "state", "group", "vendor", "model", "firmware", "seen", "refused",
    "certificate_generation", "ends_before", "sort",
)  # fmt: skip
COLUMNS = ("mac", "label", "model", "group", "state")
"""Columns that a list can be sorted by."""
LATELY = timedelta(days=7)
ACTIONS = {
    "revoke": mark("Revoke"),
    "restore": mark("Restore"),
    "rotate_passwords": mark("New SIP passwords"),
    "group": mark("Move to a group"),
    "set": mark("Set a setting"),
    "unset": mark("Remove a setting"),
    "firmware": mark("Note the firmware"),
}
_SHOWN = 200
"""Changes that a preview shows; it counts all."""


async def show(visit: Visit) -> Response:
    """The list."""
    filters = asked(visit, FILTERS)
    found = await visit.api.get(
        "/devices", **_query(visit, filters), sort=filters.get("sort", "mac"),
        limit=LIMIT, cursor=visit.query("cursor"),
    )  # fmt: skip
    return visit.page(
        "phones.html", visit.t("Phones"), phones=found["items"], filters=filters,
        groups=await groups_of(visit), columns=COLUMNS, sort_url=_sort_url(filters),
        actions=ACTIONS, may_change=visit.api.may("POST", "/devices/bulk"),
        may_add=visit.is_keeper, **paged(visit, "phones", filters, found),
    )  # fmt: skip


async def groups_of(visit: Visit) -> list[str]:
    """The groups' names that the user sees."""
    found = await visit.api.get("/groups")
    return [group["name"] for group in found["items"]]


async def show_new(visit: Visit) -> Response:
    """The form for a new phone."""
    return visit.page(
        "phone_new.html", visit.t("New phone"), groups=await groups_of(visit)
    )


async def add(visit: Visit) -> Response:
    """Register a phone."""
    form = visit.form
    mac = "".join(c for c in form.get("mac") if c.isalnum())[:32]
    names = ("vendor", "model", "firmware", "label", "group")
    body: dict[str, Any] = {name: form.get(name) for name in names if form.get(name)}
    settings = []
    if form.get("user_name"):
        settings.append({"name": "user_name", "idx": 1, "value": form.get("user_name")})
    if form.raw("user_pass"):
        settings.append({"name": "user_pass", "idx": 1, "value": form.raw("user_pass")})
    if settings:
        body["layer"] = {"settings": settings}
    path = f"/devices/{mac or '-'}"
    said = await visit.api.call("PUT", path, body=body, none_match=True)
    return visit.to(f"phones/{said.json['mac']}", done="added")


async def bulk(visit: Visit) -> Response:
    """Say what a change of many would do; or, the second time, do it."""
    form = visit.form
    select = _selection(visit, form)
    body = {"select": select} | _change(form)
    if form.get("sure") != "1":
        done = await visit.api.call(
            "POST", "/devices/bulk", body=body | {"dry_run": True}
        )
        return visit.page(
            "bulk.html", visit.t("What will change"), done_now=done.json,
            items=done.json["items"][:_SHOWN], shown=_SHOWN, fields=_again(form),
            action=visit.t(ACTIONS[form.get("action")]),
        )  # fmt: skip
    expected = form.get("expected")
    if not expected.isdecimal() or len(expected) > 9:
        raise FormError(400, mark("The form cannot be read."))
    body["expected"] = int(expected)
    done = await visit.api.call("POST", "/devices/bulk", body=body)
    return visit.page(
        "bulk_done.html", visit.t("Changed"), changed=done.json["changed"],
        matched=done.json["matched"],
    )  # fmt: skip


def _query(visit: Visit, filters: Mapping[str, str]) -> dict[str, str]:
    """Filters of the page in the words of the API."""
    plain = {
        name: filters[name]
        for name in ("q", "state", "group", "vendor", "model", "seen",
                     "certificate_generation")
        if name in filters
    }  # fmt: skip
    if "firmware" in filters:
        plain["where"] = f"firmware={filters['firmware']}"
    if "refused" in filters:
        since = visit.parts.desk.clock() - LATELY
        plain["refused_since"] = since.isoformat(timespec="minutes")
    if "ends_before" in filters:
        plain["certificate_ends_before"] = filters["ends_before"]
    return plain


def _sort_url(filters: dict[str, str]) -> Any:
    """Where a click on a column's name leads: by it, or the other way round."""
    now = filters.get("sort", "mac")

    def to(column: str) -> str:
        turned = f"-{column}" if now == column else column
        return url("phones", **(filters | {"sort": turned}))

    return to


def _selection(visit: Visit, form: Form) -> dict[str, Any]:
    """Which phones: those that were ticked, those of a list, or all that were found."""
    if form.get("which") == "found":
        filters = {name: form.get(name) for name in FILTERS if form.get(name)}
        query = _query(visit, filters)
        names = ("q", "state", "group", "vendor", "model")
        select: dict[str, Any] = {n: query[n] for n in names if n in query}
        rest = {n: v for n, v in query.items() if n not in (*names, "where")}
        where = [f"{name}={value}" for name, value in rest.items()]
        where += [query["where"]] if "where" in query else []
        if where:
            select["where"] = where
        return select or {"all": True}
    macs = form.all("mac")
    macs += form.get("list").replace(",", " ").split()
    if not macs:
        raise FormError(422, mark("No phone is selected."))
    return {"macs": macs}


def _change(form: Form) -> dict[str, Any]:
    action, value = form.get("action"), form.get("value")
    if action not in ACTIONS:
        raise FormError(422, mark("Choose what to change."))
    if action in ("restore", "rotate_passwords"):
        return {"action": action}
    if action == "revoke":
        return {"action": action, "reason": value}
    if action == "group":
        return {"change": {"group": form.get("to_group") or None}}
    if action == "firmware":
        return {"change": {"firmware": value or None}}
    if action == "unset":
        return {"change": {"layer": {"unset": [value]}}}
    return {"change": {"layer": {"set": [setting_of(form)]}}}


def setting_of(form: Form) -> dict[str, Any]:
    """A setting as a form has it: ``name``, or ``name[idx]``."""
    name, _, idx = form.get("setting").partition("[")
    body: dict[str, Any] = {"name": name, "value": form.raw("value")}
    if idx:
        number = idx.removesuffix("]")
        if not (number.isascii() and number.isdecimal() and len(number) < 5):
            raise FormError(422, mark("Write a setting as name or name[1]."))
        body["idx"] = int(number)
    if form.get("perm"):
        body["perm"] = form.get("perm")
    if form.get("secret"):
        body["mark"] = "secret"
    return body


def _again(form: Form) -> list[tuple[str, str]]:
    """What the second form sends again."""
    names = (
        "which", "action", "value", "to_group", "setting", "perm", "secret", "list",
        *FILTERS,
    )  # fmt: skip
    found = [(name, form.raw(name)) for name in names if form.raw(name)]
    return found + [("mac", mac) for mac in form.all("mac")]


ROUTES = (
    Route("phones", show),
    Route("phones/new", show_new, add, is_keepers=True),
    Route("phones/bulk", None, bulk),
)
