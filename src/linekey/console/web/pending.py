"""Phones that nobody has registered: found, approved, refused, forgotten; and the rules
of those that are expected.

Rule: what approves is the MAC, or a selection whose number was seen before; never the
code on a display, which only finds.
"""

from typing import Any

from starlette.responses import RedirectResponse, Response

from linekey.console.web.forms import Form, FormError
from linekey.console.web.lists import LIMIT, asked, paged
from linekey.console.web.phones import groups_of
from linekey.console.web.route import Route
from linekey.console.web.visit import Visit, url
from linekey.mac import parse_mac
from linekey.said import mark

FILTERS = ("q", "state", "vendor", "model", "generation", "peer", "group")
ACTIONS = {
    "approve": mark("Approve"),
    "refuse": mark("Refuse"),
    "forget": mark("Forget"),
}
DONE = {"approve": "approved", "refuse": "refused", "forget": "forgotten"}
WITNESSES = {
    "certificate": mark("by its certificate"),
    "user_agent": mark("by its own word"),
    "file": mark("by its own word"),
}
"""On whose word a phone is of its model."""
NO_GROUP = "="
"""In a form: in no group, whatever a rule says. No group is called so."""
_SHOWN = 200
"""Phones that a preview shows; it counts all."""


async def show(visit: Visit) -> Response:
    """The list: those that wait for a decision, or those that were refused."""
    filters = asked(visit, FILTERS)
    state = filters.get("state") or "open"
    query = {name: text for name, text in filters.items() if name != "state"}
    found = await visit.api.get(
        "/pending", **query, state=state, limit=LIMIT, cursor=visit.query("cursor")
    )
    return visit.page(
        "pending.html", visit.t("Pending phones"), phones=found["items"],
        filters=filters, state=state, groups=await groups_of(visit), actions=ACTIONS,
        is_limited=visit.user.groups is not None, no_group=NO_GROUP,
        witnesses=WITNESSES, may_decide=visit.api.may("POST", "/pending/bulk"),
        may_see_rules=visit.api.may("GET", "/adoption-rules"),
        **paged(visit, "pending", filters, found),
    )  # fmt: skip


async def show_one(visit: Visit) -> Response:
    """One phone: what it proved, what it says, and what can be done."""
    mac = _mac(visit)
    phone = await visit.api.get(f"/pending/{mac}")
    return visit.page(
        "pending_phone.html", phone["mac"], phone=phone, groups=await groups_of(visit),
        is_limited=visit.user.groups is not None, no_group=NO_GROUP,
        witnesses=WITNESSES,
        may_decide=visit.api.may("POST", f"/pending/{mac}/approve"),
    )  # fmt: skip


async def act(visit: Visit) -> Response:
    """Approve, refuse or forget one."""
    mac, action, api = _mac(visit), visit.path_value("action"), visit.api
    if action == "approve":
        body = _approval(visit.form)
        await api.call("POST", f"/pending/{mac}/approve", body=body)
        return visit.to(f"phones/{mac}", done=DONE[action])
    if action == "refuse":
        body = {"reason": visit.form.get("reason")}
        await api.call("POST", f"/pending/{mac}/refuse", body=body)
        return visit.to(f"pending/{mac}", done=DONE[action])
    if action == "forget":
        await api.call("DELETE", f"/pending/{mac}")
        return visit.to("pending", done=DONE[action])
    raise FormError(404, mark("There is no such page."))


