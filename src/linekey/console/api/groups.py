"""``/groups``: groups of phones, such as customers' or sites'."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field, StrictInt
from starlette.responses import Response

from linekey.console.api.bodies import Body, Short
from linekey.console.api.desk import (
    Desk,
    IfMatch,
    JsonAnswer,
    Page,
    answer,
    check_match,
)
from linekey.console.api.problems import ProblemError
from linekey.errors import InputError
from linekey.provisioning.group import Group, parse_group, parse_policy
from linekey.provisioning.shown import group_json
from linekey.store.database import Database
from linekey.store.groups import Groups, allowed_cas

GroupPath = Annotated[
    str,
    Path(
        max_length=64,
        description="Such as acme.",
        openapi_examples={"a group": {"value": "acme"}},
    ),
]
Cas = Annotated[list[Short], Field(max_length=100)]
_NOTHING: dict[str, str] = {}
Policies = Annotated[dict[Short, Short], Field(max_length=16)]


class GroupBody(Body):
    """A whole group."""

    name: Short | None = None
    """Read only: it is in the path."""
    note: Short = ""
    """A note of yours, such as the customer's name."""
    vendor_cas: Cas | None = None
    """Fingerprints of the CAs that its phones' certificates may be from; null: any."""
    policies: Policies = _NOTHING
    """What it decides itself: blanked_for_shared, on or off; expired_certificates,
    refuse, registered or accept."""
    phones: StrictInt | None = None
    """Read only: how many there are in it."""


class GroupChange(Body):
    """What is to change in a group; what is absent stays."""

    note: Short | None = None
    """null takes it away. Never a text by default: a generated client would send it."""
    vendor_cas: Cas | None = None
    policies: Policies = _NOTHING
    """Of these alone; default leaves one to linekey.toml."""


class GroupPage(Page):
    """All groups."""

    items: list[GroupBody]


def group_routes(desk: Desk) -> APIRouter:
    """Return the paths."""
    router = APIRouter(tags=["groups"])

    @router.get("/groups", response_model=GroupPage)
    async def list_groups(request: Request) -> Response:
        """List the groups, or those that the token is limited to."""

        def read(database: Database) -> list[dict[str, Any]]:
            groups = Groups(database)
            phones = groups.phones()
            return [group_json(g, phones.get(g.name, 0)) for g in groups.all()]

        items = await desk.read(request, read)
        return JsonAnswer({"items": items, "total": len(items), "next": None})

    @router.get("/groups/{name}", response_model=GroupBody)
    async def get_group(request: Request, name: GroupPath) -> Response:
        """Get a group. Its layer is /layers/group:NAME."""
        wanted = _name(name)

        def read(database: Database) -> dict[str, Any]:
            return _json(database, _found(database, wanted))

        return answer(await desk.read(request, read))

    @router.put(
        "/groups/{name}",
        response_model=GroupBody,
        responses={201: {"model": GroupBody, "description": "It was not there."}},
    )
    async def put_group(
        request: Request, name: GroupPath, body: GroupBody, if_match: IfMatch = None
    ) -> Response:
        """Say what a whole group is; what is absent is taken away."""
        wanted = _name(name)
        policies = _policies(body.policies)

        def made(database: Database, before: Group) -> Group:
            allowed = _allowed(database, body.vendor_cas, before)
            return replace(
                before, note=body.note, authorities=allowed, policies=policies
            )

        def put(database: Database) -> tuple[dict[str, Any], bool]:
            groups = Groups(database)
            if wanted in {group.name for group in groups.all()}:
                return change_one(database, wanted, if_match, made), False
            check_match(if_match, None)
            group = groups.add(made(database, Group(wanted)), desk.clock())
            return _json(database, group), True

        document, is_new = await desk.change(request, put)
        return answer(document, 201 if is_new else 200)

    @router.patch("/groups/{name}", response_model=GroupBody)
    async def patch_group(
        request: Request, name: GroupPath, body: GroupChange, if_match: IfMatch = None
    ) -> Response:
        """Change a group; what is absent stays as it is."""
        wanted, given = _name(name), body.model_fields_set

        def patched(database: Database, before: Group) -> Group:
            after = before
            if "note" in given:
                after = replace(after, note=body.note or "")
            if "vendor_cas" in given:
                allowed = _allowed(database, body.vendor_cas, before)
                after = replace(after, authorities=allowed)
            policies = dict(before.policies) | _policies(body.policies, keep=True)
            return replace(after, policies={n: v for n, v in policies.items() if v})

        def patch(database: Database) -> dict[str, Any]:
            _found(database, wanted)
            return change_one(database, wanted, if_match, patched)

        return answer(await desk.change(request, patch))

    @router.delete("/groups/{name}", status_code=204, response_class=Response)
    async def delete_group(
        request: Request,
        name: GroupPath,
        ungroup: Annotated[
            bool, Query(description="Also if it has phones; they are in none then.")
        ] = False,
        if_match: IfMatch = None,
    ) -> Response:
        """Delete a group with its layer. Tokens that are limited to it lose it."""
        wanted = _name(name)

        def remove(database: Database) -> None:
            document = _json(database, _found(database, wanted))
            check_match(if_match, document)
            Groups(database).remove(wanted, desk.clock(), ungroup=ungroup)

        await desk.change(request, remove)
        return Response(status_code=204)

    def change_one(
        database: Database, name: str, if_match: str | None, how: Any
    ) -> dict[str, Any]:
        phones = Groups(database).phones().get(name, 0)

        def checked(before: Group) -> Group:
            check_match(if_match, group_json(before, phones))
            changed: Group = how(database, before)
            return changed

        return group_json(Groups(database).change(name, checked, desk.clock()), phones)

    return router


def _name(text: str) -> str:
    try:
        return parse_group(text)
    except InputError as error:
        raise ProblemError.of(error, "not_found") from None


def _found(database: Database, name: str) -> Group:
    try:
        return Groups(database).get(name)
    except InputError as error:
        raise ProblemError.of(error, "not_found") from None


def _json(database: Database, group: Group) -> dict[str, Any]:
    return group_json(group, Groups(database).phones().get(group.name, 0))


def _allowed(
    database: Database, given: Sequence[str] | None, before: Group
) -> dict[str, str] | None:
    """Whose certificates are allowed; a CA that was named stays one that is."""
    if given is None:
        return None
    there = before.authorities or {}
    kept = {name: there[name] for name in given if name in there}
    return kept | allowed_cas(database, [name for name in given if name not in kept])


def _policies(given: dict[str, str], *, keep: bool = False) -> dict[str, str]:
    read = dict(parse_policy(f"{name}={value}") for name, value in given.items())
    return {name: value for name, value in read.items() if value or keep}
