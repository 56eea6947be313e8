"""One phone: its record, its file, its decisions, what it accepts, what to do."""

from datetime import timedelta
from typing import Any

from starlette.responses import RedirectResponse, Response

from linekey.console.api.problems import ProblemError
from linekey.console.web.forms import FormError
from linekey.console.web.phones import groups_of, setting_of
from linekey.console.web.reasons import name_of, tell_forecast, told
from linekey.console.web.route import Route
from linekey.console.web.visit import Visit, url
from linekey.mac import parse_mac
from linekey.provisioning.difference import SECRET, Difference, slot_text
from linekey.provisioning.document import Layer, merge
from linekey.said import mark
from linekey.store.changes import Changed, put_on_record
from linekey.store.database import Database
from linekey.store.devices import Devices
from linekey.store.layers import Layers

_DECISIONS, _CHANGES = 20, 10
_AHEAD = timedelta(days=400)


async def show(visit: Visit) -> Response:
    """The page."""
    return await _page(visit)


async def _page(visit: Visit, *, token: str = "", secrets: Any = None) -> Response:
    mac, api, language = _mac(visit), visit.api, visit.language
    said = await api.call("GET", f"/devices/{mac}")
    phone = said.json
    merged = await api.get(f"/devices/{mac}/settings")
    decisions = await api.get("/decisions", mac=mac, limit=_DECISIONS)
    changes = await api.get("/changes", mac=mac, limit=_CHANGES)
    lines = [line | told(line, language)._asdict() for line in decisions["items"]]
    here = f"/devices/{mac}"
    reason = phone["seen"]["reason"] if phone["seen"] else None
    return visit.page(
        "phone.html", phone["label"] or phone["mac"], phone=phone, mac=mac,
        merged=merged, lines=lines, decisions_total=decisions["total"],
        changes=changes["items"], verdict=await _verdict(visit, phone),
        why=name_of(reason, language) if reason else "", token=token, secrets=secrets,
        tag=said.headers.get("etag", ""), groups=await groups_of(visit),
        may_help=api.may("POST", f"{here}/revoke"), may_change=api.may("PATCH", here),
        may_replace=api.may("POST", f"{here}/replace"),
    )  # fmt: skip


async def _verdict(visit: Visit, phone: dict[str, Any]) -> dict[str, Any] | None:
    """What the check says of this phone and this server, now and ahead."""
    if not visit.api.may("POST", "/forecast"):
        return None
    until = visit.parts.desk.clock() + _AHEAD
    asked = {"macs": [phone["mac"]], "until": until.isoformat()}
    try:
        said = await visit.api.call("POST", "/forecast", body=asked)
    except ProblemError as problem:
        tell = visit.language.in_words
        shown, foreign = tell(problem.detail, problem.words)
        cure, _ = tell(problem.cure, problem.words)
        return {"problem": shown, "foreign": foreign, "cure": cure}
    found = said.json
    tell_forecast(found, visit.language)
    return {"problem": "", **found}


async def act(visit: Visit) -> Response:
    """Revoke, restore, make a token, replace, delete."""
    mac, form, api = _mac(visit), visit.form, visit.api
    action, path = visit.path_value("action"), f"/devices/{_mac(visit)}"
    if action == "revoke":
        await api.call("POST", f"{path}/revoke", body={"reason": form.get("reason")})
        return visit.to(f"phones/{mac}", done="revoked")
    if action == "restore":
        await api.call("POST", f"{path}/restore")
        return visit.to(f"phones/{mac}", done="restored")
    if action == "token":
        made = await api.call("POST", f"{path}/token")
        return await _page(visit, token=made.json["token"])
    if action == "replace":
        body = {"mac": form.get("new_mac")}
        body |= {"model": form.get("model")} if form.get("model") else {}
        said = await api.call("POST", f"{path}/replace", body=body)
        return visit.to(f"phones/{said.json['mac']}", done="replaced")
    if action == "delete":
        if form.get("sure") != "1":
            raise FormError(422, mark("Say that you are sure."))
        await api.call("DELETE", path)
        return visit.to("phones", done="removed")
    raise FormError(404, mark("There is no such page."))