async def bulk(visit: Visit) -> Response:
    """Say what a decision on many would do; or, the second time, take it."""
    form = visit.form
    action = form.get("action")
    if action not in ACTIONS:
        raise FormError(422, mark("Choose what to do."))
    body: dict[str, Any] = {"select": _selection(form), "action": action}
    if action == "approve":
        body |= _approval(form)
    if action == "refuse":
        body["reason"] = form.get("reason")
    if form.get("sure") != "1":
        done = await visit.api.call(
            "POST", "/pending/bulk", body=body | {"dry_run": True}
        )
        return visit.page(
            "pending_bulk.html", visit.t("What will be done"), told=done.json,
            items=done.json["items"][:_SHOWN], shown=_SHOWN, action=action,
            fields=_again(form), name=visit.t(ACTIONS[action]),
        )  # fmt: skip
    expected = form.get("expected")
    if not expected.isdecimal() or len(expected) > 9:
        raise FormError(400, mark("The form cannot be read."))
    body["expected"] = int(expected)
    await visit.api.call("POST", "/pending/bulk", body=body)
    return visit.to("pending", done=DONE[action])


async def show_rules(visit: Visit) -> Response:
    """Which phones are expected."""
    found = await visit.api.get("/adoption-rules")
    return visit.page(
        "pending_rules.html", visit.t("Expected phones"), rules=found["items"],
        groups=await groups_of(visit),
        may_change=visit.api.may("PUT", "/adoption-rules/x"),
    )  # fmt: skip


async def add_rule(visit: Visit) -> Response:
    """Add a rule. One that is there is not changed by that."""
    form = visit.form
    body: dict[str, Any] = {
        "macs": form.get("macs").replace(",", " ").split(),
        "label": form.get("label"),
        "group": form.get("group") or None,
        "model": form.get("model") or None,
        "vendor": form.get("vendor"),
        "ask": form.get("ask") == "1",
    }
    name = form.get("name")
    if not body["macs"]:
        raise FormError(422, mark("Name MACs, or ranges of them."))
    there = await visit.api.get("/adoption-rules")
    if name.lower() in {rule["name"] for rule in there["items"]}:
        raise FormError(422, mark("There is a rule of this name: remove it first."))
    await visit.api.call("PUT", _rule_path(name), body=body)
    return visit.to("pending/rules", done="added")


async def remove_rule(visit: Visit) -> Response:
    """Remove a rule; phones that it registered stay registered."""
    await visit.api.call("DELETE", _rule_path(visit.path_value("name")))
    return visit.to("pending/rules", done="removed")


async def to_rules(visit: Visit) -> Response:
    """Where a form was sent to, there is no page."""
    return RedirectResponse(url("pending/rules"), 303)


def _rule_path(name: str) -> str:
    plain = name.replace("/", " ").strip()
    return f"/adoption-rules/{plain or '-'}"


def _approval(form: Form) -> dict[str, Any]:
    """What the record is to say; what is left empty is left to rule and phone."""
    body: dict[str, Any] = {
        name: form.get(name) for name in ("label", "model") if form.get(name)
    }
    if group := form.get("to_group"):
        body["group"] = "" if group == NO_GROUP else group
    return body


def _selection(form: Form) -> dict[str, Any]:
    """Which phones: those that were ticked, or all that were found."""
    if form.get("which") == "found":
        names = [name for name in FILTERS if name not in ("state", "model")]
        select = {name: form.get(name) for name in names if form.get(name)}
        if form.get("found_model"):
            select["model"] = form.get("found_model")
        return select or {"all": True}
    macs = form.all("mac")
    if not macs:
        raise FormError(422, mark("No phone is selected."))
    return {"macs": macs}


def _again(form: Form) -> list[tuple[str, str]]:
    """What the second form sends again."""
    names = (
        "which", "action", "label", "model", "to_group", "reason", "found_model",
        *(name for name in FILTERS if name not in ("state", "model")),
    )  # fmt: skip
    found = [(name, form.raw(name)) for name in names if form.raw(name)]
    return found + [("mac", mac) for mac in form.all("mac")]


def _mac(visit: Visit) -> str:
    return parse_mac(visit.path_value("mac")[:32]).digits


ROUTES = (
    Route("pending", show),
    Route("pending/bulk", None, bulk),
    Route("pending/rules", show_rules, add_rule),
    Route("pending/rules/{name}/remove", to_rules, remove_rule),
    Route("pending/{mac}", show_one),
    Route("pending/{mac}/do/{action}", None, act),
)
