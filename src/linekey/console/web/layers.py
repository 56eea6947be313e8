"""Layers: what all phones, a group's or a model's have, edited one by one."""

import difflib
from typing import Any

from starlette.responses import JSONResponse, Response

from linekey.catalog.known_settings import known_settings
from linekey.console.web.forms import FormError
from linekey.console.web.phones import groups_of, setting_of
from linekey.console.web.route import Route
from linekey.console.web.visit import Visit
from linekey.errors import InputError
from linekey.makers.terms import TERMS
from linekey.said import mark
from linekey.store.layers import Scope

_WORDS = 12


async def show(visit: Visit) -> Response:
    """All layers, and how to begin one."""
    found = await visit.api.get("/layers")
    return visit.page(
        "layers.html", visit.t("Layers"), layers=found["items"],
        may_change=visit.api.may("PATCH", "/layers/fleet"),
        groups=await groups_of(visit), is_limited=visit.user.groups is not None,
    )  # fmt: skip


async def begin(visit: Visit) -> Response:
    """Go to a layer by what it is of."""
    kind, name = visit.form.get("kind"), visit.form.get("name")
    if kind not in ("fleet", "group", "model"):
        raise FormError(422, mark("Choose whose layer it is."))
    scope = Scope.parse("fleet" if kind == "fleet" else f"{kind}:{name}")
    return visit.to(f"layers/{scope.text}")


async def show_one(visit: Visit) -> Response:
    """A layer."""
    scope = _scope(visit)
    said = await visit.api.call("GET", f"/layers/{scope}")
    return visit.page(
        "layer.html", scope, layer=said.json, scope=scope,
        tag=said.headers.get("etag", ""),
        may_change=visit.api.may("PATCH", f"/layers/{scope}"),
    )  # fmt: skip


async def save(visit: Visit) -> Response:
    """Set a setting, or remove one, a key or a certificate; or add certificates."""
    form, scope = visit.form, _scope(visit)
    change: dict[str, Any]
    if form.get("unset"):
        change = {"unset": [form.get("unset")]}
    elif form.get("unset_certificate"):
        change = {"remove_certificates": [form.get("unset_certificate")]}
    elif form.get("unset_key"):
        idx, _, context = form.get("unset_key").partition(" ")
        if not idx.isdecimal():
            raise FormError(400, mark("The form cannot be read."))
        change = {"unset_keys": [{"idx": int(idx), "context": context or "active"}]}
    elif form.raw("pem").strip():
        change = {"add_certificates": [{"pem": form.raw("pem")}]}
    else:
        change = {"set": [setting_of(form)]}
    query = {"allow_unknown": "true"} if form.get("allow_unknown") else None
    await visit.api.call(
        "PATCH", f"/layers/{scope}", query, change, if_match=form.get("tag")
    )
    return visit.to(f"layers/{scope}", done="saved")


async def names(visit: Visit) -> Response:
    """Settings' names that begin like what is typed, for the script."""
    text = visit.query("q").lower()[:64]
    known = sorted([*known_settings(), *TERMS])
    found = [name for name in known if name.lower().startswith(text)][:_WORDS]
    if not found and text:
        found = difflib.get_close_matches(text, known, n=_WORDS)
    return JSONResponse(found)


def _scope(visit: Visit) -> str:
    scope = Scope.parse(visit.path_value("scope")[:80])
    if scope.mac is not None:
        raise InputError(
            "a phone's own layer is on its page", hint="find it among the phones"
        )
    return scope.text


ROUTES = (
    Route("layers", show, begin),
    Route("layers/{scope}", show_one, save),
    Route("setting-names", names),
)
