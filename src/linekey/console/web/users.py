"""Users and tokens: for administrators of all phones who have just proved it."""

from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from linekey.console.web.forms import FormError
from linekey.console.web.phones import groups_of
from linekey.console.web.route import Route
from linekey.console.web.visit import Visit, url
from linekey.said import mark
from linekey.store.database import Database
from linekey.store.token_scope import Scope
from linekey.store.tokens import ApiTokens
from linekey.store.users import CONSOLE, ROLES, link_url

_HERE = url("users")
_MAX_DAYS = 3650


async def show(visit: Visit) -> Response:
    """The lists, and the forms."""
    visit.want_proof(_HERE)
    return await _page(visit)


async def _page(
    visit: Visit, *, link: str = "", token: str = "", of: str = ""
) -> Response:
    now = visit.parts.desk.clock()

    def read(database: Database) -> list[dict[str, Any]]:
        return [token.as_json(now) for token in ApiTokens(database).all()]

    oidc = visit.parts.settings.oidc
    return visit.page(
        "users.html", visit.t("Users and tokens"), roles=list(ROLES),
        users=await visit.entry.users(visit.actor, lambda users: users.all()),
        tokens=await visit.entry.database(visit.actor, read),
        scopes=[scope.value for scope in Scope], groups=await groups_of(visit),
        provider=oidc.name if oidc.issuer else "",
        link=link, token=token, of=of,
    )  # fmt: skip


async def add_user(visit: Visit) -> Response:
    """Add a user: with a password, a link, or as the provider's subject."""
    visit.want_proof(_HERE)
    form, now = visit.form, visit.parts.desk.clock()
    name, groups = form.get("name"), _groups(visit)
    password, subject = form.raw("password"), form.get("subject")
    issuer = visit.parts.settings.oidc.issuer if subject else None
    await visit.entry.users(
        visit.actor,
        lambda users: users.add(
            name, form.get("role"), now, groups=groups, password=password or None,
            issuer=issuer or None, subject=subject or None,
        ),
    )  # fmt: skip
    if password or subject:
        return visit.to("users", done="added")
    return await _linked(visit, name)


async def change_user(visit: Visit) -> Response:
    """Change a user, or make a link for one, or revoke one."""
    visit.want_proof(_HERE)
    form, now, name = visit.form, visit.parts.desk.clock(), visit.path_value("name")
    action = visit.path_value("action")
    if action == "link":
        return await _linked(visit, name)
    if name.lower() == visit.user.name.lower() and action in ("role", "revoke"):
        raise FormError(422, mark("Nobody takes rights from himself: ask another one."))
    if action == "role":
        groups = _groups(visit)
        role = form.get("role")
        await visit.entry.users(
            visit.actor,
            lambda users: (
                users.set_role(name, role, now), users.set_groups(name, groups, now),
            ),
        )  # fmt: skip
        return visit.to("users", done="saved")
    if action == "revoke":
        await visit.entry.users(visit.actor, lambda users: users.revoke(name, now))
        return visit.to("users", done="revoked")
    raise FormError(404, mark("There is no such page."))


async def _linked(visit: Visit, name: str) -> Response:
    now = visit.parts.desk.clock()
    token = await visit.entry.users(
        visit.actor, lambda users: users.new_link(name, now)
    )
    link = link_url(f"{visit.parts.base}{CONSOLE}", token)
    return await _page(visit, link=link, of=name)


async def add_token(visit: Visit) -> Response:
    """Make a token; it is shown on this page and never again."""
    visit.want_proof(_HERE)
    form, now, groups = visit.form, visit.parts.desk.clock(), _groups(visit)
    name, scope, days = form.get("name"), form.get("scope"), form.get("days")
    if scope not in list(Scope):
        raise FormError(422, mark("Choose a scope."))
    ends: datetime | None = None
    if days:
        if not (days.isascii() and days.isdecimal() and 0 < int(days[:6]) <= _MAX_DAYS):
            raise FormError(422, mark("Give whole days, at most ten years."))
        ends = now + timedelta(days=int(days))

    def make(database: Database) -> str:
        return ApiTokens(database).add(name, Scope(scope), ends, now, groups)

    token = await visit.entry.database(visit.actor, make)
    return await _page(visit, token=token, of=name)


async def revoke_token(visit: Visit) -> Response:
    """Revoke a token."""
    visit.want_proof(_HERE)
    name, now = visit.path_value("name"), visit.parts.desk.clock()
    await visit.entry.database(
        visit.actor, lambda database: ApiTokens(database).revoke(name, now)
    )
    return visit.to("users", done="revoked")


def _groups(visit: Visit) -> list[str] | None:
    """The groups that were ticked; none, and not "only": no limit."""
    found = [name for name in visit.form.all("groups") if name]
    return found or None


ROUTES = (
    Route("users", show, add_user, is_keepers=True),
    Route("users/{name}/{action}", None, change_user, is_keepers=True),
    Route("tokens", None, add_token, is_keepers=True),
    Route("tokens/{name}/revoke", None, revoke_token, is_keepers=True),
)