async def save(visit: Visit) -> Response:
    """Change the record: only if nobody changed it since the page was shown."""
    form = visit.form
    body: dict[str, Any] = {
        "label": form.get("label"),
        "model": form.get("model") or None,
        "firmware": form.get("firmware") or None,
        "group": form.get("group") or None,
    }
    if "expired" in form.names():
        body["expired"] = form.get("expired") or None
    if form.get("vendor"):
        body["vendor"] = form.get("vendor")
    return await _patch(visit, body)


async def set_one(visit: Visit) -> Response:
    """Set one setting of the phone's own, or remove it."""
    form = visit.form
    change = (
        {"unset": [form.get("unset")]}
        if form.get("unset")
        else {"set": [setting_of(form)]}
    )
    return await _patch(visit, {"layer": change})


async def _patch(visit: Visit, body: dict[str, Any]) -> Response:
    mac = _mac(visit)
    query = {"allow_unknown": "true"} if visit.form.get("allow_unknown") else None
    await visit.api.call(
        "PATCH", f"/devices/{mac}", query, body, if_match=visit.form.get("tag")
    )
    return visit.to(f"phones/{mac}", done="saved")


async def show_file(visit: Visit) -> Response:
    """The file as the phone would get it, its secrets starred."""
    mac = _mac(visit)
    said = await visit.api.call("GET", f"/devices/{mac}/file")
    return visit.page(
        "phone_file.html", visit.t("The phone’s file"), mac=mac,
        text=said.body.decode(), left_out=int(said.headers["linekey-left-out"]),
    )  # fmt: skip


async def show_secrets(visit: Visit) -> Response:
    """Show what is starred: to an administrator who has just proved to be it."""
    mac = _mac(visit)
    visit.api.check("PATCH", f"/devices/{mac}")
    visit.want_proof(url(f"phones/{mac}"))
    await visit.api.get(f"/devices/{mac}")  # 404 if it is none of the user's

    def read(database: Database) -> list[tuple[str, str]]:
        device = Devices(database).get(parse_mac(mac))
        # What all phones have is the provider's, not a customer's.
        limited = visit.user.groups is not None
        layers = [
            layer
            for name, layer in Layers(database).of(device)
            if not limited or name == "device" or name.startswith("group:")
        ]
        return _secret_values(merge(*layers))

    def note(database: Database) -> None:
        seen = Difference("secrets", SECRET, "shown")
        with database.change_uncounted() as connection:
            group = Devices(database).get(parse_mac(mac)).group
            line = Changed("change", f"device {mac}", [seen], group=group)
            put_on_record(connection, database.actor, [line])

    # As the user, who sees no phone that left his groups meanwhile. First the line:
    # there is no look without it.
    within = visit.user.groups
    await visit.entry.database(visit.actor, note, within)
    values = await visit.entry.database(visit.actor, read, within)
    return await _page(visit, secrets=values)


def _secret_values(layer: Layer) -> list[tuple[str, str]]:
    found = [(slot_text(*s.slot), s.value) for s in layer.settings if s.secret]
    keys = [k for k in layer.function_keys if k.secret]
    return found + [(f"fkey[{k.idx}]", k.value) for k in keys]


async def to_phone(visit: Visit) -> Response:
    """A MAC as somebody wrote it leads to its page."""
    return RedirectResponse(url(f"phones/{_mac(visit)}"), 303)


def _mac(visit: Visit) -> str:
    return parse_mac(visit.path_value("mac")[:32]).digits


ROUTES = (
    Route("phones/{mac}", show, save),
    Route("phones/{mac}/file", show_file),
    Route("phones/{mac}/setting", to_phone, set_one),
    Route("phones/{mac}/secrets", to_phone, show_secrets),
    Route("phones/{mac}/do/{action}", None, act),
)
